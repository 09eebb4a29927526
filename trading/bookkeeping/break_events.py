"""Rows of what became of breaks, with what the journal says of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trading import rows
from trading.bookkeeping import journal
from trading.domain.breaks import Break
from trading.domain.chain import JournalEntry
from trading.models import Account, BreakEvent, JournalHead

AT_ONCE = 500
COLUMNS = (
    *("id", "break_id", "event", "kind", "key", "day", "ledger", "broker", "hot", "proposal", "opened_at"),
    *("author", "reason"),
)


def event_of(
    difference: Break, event: BreakEvent.Event, *, opened_at: datetime, author: str = "", reason: str = ""
) -> BreakEvent:
    """Return the row of an event; `keep` writes it."""
    kept = difference.without_places()
    return BreakEvent(
        break_id=kept.id,
        event=event.value,
        kind=kept.kind.value,
        key=dict(kept.key),
        day=kept.day,
        ledger=None if kept.ledger is None else dict(kept.ledger),
        broker=None if kept.broker is None else dict(kept.broker),
        hot=None if kept.hot is None else dict(kept.hot),
        proposal=kept.proposal.as_dict(),
        opened_at=opened_at,
        author=author,
        reason=reason,
    )


def keep(
    account: Account, operation: str, events: Sequence[BreakEvent], *, now: datetime, by: str, head: JournalHead
) -> None:
    """Write events and tell the journal; the end of the account's chain is locked already."""
    for start in range(0, len(events), AT_ONCE):
        batch = events[start : start + AT_ONCE]
        for event in batch:
            event.account, event.recorded_at = account, now
        rows.insert_many(batch)
        body: JournalEntry = {"breaks": [{name: getattr(event, name) for name in COLUMNS} for event in batch]}
        journal.append(account, operation, body, now=now, by=by, head=head)
