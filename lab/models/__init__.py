"""The rows of the lab, in the ledger's database: what was ever tried, trained and told."""

from lab.models.run import KeptRun
from lab.models.signal_model import SignalModel
from lab.models.trial import Trial

__all__ = ["KeptRun", "SignalModel", "Trial"]
