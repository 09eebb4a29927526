"""The exits of a period with all that a report cuts them by, as columns that the process keeps, in a fixed number of
queries."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from trading.domain.cuts import NONE, STILL_OPEN, Traded, TradedExit
from trading.domain.exit_columns import ExitColumns, local_micros
from trading.domain.exit_lists import ExitLists, lists_of
from trading.models import Account, Instrument, Realisation, Review, SignalCondition, Strategy
from trading.queries.as_known import untouched
from trading.queries.columns import fetched, instants_of, ordinals_of, text, texts_of
from trading.queries.day_only import is_untimed
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.statistics import EXIT_MONEY, EXIT_TIMES, Cut, retold_of
from trading.queries.trades import OPEN

BYTES_MAX = 256 * 2**20  # a million exits with ten conditions take about a hundred million bytes
COLUMNS = 17
_OF_TRADE = ("strategy_id", "instrument_id", "trade__side", "trade__exit_reason", "trade__state")
_kept_columns: KeptAnswers[ExitColumns] = KeptAnswers(BYTES_MAX, lambda columns: columns.nbytes)


def exits_as_columns(cut: Cut, first: date, last: date, *, with_conditions: bool = False) -> ExitColumns:
    """Return the exits of the days first..last, each with its trade; conditions only where they are asked for.

    A trade's conditions are those of the signals that led to it (booleans are 0 and 1), its tags those of its review.
    """
    if cut.known_at is not None:
        lists = _lists(cut, first, last, with_conditions=with_conditions)
        return lists.joined(lists_of(_retold(cut, first, last, with_conditions=with_conditions))).columns()
    question = cut.strategy_id, cut.instrument_id, first, last, with_conditions
    return _kept_columns.of(
        cut.account, question, lambda: _lists(cut, first, last, with_conditions=with_conditions).columns()
    )


def _lists(cut: Cut, first: date, last: date, *, with_conditions: bool) -> ExitLists:
    rows = Realisation.objects.filter(**cut.lookups(), day__gte=first, day__lte=last).order_by()
    if cut.known_at is not None:
        rows = rows.filter(untouched(cut.known_at, of="trade__"))
    columns = ("trade_id", "closes", *_OF_TRADE)
    table = fetched(rows.values_list(*columns, text("trade__flags"), *EXIT_TIMES, *EXIT_MONEY))
    (
        trade_pks, closes, strategy_pks, instrument_pks, sides, reasons, states, flags,
        at, days, opened, closed, pnls, charges, whole, costs, risks,
    ) = zip(*table, strict=True) if table else ((),) * COLUMNS  # fmt: skip
    trades, numbers = np.unique(np.array(trade_pks, dtype=np.int64), return_inverse=True)
    numbers = numbers.reshape(-1)
    ended = [at is not None and state != OPEN for at, state in zip(closed, states, strict=True)]
    untimed = {words: is_untimed(words) for words in set(flags)}
    opened_at, closed_at = instants_of(opened), instants_of(closed)
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    named = Instrument.objects.values_list("pk", "exchange__code", "symbol", "exchange__zone")
    instruments = {pk: (shown_symbol(exchange, symbol), zone) for pk, exchange, symbol, zone in named}
    tags = {pk: ", ".join(sorted(of_trade)) for pk, of_trade in _tags(cut).items()}
    local = _local(np.array(instrument_pks, dtype=np.int64), instruments, opened_at, closed_at)
    return ExitLists(
        at=instants_of(at),
        day=ordinals_of(days),
        pnl=pnls,
        charges=charges,
        closes=np.array(closes, dtype=bool),
        has_ended=np.array(ended, dtype=bool),
        is_day_only=np.array([untimed[words] for words in flags], dtype=bool),
        whole=whole,
        costs=costs,
        risk=risks,
        opened=opened_at,
        closed=closed_at,
        opened_local=local[0],
        closed_local=local[1],
        trade=numbers.astype(np.int64),
        words={
            "strategy": [strategies[pk] for pk in strategy_pks],
            "symbol": [instruments[pk][0] for pk in instrument_pks],
            "side": sides,
            "exit_reason": [
                reason or (NONE if has_ended else STILL_OPEN) for reason, has_ended in zip(reasons, ended, strict=True)
            ],
            "tag": [tags.get(pk, NONE) for pk in trade_pks],
        },
        conditions=_numbered(trades, _conditions(cut, first, last)) if with_conditions else {},
    )


def _local(
    instrument_pks: NDArray[np.int64], instruments: dict[int, tuple[str, str]], *instants: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    """Return each column of instants on the clocks of the instruments' exchanges."""
    local = [column.copy() for column in instants]
    zones: dict[str, list[int]] = {}
    for pk in np.unique(instrument_pks).tolist():
        zones.setdefault(instruments[pk][1], []).append(pk)
    for zone, pks in zones.items():
        places = np.isin(instrument_pks, pks)
        for column, on_the_wall in zip(instants, local, strict=True):
            on_the_wall[places] = local_micros(column[places], ZoneInfo(zone))
    return local


