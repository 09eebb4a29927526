"""The HTTP interface for programs: one call of the facade each, for one account, by a token."""
