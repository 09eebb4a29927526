"""The exits of a period with all that a report cuts them by, as columns that the process keeps, in a fixed number of
queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import F, QuerySet
from numpy.typing import NDArray

from trading.domain.cuts import NONE, STILL_OPEN, Traded, TradedExit
from trading.domain.exit_columns import ExitColumns, Flags, Groups, local_columns
from trading.domain.exit_lists import ExitLists, lists_of
from trading.domain.exit_runs import Integers
from trading.models import Account, Instrument, Realisation, Review, Signal, SignalCondition, Strategy
from trading.queries.as_known import untouched
from trading.queries.columns import coded, fetched_columns, text, texts_of
from trading.queries.day_only import is_untimed
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.lines import DAY, FLAG, INSTANT, WHOLE, WORDS, flags, numbers, table_of, words
from trading.queries.statistics import Cut, retold_of
from trading.queries.trades import OPEN

BYTES_MAX = 256 * 2**20  # a million exits with ten conditions take about a hundred million bytes
COLUMNS = {
    **dict.fromkeys(("trade_id", "strategy_id", "instrument_id", "pnl", "charges"), WHOLE),
    **dict.fromkeys(("trade__realised_pnl", "trade__charges", "trade__initial_risk"), WHOLE),
    **dict.fromkeys(("at", "trade__opened_at", "trade__closed_at"), INSTANT),
    **dict.fromkeys(("trade__side", "trade__exit_reason", "trade__state", "trade__flags"), WORDS),
    "day": DAY,
    "closes": FLAG,
}
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
    rows = Realisation.objects.filter(**cut.lookups()).order_by()
    # Where all exits are of these days, asking for them would read a symbol's by an index of days: every symbol's.
    is_whole = not rows.filter(day__lt=first).exists() and not rows.filter(day__gt=last).exists()
    rows = rows if is_whole else rows.filter(day__gte=first, day__lte=last)
    narrowed = None if is_whole else rows
    if cut.known_at is not None:
        rows = rows.filter(untouched(cut.known_at, of="trade__"))
    table = table_of(rows, COLUMNS, by="day", stage="reading exits")
    trades, places = np.unique(numbers(table["trade_id"]), return_inverse=True)
    of_trade = places.reshape(-1).astype(np.int64)
    state, states = words(table["trade__state"])
    is_open = np.array([name == OPEN for name in states], dtype=bool)[state]
    has_ended = ~is_open & table["trade__closed_at"].is_valid().to_numpy()
    flags_of, flags_found = words(table["trade__flags"])
    opened_at, closed_at = numbers(table["trade__opened_at"]), numbers(table["trade__closed_at"])
    instrument_pks, traded = np.unique(numbers(table["instrument_id"]), return_inverse=True)
    strategy_pks, by_strategy = np.unique(numbers(table["strategy_id"]), return_inverse=True)
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    named = Instrument.objects.values_list("pk", "exchange__code", "symbol", "exchange__zone")
    instruments = {pk: (shown_symbol(exchange, symbol), zone) for pk, exchange, symbol, zone in named}
    zones = [instruments[pk][1] for pk in instrument_pks.tolist()]
    local = local_columns(traded, zones, opened_at, closed_at)
    return ExitLists(
        at=numbers(table["at"]),
        day=numbers(table["day"]),
        pnl=numbers(table["pnl"]),
        charges=numbers(table["charges"]),
        closes=flags(table["closes"]),
        has_ended=has_ended,
        is_day_only=np.array([is_untimed(flags) for flags in flags_found], dtype=bool)[flags_of],
        whole=numbers(table["trade__realised_pnl"]),
        costs=numbers(table["trade__charges"]),
        has_costs=table["trade__charges"].is_valid().to_numpy(),
        risk=numbers(table["trade__initial_risk"]),
        opened=opened_at,
        closed=closed_at,
        opened_local=local[0],
        closed_local=local[1],
        trade=of_trade,
        words={
            "strategy": Groups(by_strategy, [strategies[pk] for pk in strategy_pks.tolist()]),
            "symbol": Groups(traded, [instruments[pk][0] for pk in instrument_pks.tolist()]),
            "side": Groups(*words(table["trade__side"])),
            "exit_reason": _reasons(Groups(*words(table["trade__exit_reason"])), has_ended),
            "tag": _tag_groups(_tags(cut), trades, of_trade),
        },
        conditions=_numbered(trades, _conditions(cut, narrowed)) if with_conditions else {},
    )


def _reasons(reasons: Groups, has_ended: Flags) -> Groups:
    """Return the cut by exit reason; without one, a trade that has ended is apart from one that is open still."""
    codes, names = reasons
    if "" in names:
        codes = np.where((codes == names.index("")) & ~has_ended, len(names), codes)
    return Groups(codes, [*(name or NONE for name in names), STILL_OPEN])


def _tag_groups(tags: Mapping[int, tuple[str, ...]], trades: Integers, numbers: Integers) -> Groups:
    """Return the cut by tags; ``trades`` are keys, ascending, ``numbers`` the place of each exit's trade among them."""
    of_trade, names = coded([", ".join(sorted(words)) for words in tags.values()])
    keys = np.fromiter(tags, dtype=np.int64, count=len(tags))
    places = np.searchsorted(trades, keys)
    is_one = np.append(trades, -1)[places] == keys
    codes = np.zeros(len(trades), dtype=np.int64)
    codes[places[is_one]] = of_trade[is_one] + 1
    return Groups(codes[numbers], [NONE, *names])


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
    for pk, name, number in zip(*_conditions(cut), strict=True) if with_conditions else ():
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
    pks, tags = fetched_columns(Review.objects.filter(**of).values_list("trade_id", text("tags")))
    return {pk: texts_of(words) for pk, words in zip(pks, tags, strict=True) if texts_of(words)}


