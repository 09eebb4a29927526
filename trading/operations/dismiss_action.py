"""Dismissing a corporate action that a broker's file proposes: nothing is booked of it."""

from __future__ import annotations

from datetime import UTC, datetime

from trading.bookkeeping import correcting
from trading.bookkeeping.deciding import action_of, decide, is_decided
from trading.transactions import writing


def dismiss_action(action_pk: int, *, by: str, reason: str) -> None:
    """Keep that a proposed action needs no booking, as one that stands in two files; the same again changes nothing.

    Raises: InvalidValue, IdConflict where it was booked, LedgerBusy, LedgerNotReady.
    """
    by, reason = correcting.author(by), correcting.why(reason)
    with writing():
        action = action_of(action_pk)
        if not is_decided(action, ""):
            decide(action, "", by=by, reason=reason, now=datetime.now(UTC))