def _retold(cut: Cut, first: date, last: date, *, with_conditions: bool) -> list[TradedExit]:
    """Return the exits of the trades that were touched since, as they were known."""
    exits: list[TradedExit] = []
    if cut.known_at is None:
        return exits
    zones = dict(Instrument.objects.values_list("pk", "exchange__zone"))
    names = {
        pk: shown_symbol(*named) for pk, *named in Instrument.objects.values_list("pk", "exchange__code", "symbol")
    }
    tags = _tags(cut)
    conditions: dict[int, dict[str, float]] = {}
    for pk, name, number in _conditions(cut, None, None) if with_conditions else ():
        conditions.setdefault(pk, {}).setdefault(name, number)
    for known_trade in retold_of(cut, cut.known_at):
        pk, instrument = known_trade.trade.pk, known_trade.trade.instrument_id
        zone = ZoneInfo(zones[instrument])
        trade = Traded(
            known_trade.strategy_id, names[instrument], known_trade.trade.side, known_trade.exit_reason,
            known_trade.opened_at.astimezone(zone),
            None if known_trade.closed_at is None else known_trade.closed_at.astimezone(zone),
            tags.get(pk, ()), conditions.get(pk, {}), known_trade.is_day_only,
        )  # fmt: skip
        exits += [TradedExit(exit, trade) for exit in known_trade.exits if first <= exit.day <= last]
    return exits


def _tags(cut: Cut) -> dict[int, tuple[str, ...]]:
    """Return the tags of the trades' reviews. Of one that was changed since, nobody knows the tags that it had."""
    of = _of(cut, "trade") | ({} if cut.known_at is None else {"reviewed_at__lt": cut.known_at})
    rows = fetched(Review.objects.filter(**of).values_list("trade_id", text("tags")))
    return {pk: texts_of(tags) for pk, tags in rows if texts_of(tags)}


def _conditions(cut: Cut, first: date | None, last: date | None) -> list[tuple[int, str, float]]:
    """Return the conditions of the signals that led to the trades with an exit on these days, as (trade, name, number);
    of two signals the first opened the trade."""
    of = _of(cut, "signal__trade") | ({} if cut.known_at is None else {"signal__recorded_at__lt": cut.known_at})
    rows = SignalCondition.objects.filter(**of, signal__trade__isnull=False)
    if first is not None and last is not None:
        exits = Realisation.objects.filter(**cut.lookups(), day__gte=first, day__lte=last).order_by()
        rows = rows.filter(signal__trade__in=exits.values("trade"))
    ordered = rows.order_by("signal__at", "signal_id")
    return [
        (pk, name, number) for pk, name, number in fetched(ordered.values_list("signal__trade_id", "name", "value"))
    ]


def _numbered(trades: NDArray[np.int64], rows: list[tuple[int, str, float]]) -> dict[str, NDArray[np.float64]]:
    """Return by condition its number of each of some trades (ascending keys), NaN where it has none."""
    if not rows:
        return {}
    pks, names, numbers = zip(*rows[::-1], strict=True)
    keys, of_rows = np.array(pks, dtype=np.int64), np.array(numbers, dtype=np.float64)
    codes = {name: code for code, name in enumerate(dict.fromkeys(names))}
    code_of_rows = np.fromiter(map(codes.__getitem__, names), dtype=np.int64, count=len(names))
    places = np.searchsorted(trades, keys)
    is_one = np.append(trades, -1)[places] == keys
    conditions: dict[str, NDArray[np.float64]] = {}
    for name, code in codes.items():
        here = np.flatnonzero(is_one & (code_of_rows == code))
        column = conditions[name] = np.full(len(trades), np.nan)
        column[places[here]] = of_rows[here]  # of two the last that is written stays: the first of the signals
    return conditions


def _of(cut: Cut, path: str) -> dict[str, Account | str | int | datetime]:
    """Return the lookups of what belongs to the cut's trades; what was moved to another strategy since, too."""
    lookups = cut.lookups()
    if cut.known_at is not None:
        lookups.pop("strategy__code", None)
    return {f"{path}__{name}": sought for name, sought in lookups.items()}