def _conditions(cut: Cut, exits: QuerySet[Realisation] | None = None) -> tuple[list[int], list[str], list[float]]:
    """Return the conditions of the signals that led to the trades of some exits (None: to all of the cut), as keys of
    trades, names and numbers; of two signals the first opened the trade, and comes first."""
    of = _of(cut, "signal__trade") | ({} if cut.known_at is None else {"signal__recorded_at__lt": cut.known_at})
    rows: QuerySet[SignalCondition] = SignalCondition.objects.all()
    if cut.strategy_id is None and cut.instrument_id is None and exits is None:
        del of["signal__trade__account"]
        # An expression has no index: conditions one after the other, each with its signal, take half as long as the
        # account's signals in an index's order, each with its conditions.
        rows = rows.alias(account=F("signal__account_id") + 0).filter(account=cut.account.pk)
    rows = rows.filter(**of, signal__trade__isnull=False)
    if exits is not None:  # to look each up takes a third of the time
        rows = rows.filter(signal__trade__in=exits.values("trade"))
    columns = rows.order_by().values_list("signal__trade_id", "name", "value")
    trades, names, numbers = fetched_columns(columns)
    codes, different = coded(names)
    pairs = np.sort(np.array(trades, dtype=np.int64) * (1 + len(different)) + codes)
    if not (pairs[1:] == pairs[:-1]).any():
        return trades, names, numbers
    # Seldom: sorting in the database would cost every reader as much again.
    trades, names, numbers, signals = fetched_columns(
        columns.values_list("signal__trade_id", "name", "value", "signal_id")
    )
    ats = dict(Signal.objects.filter(**_of(cut, "trade")).values_list("pk", text("at")))
    ranks = {signal: rank for rank, (_, signal) in enumerate(sorted((ats[signal], signal) for signal in set(signals)))}
    order = sorted(range(len(signals)), key=lambda place: ranks[signals[place]])
    trades, names, numbers = ([column[place] for place in order] for column in (trades, names, numbers))
    return trades, names, numbers


def _numbered(
    trades: Integers, rows: tuple[Sequence[int], Sequence[str], Sequence[float]]
) -> dict[str, NDArray[np.float64]]:
    """Return by condition its number of each of some trades (ascending keys), NaN where it has none."""
    keys, numbers = np.array(rows[0], dtype=np.int64)[::-1], np.array(rows[2], dtype=np.float64)[::-1]
    codes, names = coded(rows[1])
    places = np.searchsorted(trades, keys)
    is_one = np.append(trades, -1)[places] == keys
    conditions: dict[str, NDArray[np.float64]] = {}
    for code, name in enumerate(names):
        here = np.flatnonzero(is_one & (codes[::-1] == code))
        column = conditions[name] = np.full(len(trades), np.nan)
        column[places[here]] = numbers[here]  # of two the last that is written stays: the first of the signals
    return conditions


def _of(cut: Cut, path: str) -> dict[str, Account | str | int | datetime]:
    """Return the lookups of what belongs to the cut's trades; what was moved to another strategy since, too."""
    lookups = cut.lookups()
    if cut.known_at is not None:
        lookups.pop("strategy__code", None)
    return {f"{path}__{name}": sought for name, sought in lookups.items()}
