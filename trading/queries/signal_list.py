"""Signals as the pages list them: filtered, the newest first; no query per row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from trading.models import Account, Signal
from trading.queries.day import day_bounds
from trading.queries.instruments import is_named


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFilter:
    """What a list is narrowed to; an empty value narrows nothing. ``first`` and ``last`` are days at the desk."""

    strategy: str = ""
    symbol: str = ""
    decision: str = ""
    reason: str = ""
    first: date | None = None
    last: date | None = None


def listed_signals(account: Account, filters: SignalFilter) -> QuerySet[Signal]:
    """Return the account's signals under a filter, the newest first, with all that a row needs."""
    lookups = {
        "strategy__code": filters.strategy,
        "decision": filters.decision,
        "reason__icontains": filters.reason,
        "at__gte": None if filters.first is None else day_bounds(filters.first)[0],
        "at__lt": None if filters.last is None else day_bounds(filters.last)[1],
    }
    rows = Signal.objects.filter(account=account, **{name: sought for name, sought in lookups.items() if sought})
    rows = rows.filter(is_named(filters.symbol, of="instrument")) if filters.symbol else rows
    return rows.select_related("strategy", "instrument__exchange", "trade").order_by("-at", "-pk")
