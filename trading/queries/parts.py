"""The exits of a period with all that a report cuts them by, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField
from django.db.models.functions import Cast

from trading.domain.cuts import Part, Traded
from trading.domain.figures import ClosedTrade, Exit
from trading.models import Realisation, Review, SignalCondition
from trading.queries.as_known import untouched
from trading.queries.instruments import shown_symbol
from trading.queries.statistics import EXIT_MONEY, OPEN, Cut, retold_of

_COLUMNS = (
    *("trade_id", "at", "day", "closes", "strategy__code", "instrument__exchange__code", "instrument__symbol"),
    *("instrument__exchange__zone", "trade__side", "trade__state", "trade__exit_reason"),
    *("trade__opened_at", "trade__closed_at"),
)


def parts_of(cut: Cut, first: date, last: date, *, with_conditions: bool = False) -> list[Part]:
    """Return the exits of the days first..last, each with its trade; conditions only where they are asked for.

    A trade's conditions are those of the signals that led to it (booleans are 0 and 1), its tags those of its review.
    """
    chosen = {**cut.lookups(), "day__gte": first, "day__lte": last}
    rows = Realisation.objects.filter(**chosen).order_by()
    if cut.known_at is not None:
        rows = rows.filter(untouched(cut.known_at, of="trade__"))
    tags = _tags(cut)
    conditions = _conditions(cut) if with_conditions else {}
    money = {f"{name}_units": Cast(path, BigIntegerField()) for name, path in EXIT_MONEY.items()}
    found = rows.annotate(**money).values_list(*_COLUMNS, *money)
    return [*_parts(found, tags, conditions), *_retold(cut, first, last, tags, conditions)]


def _parts(rows: Any, tags: dict[int, tuple[str, ...]], conditions: dict[int, dict[str, float]]) -> Iterator[Part]:
    trades: dict[int, Traded] = {}
    zones: dict[str, ZoneInfo] = {}
    for trade_pk, at, day, closes, *of, opened_at, closed_at, pnl, charges, whole, known, risk in rows:
        trade = trades.get(trade_pk)
        if trade is None:
            strategy, exchange, symbol, zone, side, state, reason = of
            here = zones.get(zone) or zones.setdefault(zone, ZoneInfo(zone))
            ended = None if closed_at is None or state == OPEN else closed_at.astimezone(here)
            name = shown_symbol(exchange, symbol)
            trade = trades[trade_pk] = Traded(
                strategy, name, side, reason, opened_at.astimezone(here), ended,
                tags.get(trade_pk, ()), conditions.get(trade_pk, {}),
            )  # fmt: skip
        closed = None
        if closes and closed_at is not None:
            closed = ClosedTrade(whole, known, risk, (closed_at - opened_at).total_seconds())
        yield Part(Exit(at, day, pnl, charges, closed, trade.closed_at is None), trade)


def _retold(
    cut: Cut, first: date, last: date, tags: dict[int, tuple[str, ...]], conditions: dict[int, dict[str, float]]
) -> Iterator[Part]:
    """Yield the exits of the trades that were touched since, as they were known."""
    for known in retold_of(cut, cut.known_at) if cut.known_at is not None else ():
        pk, instrument = known.trade.pk, known.trade.instrument
        here = ZoneInfo(instrument.exchange.zone)
        trade = Traded(
            known.strategy_id, shown_symbol(instrument.exchange.code, instrument.symbol), known.trade.side,
            known.exit_reason, known.opened_at.astimezone(here),
            None if known.closed_at is None else known.closed_at.astimezone(here),
            tags.get(pk, ()), conditions.get(pk, {}),
        )  # fmt: skip
        yield from (Part(exit, trade) for exit in known.exits if first <= exit.day <= last)


def _tags(cut: Cut) -> dict[int, tuple[str, ...]]:
    """Of a review that was changed since, nobody knows the tags that it had."""
    of = _of(cut, "trade") | ({} if cut.known_at is None else {"reviewed_at__lt": cut.known_at})
    return {pk: tuple(tags) for pk, tags in Review.objects.filter(**of).values_list("trade_id", "tags") if tags}


def _conditions(cut: Cut) -> dict[int, dict[str, float]]:
    of = _of(cut, "signal__trade") | ({} if cut.known_at is None else {"signal__recorded_at__lt": cut.known_at})
    rows = SignalCondition.objects.filter(**of, signal__trade__isnull=False).order_by("signal__at", "signal_id")
    found: dict[int, dict[str, float]] = {}
    for pk, name, value in rows.values_list("signal__trade_id", "name", "value"):
        found.setdefault(pk, {}).setdefault(name, value)  # the first signal is the one that opened it
    return found


def _of(cut: Cut, path: str) -> dict[str, Any]:
    """Return the lookups of what belongs to the cut's trades; what was moved to another strategy since, too."""
    chosen = cut.lookups()
    if cut.known_at is not None:
        chosen.pop("strategy__code", None)
    return {f"{path}__{name}": value for name, value in chosen.items()}
