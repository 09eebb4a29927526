"""How far the follower has come behind the journal."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.utils import DatabaseError

from trading.models import Journal, JournalHead


class Lag(NamedTuple):
    """The rows of an account's journal that are no points yet, and when the oldest of them was recorded."""

    account: str
    rows: int
    oldest_at: datetime


def is_behind() -> bool:
    """Tell whether an account's journal has rows that are no points yet; False where there is no ledger."""
    try:
        return _waiting().exists()
    except DatabaseError:
        return False


def projection_lags() -> list[Lag]:
    """Return how far each account that is behind is; none where all is projected. Raises: DatabaseError."""
    heads = _waiting().annotate(done=Coalesce(F("account__follower_cursor__sequence"), Value(0)))
    following = Journal.objects.filter(account=OuterRef("account"), sequence=OuterRef("done") + 1)
    rows = heads.annotate(oldest_at=Subquery(following.values("recorded_at")[:1]))
    columns = rows.values_list("account__code", F("sequence") - F("done"), "oldest_at")
    return [Lag(*row) for row in columns if row[2] is not None]


def _waiting() -> QuerySet[JournalHead]:
    return JournalHead.objects.filter(sequence__gt=0).filter(
        Q(account__follower_cursor=None) | Q(account__follower_cursor__sequence__lt=F("sequence"))
    )
