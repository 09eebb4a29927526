"""The rows of the lab, in the ledger's database: what was ever tried."""

from lab.models.trial import Trial

__all__ = ["Trial"]
