"""The exits of a period with all that a report cuts them by, in a fixed number of queries."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from trading.domain.cuts import Traded, TradedExit
from trading.domain.figures import ClosedTrade, Exit
from trading.models import Account, Instrument, Realisation, Review, SignalCondition, Strategy
from trading.queries.as_known import untouched
from trading.queries.columns import day_of, instant_of, text
from trading.queries.day_only import is_untimed
from trading.queries.instruments import shown_symbol
from trading.queries.statistics import EXIT_MONEY, EXIT_TIMES, Cut, retold_of
from trading.queries.trades import OPEN

_OF_TRADE = ("strategy_id", "instrument_id", "trade__side", "trade__exit_reason", "trade__state")


def parts_of(cut: Cut, first: date, last: date, *, with_conditions: bool = False) -> list[TradedExit]:
    """Return the exits of the days first..last, each with its trade; conditions only where they are asked for.

    A trade's conditions are those of the signals that led to it (booleans are 0 and 1), its tags those of its review.
    """
    exits: list[TradedExit] = []
    trades: dict[int, Traded] = {}
    tags, conditions = _tags(cut), _conditions(cut) if with_conditions else {}
    rows = Realisation.objects.filter(**cut.lookups(), day__gte=first, day__lte=last).order_by()
    if cut.known_at is not None:
        rows = rows.filter(untouched(cut.known_at, of="trade__"))
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    named = Instrument.objects.values_list("pk", "exchange__code", "symbol", "exchange__zone")
    instruments = {pk: (shown_symbol(exchange, symbol), ZoneInfo(zone)) for pk, exchange, symbol, zone in named}
    for (
        trade_pk, closes, *of_trade, flags, at_text, day, opened_text, closed_text, pnl, charges, whole, costs, risk,
    ) in (
        rows.values_list("trade_id", "closes", *_OF_TRADE, text("trade__flags"), *EXIT_TIMES, *EXIT_MONEY)
    ):  # fmt: skip
        at, opened_at, closed_at, trade = instant_of(at_text), instant_of(opened_text), None, trades.get(trade_pk)
        if closed_text is not None and of_trade[-1] != OPEN:
            closed_at = at if closed_text == at_text else instant_of(closed_text)
        if trade is None:
            strategy, instrument, side, reason, _ = of_trade
            symbol, zone = instruments[instrument]
            ended = None if closed_at is None else closed_at.astimezone(zone)
            trade = trades[trade_pk] = Traded(
                strategies[strategy], symbol, side, reason, opened_at.astimezone(zone), ended,
                tags.get(trade_pk, ()), conditions.get(trade_pk, {}), is_untimed(flags),
            )  # fmt: skip
        closed = None
        if closes and closed_at is not None:
            seconds = None if trade.is_day_only else (closed_at - opened_at).total_seconds()
            closed = ClosedTrade(whole, costs, risk, seconds)
        exits.append(TradedExit(Exit(at, day_of(day), pnl, charges, closed, closed_at is None), trade))
    for known_trade in retold_of(cut, cut.known_at) if cut.known_at is not None else ():
        pk = known_trade.trade.pk
        symbol, zone = instruments[known_trade.trade.instrument_id]
        trade = Traded(
            known_trade.strategy_id, symbol, known_trade.trade.side, known_trade.exit_reason,
            known_trade.opened_at.astimezone(zone),
            None if known_trade.closed_at is None else known_trade.closed_at.astimezone(zone),
            tags.get(pk, ()), conditions.get(pk, {}), known_trade.is_day_only,
        )  # fmt: skip
        exits += [TradedExit(exit, trade) for exit in known_trade.exits if first <= exit.day <= last]
    return exits


def _tags(cut: Cut) -> dict[int, tuple[str, ...]]:
    """Return the tags of the trades' reviews. Of one that was changed since, nobody knows the tags that it had."""
    of = _of(cut, "trade") | ({} if cut.known_at is None else {"reviewed_at__lt": cut.known_at})
    return {pk: tuple(tags) for pk, tags in Review.objects.filter(**of).values_list("trade_id", "tags") if tags}


def _conditions(cut: Cut) -> dict[int, dict[str, float]]:
    """Return the conditions of the signals that led to the trades; of two signals the first opened the trade."""
    of = _of(cut, "signal__trade") | ({} if cut.known_at is None else {"signal__recorded_at__lt": cut.known_at})
    rows = SignalCondition.objects.filter(**of, signal__trade__isnull=False).order_by("signal__at", "signal_id")
    conditions: dict[int, dict[str, float]] = {}
    for pk, name, number in rows.values_list("signal__trade_id", "name", "value"):
        conditions.setdefault(pk, {}).setdefault(name, number)
    return conditions


def _of(cut: Cut, path: str) -> dict[str, Account | str | int | datetime]:
    """Return the lookups of what belongs to the cut's trades; what was moved to another strategy since, too."""
    lookups = cut.lookups()
    if cut.known_at is not None:
        lookups.pop("strategy__code", None)
    return {f"{path}__{name}": sought for name, sought in lookups.items()}
