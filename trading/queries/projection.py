"""How far the follower has come behind the journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import DatabaseError

from trading.models import FollowerCursor, JournalHead
from trading.rows import utc

# Asked with every look at the desk's health: the ORM would take ten times as long.
_BEHIND = """
    SELECT account.code, head.sequence - coalesce(cursor.sequence, 0), (
        SELECT recorded_at FROM trading_journal
        WHERE account_id = head.account_id AND sequence = coalesce(cursor.sequence, 0) + 1
    )
    FROM trading_journalhead head
    JOIN trading_account account ON account.id = head.account_id
    LEFT JOIN trading_followercursor cursor ON cursor.account_id = head.account_id
    WHERE head.sequence > coalesce(cursor.sequence, 0)
    ORDER BY account.code
"""


class Lag(NamedTuple):
    """The rows of an account's journal that are no points yet, and when the oldest of them was recorded."""

    account: str
    rows: int
    oldest_at: datetime


def is_behind() -> bool:
    """Tell whether an account's journal has rows that are no points yet; False where there is no ledger."""
    try:
        return bool(_waiting())
    except DatabaseError:
        return False


def journal_ends() -> dict[int, int]:
    """Return the last sequence of each account's journal by the account's key; none where there is no ledger."""
    try:
        return dict(JournalHead.objects.values_list("account_id", "sequence"))
    except DatabaseError:
        return {}


def unprojected(ends: Mapping[int, int]) -> int:
    """Return how many rows up to these ends (`journal_ends`) are no points yet. Raises: DatabaseError."""
    if not ends:
        return 0
    cursors = dict(FollowerCursor.objects.values_list("account_id", "sequence"))
    return sum(max(0, end - cursors.get(account, 0)) for account, end in ends.items())


def projection_lags() -> list[Lag]:
    """Return how far each account that is behind is; none where all is projected. Raises: DatabaseError."""
    return [Lag(code, rows, utc(oldest_at)) for code, rows, oldest_at in _waiting() if oldest_at is not None]


def _waiting() -> list[tuple[str, int, str | datetime | None]]:
    """Return each account that is behind, by how many rows, and when the oldest of them was recorded."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(_BEHIND)
        return list(cursor.fetchall())
