"""The exits of a period with all that a report cuts them by, as columns that the process keeps, in a fixed number of
queries."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from trading.domain.cuts import NONE, STILL_OPEN, Traded, TradedExit
from trading.domain.exit_columns import ExitColumns, Groups, local_columns
from trading.domain.exit_lists import ExitLists, lists_of
from trading.domain.exit_runs import Flags, distinct
from trading.models import Instrument, Strategy
from trading.queries.condition_columns import recorded_conditions
from trading.queries.day_only import is_untimed
from trading.queries.exit_tables import WHOLE_OF_TRADE, Sought
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.lines import flags, numbers, words
from trading.queries.statistics import Cut, retold_of
from trading.queries.tag_columns import recorded_tags

BYTES_MAX = 256 * 2**20  # a million exits with ten conditions take about a hundred million bytes
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
    sought = Sought.of(cut, first, last)
    table = sought.table()
    trades, of_trade = distinct(numbers(table["trade_id"]))
    flags_of, flags_found = words(table["trade__flags"])
    at, opened_at, pnl, charges = (numbers(table[path]) for path in ("at", "trade__opened_at", "pnl", "charges"))
    is_repeat, has_charges = table["trade__realised_pnl"].is_null().to_numpy(), _is_there(table["charges"])
    whole, costs, closed_at = (
        np.where(is_repeat, of_exit, numbers(table[path]))
        for path, of_exit in zip(WHOLE_OF_TRADE, (pnl, charges, at), strict=True)
    )
    has_ended = is_repeat | _is_there(table["trade__closed_at"])  # the constraint `trade_open_has_quantity` holds it
    instrument_pks, traded = distinct(numbers(table["instrument_id"]))
    strategy_pks, by_strategy = distinct(numbers(table["strategy_id"]))
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    named = Instrument.objects.values_list("pk", "exchange__code", "symbol", "exchange__zone")
    instruments = {pk: (shown_symbol(exchange, symbol), zone) for pk, exchange, symbol, zone in named}
    zones = [instruments[pk][1] for pk in instrument_pks.tolist()]
    local = local_columns(traded, zones, opened_at, closed_at)
    return ExitLists(
        at=at,
        day=numbers(table["day"]),
        pnl=pnl,
        charges=charges,
        closes=flags(table["closes"]),
        has_ended=has_ended,
        is_day_only=np.array([is_untimed(flags) for flags in flags_found], dtype=bool)[flags_of],
        whole=whole,
        costs=costs,
        has_costs=np.where(is_repeat, has_charges, _is_there(table["trade__charges"])),
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
            "tag": sought.tags(table, trades, of_trade),
        },
        conditions=sought.conditions(table, trades, of_trade) if with_conditions else {},
    )


def _is_there(column: pa.ChunkedArray) -> Flags:
    there: Flags = column.is_valid().to_numpy()
    return there


def _reasons(reasons: Groups, has_ended: Flags) -> Groups:
    """Return the cut by exit reason; without one, a trade that has ended is apart from one that is open still."""
    codes, names = reasons
    if "" in names:
        codes = np.where((codes == names.index("")) & ~has_ended, len(names), codes)
    return Groups(codes, [*(name or NONE for name in names), STILL_OPEN])


def _retold(cut: Cut, first: date, last: date, *, with_conditions: bool) -> list[TradedExit]:
    """Return the exits of the trades that were touched since, as they were known."""
    exits: list[TradedExit] = []
    if cut.known_at is None:
        return exits
    zones = dict(Instrument.objects.values_list("pk", "exchange__zone"))
    names = {
        pk: shown_symbol(*named) for pk, *named in Instrument.objects.values_list("pk", "exchange__code", "symbol")
    }
    tags = recorded_tags(cut)
    conditions: dict[int, dict[str, float]] = {}
    for name, columns in (recorded_conditions(cut) if with_conditions else {}).items():
        for pk, number in zip(*(column.tolist() for column in columns), strict=True):
            conditions.setdefault(pk, {})[name] = number
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
