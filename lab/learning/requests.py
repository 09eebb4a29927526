"""What a model is asked to learn; it knows no learner, so that a desk without the extra can be told what it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from trading.errors import VeloxError
from trading.models import Account


class TooFewLabels(VeloxError):
    """Fewer signals with an outcome than a model is taught from."""

    code = "too_few_labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """Which signals to learn from, and which of their conditions to leave out."""

    account: Account
    strategy: str
    first: date | None = None
    last: date | None = None
    without: frozenset[str] = frozenset()
    hypothetical_minutes: int | None = None  # how long a skipped signal's price is followed; None: they are left out
