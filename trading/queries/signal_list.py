"""Signals as the pages list them: filtered, the newest first; no query per row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.db.models import QuerySet

from trading.models import Account, Instrument, Signal, Strategy
from trading.queries.day import day_bounds
from trading.queries.instruments import is_named, shown_symbol
from trading.queries.kept_statements import ACCOUNT, KeptModels, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFilter:
    """What a list is narrowed to; an empty value narrows nothing. ``first`` and ``last`` are days at the desk."""

    strategy: str = ""
    symbol: str = ""
    decision: str = ""
    reason: str = ""
    first: date | None = None
    last: date | None = None


def signalled_names(account: Account) -> tuple[list[str], list[str]]:
    """Return the strategies and the symbols that the account has signals of, in order."""
    # Pairs, as an index has them: a question for each would look at every signal.
    pairs = Signal.objects.filter(account=account).order_by().values_list("strategy_id", "instrument_id").distinct()
    strategies, instruments = (set(pks) for pks in zip(*pairs, strict=True)) if pairs else (set(), set())
    codes = Strategy.objects.filter(pk__in=strategies).order_by("code").values_list("code", flat=True)
    named = Instrument.objects.filter(pk__in=instruments).values_list("exchange__code", "symbol")
    return list(codes), sorted(shown_symbol(exchange, symbol) for exchange, symbol in named)


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
    return _shown(rows)


def day_signals(account: Account, day: date, *, latest: int) -> list[Signal]:
    """Return so many of a day's newest signals, the newest first, with all that a row needs."""
    start, stop = day_bounds(day)
    return _newest(latest).of(account, start=start, stop=stop)


@lru_cache(maxsize=16)
def _newest(latest: int) -> KeptModels[Signal]:
    of_day = Signal.objects.filter(account=ACCOUNT, at__gte=Slot("start"), at__lt=Slot("stop"))
    return KeptModels(lambda: _shown(of_day)[:latest])


def _shown(rows: QuerySet[Signal]) -> QuerySet[Signal]:
    return rows.select_related("strategy", "instrument__exchange", "trade").order_by("-at", "-pk")
