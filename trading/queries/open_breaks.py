"""The breaks of an account as they were kept: which are open and since when, and what became of others."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from django.db.models import Max, QuerySet

from trading.domain.breaks import Break, BreakKind, OpenBreak, Proposal, Remedy, oldest_first
from trading.models import Account, BreakEvent


def newest_events(account: Account, break_ids: Collection[str] | None = None) -> QuerySet[BreakEvent]:
    """Return the newest event of each of an account's breaks, or of some."""
    events = BreakEvent.objects.filter(account=account)
    if break_ids is not None:
        events = events.filter(break_id__in=break_ids)
    newest = events.order_by().values("break_id").annotate(newest=Max("pk")).values("newest")
    return BreakEvent.objects.filter(pk__in=newest)


def break_of(event: BreakEvent) -> Break:
    """Return the break as it stood at an event."""
    proposal = event.proposal
    return Break(
        kind=BreakKind(event.kind),
        key=event.key,
        day=event.day if isinstance(event.day, date) else date.fromisoformat(event.day),
        ledger=event.ledger,
        broker=event.broker,
        proposal=Proposal(Remedy(proposal["action"]), proposal["text"], proposal["arguments"]),
        hot=event.hot,
    )


def open_breaks(account: Account) -> list[OpenBreak]:
    """Return the breaks that are open, the longest open first, then by the day that they are of."""
    events = newest_events(account).filter(event__in=BreakEvent.OPEN)
    opened = {event.break_id: event.opened_at for event in events}
    breaks = [OpenBreak(each, opened[each.id]) for each in oldest_first(break_of(event) for event in events)]
    return sorted(breaks, key=lambda each: each.opened_at)


def settled_breaks(account: Account, limit: int) -> list[BreakEvent]:
    """Return the newest events by which breaks were settled: approved, accepted as they are, or gone by themselves."""
    events = BreakEvent.objects.filter(account=account).exclude(event__in=BreakEvent.OPEN)
    return list(events.order_by("-pk")[:limit])
