"""Keeping what a reconciliation has named: breaks that are new, that differ otherwise by now, and that are gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from trading.bookkeeping import break_events, journal
from trading.domain.breaks import Break, OpenBreak
from trading.domain.reconciliation import Reconciliation
from trading.models import BreakEvent
from trading.queries.open_breaks import break_of, newest_events, open_breaks
from trading.transactions import writing

GONE = "It was compared again and is gone."
Event = BreakEvent.Event


@dataclass(slots=True)
class RecordedBreaks:
    """The breaks that are open by now, the oldest first, and those that this run has seen gone."""

    open: list[OpenBreak] = field(default_factory=list)
    closed: list[OpenBreak] = field(default_factory=list)


def record_breaks(reconciliation: Reconciliation, *, as_of: datetime, by: str = "") -> RecordedBreaks:
    """Keep the breaks of a run that began ``as_of``; nothing else is booked, and the same run again changes nothing.

    A break keeps the age of its first sight. One that this run compared and did not see is closed; one that a person
    accepted as it is opens anew only once it differs otherwise. What was settled after ``as_of`` stays settled.

    Raises: UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(reconciliation.account)
        standing = {event.break_id: event for event in newest_events(account).exclude(event=Event.CLOSED)}
        events = []
        for each in reconciliation.breaks:
            event = _event_of(each.without_places(), standing.pop(each.id, None), as_of=as_of, now=now)
            if event is not None:
                events.append(event)
        causes = {each.difference.id: each.cause for each in reconciliation.following}
        recorded = RecordedBreaks()
        for before in standing.values():
            difference = break_of(before)
            is_compared = reconciliation.scope.has(difference)
            if before.event == Event.APPROVED or before.recorded_at > as_of or not is_compared:
                continue
            cause = causes.get(before.break_id)
            reason = GONE if cause is None else f"It follows from break {cause}."
            events.append(break_events.event_of(difference, Event.CLOSED, opened_at=before.opened_at, reason=reason))
            if before.event in BreakEvent.OPEN:
                recorded.closed.append(OpenBreak(difference, before.opened_at))
        if events:
            break_events.keep(account, "record_breaks", events, now=now, by=by, head=head)
        recorded.open = open_breaks(account)
    return recorded


def _event_of(each: Break, before: BreakEvent | None, *, as_of: datetime, now: datetime) -> BreakEvent | None:
    """Return the event that a break makes which was seen; None where it stands as it was, or was settled since."""
    if before is None:
        return break_events.event_of(each, Event.OPENED, opened_at=now)
    if before.recorded_at > as_of:
        return None
    earlier = break_of(before)
    is_same = (earlier.ledger, earlier.broker, earlier.hot) == (each.ledger, each.broker, each.hot)
    if before.event in BreakEvent.OPEN:
        if is_same and earlier.proposal == each.proposal:
            return None
        return break_events.event_of(each, Event.CHANGED, opened_at=before.opened_at)
    if before.event == Event.ACCEPTED and is_same:
        return None
    return break_events.event_of(each, Event.OPENED, opened_at=now)
