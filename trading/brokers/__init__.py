"""Brokers' files, read to typed values: one module per format, none of which knows the ledger. Pure."""
