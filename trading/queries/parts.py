"""The exits of a period with all that a report cuts them by, as columns that the process keeps, in a fixed number of
queries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import F, QuerySet

from trading.domain.cuts import NONE, STILL_OPEN, Traded, TradedExit
from trading.domain.exit_columns import ExitColumns, Groups, distinct, local_columns
from trading.domain.exit_lists import ExitLists, lists_of
from trading.domain.exit_runs import Flags, Floats, Integers
from trading.models import Account, Instrument, Realisation, Review, SignalCondition, Strategy
from trading.queries.as_known import untouched
from trading.queries.columns import coded, fetched_columns, text, texts_of
from trading.queries.day_only import is_untimed
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.lines import (
    DAY,
    FLAG,
    INSTANT,
    REAL,
    WHOLE,
    WORDS,
    flags,
    numbers,
    table_by_key,
    table_of,
    words,
)
from trading.queries.statistics import Cut, retold_of

BYTES_MAX = 256 * 2**20  # a million exits with ten conditions take about a hundred million bytes
COLUMNS = {
    **dict.fromkeys(("trade_id", "strategy_id", "instrument_id", "pnl", "charges"), WHOLE),
    **dict.fromkeys(("trade__realised_pnl", "trade__charges", "trade__initial_risk"), WHOLE),
    **dict.fromkeys(("at", "trade__opened_at", "trade__closed_at"), INSTANT),
    **dict.fromkeys(("trade__side", "trade__exit_reason", "trade__flags"), WORDS),
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
    table = table_of(rows, COLUMNS, by=("day", "strategy_id"), stage="reading exits")
    trades, of_trade = distinct(numbers(table["trade_id"]))
    has_ended = table["trade__closed_at"].is_valid().to_numpy()  # the constraint `trade_open_has_quantity` holds it
    flags_of, flags_found = words(table["trade__flags"])
    opened_at, closed_at = numbers(table["trade__opened_at"]), numbers(table["trade__closed_at"])
    instrument_pks, traded = distinct(numbers(table["instrument_id"]))
    strategy_pks, by_strategy = distinct(numbers(table["strategy_id"]))
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
    if with_conditions:
        *columns, names_of_conditions = _conditions(cut)
        for pk, code, number in zip(*(column.tolist() for column in columns), strict=True):
            conditions.setdefault(pk, {})[names_of_conditions[code]] = number
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


class Recorded(NamedTuple):
    """Conditions, an entry each: the trade's key, the number of its name, and its number; and the names."""

    trades: Integers
    codes: Integers
    numbers: Floats
    names: list[str]


def _conditions(cut: Cut, exits: QuerySet[Realisation] | None = None) -> Recorded:
    """Return the conditions of the signals that led to the trades of some exits (None: to all of the cut); of two
    signals the first opened the trade, and comes last."""
    of = _of(cut, "signal__trade") | ({} if cut.known_at is None else {"signal__recorded_at__lt": cut.known_at})
    rows: QuerySet[SignalCondition] = SignalCondition.objects.all()
    is_whole = cut.strategy_id is None and cut.instrument_id is None and exits is None
    if is_whole:
        del of["signal__trade__account"]
        # An expression has no index: conditions one after the other, each with its signal, take half as long as the
        # account's signals in an index's order, each with its conditions.
        rows = rows.alias(account=F("signal__account_id") + 0).filter(account=cut.account.pk)
    rows = rows.filter(**of, signal__trade__isnull=False)
    if exits is not None:  # to look each up takes a third of the time
        rows = rows.filter(signal__trade__in=exits.values("trade"))
    columns, stage = {"signal__trade_id": WHOLE, "name": WORDS, "value": REAL}, "reading conditions"
    table = table_by_key(rows, columns, stage=stage) if is_whole else table_of(rows, columns, by=(), stage=stage)
    trades, (codes, _) = numbers(table["signal__trade_id"]), words(table["name"])
    pairs = codes * (1 + int(trades.max(initial=0))) + trades
    if len(distinct(pairs)[0]) < len(pairs):  # seldom: sorting in the database would cost every reader as much again
        table = table_of(rows, columns | {"signal_id": WHOLE, "signal__at": INSTANT}, by=(), stage=stage)
        table = table.take(np.lexsort((numbers(table["signal_id"]), numbers(table["signal__at"])))[::-1])
    codes, names = words(table["name"])
    return Recorded(numbers(table["signal__trade_id"]), codes, table["value"].to_numpy(), names)


def _numbered(trades: Integers, recorded: Recorded) -> dict[str, Floats]:
    """Return by condition its number of each of some trades (ascending keys), NaN where it has none."""
    places = np.searchsorted(trades, recorded.trades)
    is_one = np.append(trades, -1)[places] == recorded.trades
    conditions: dict[str, Floats] = {}
    for code, name in enumerate(recorded.names):
        here = np.flatnonzero(is_one & (recorded.codes == code))
        column = conditions[name] = np.full(len(trades), np.nan)
        column[places[here]] = recorded.numbers[here]  # of two the last that is written stays
    return conditions


def _of(cut: Cut, path: str) -> dict[str, Account | str | int | datetime]:
    """Return the lookups of what belongs to the cut's trades; what was moved to another strategy since, too."""
    lookups = cut.lookups()
    if cut.known_at is not None:
        lookups.pop("strategy__code", None)
    return {f"{path}__{name}": sought for name, sought in lookups.items()}
