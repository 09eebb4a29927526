"""The conditions of the signals that led to trades, as columns: from what each signal recorded, all numbers at once.

A signal's conditions are one JSON object. Arrow parses those of many signals in half of the time that the rows of their
numbers take, of which there is one for each condition. Where objects differ in what they hold under one name, or where
several signals led to one trade, those rows tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from django.db.models import F, QuerySet, Subquery
from pyarrow import json

from trading.domain.conditions import NAME_MAX, NUMBER_MAX
from trading.domain.exit_runs import Floats, Integers, distinct
from trading.models import Account, Realisation, Signal, SignalCondition
from trading.progress import tell
from trading.queries.lines import INSTANT, REAL, WHOLE, WORDS, key_stretches, numbers, objects_of, table_of, words
from trading.queries.statistics import Cut

# By condition the keys of trades and the number of each; of two of one trade the last stands.
Recorded = Mapping[str, tuple[Integers, Floats]]
STAGE = "reading conditions"
TRADE, OF_CONDITION = "trade_id", "of "  # columns of a table; the second stands before a condition's own name


def recorded_conditions(cut: Cut, exits: QuerySet[Realisation] | None = None) -> Recorded:
    """Return the conditions of the signals that led to the trades of some exits (None: to all of the cut); of two
    signals the first opened the trade, and stands."""
    try:
        return _of_objects(_signals(cut, exits))
    except (pa.ArrowInvalid, _SeveralOfOne):
        return _of_numbers(cut, exits)


def numbers_of(trades: Integers, recorded: Recorded) -> dict[str, Floats]:
    """Return by condition its number of each of some trades (ascending keys), NaN where it has none."""
    conditions: dict[str, Floats] = {}
    for name, (keys, column) in recorded.items():
        places = np.searchsorted(trades, keys)
        is_one = np.append(trades, -1)[places] == keys
        of_trades = conditions[name] = np.full(len(trades), np.nan)
        of_trades[places[is_one]] = column[is_one]
    return conditions


def with_conditions(exits: pa.Table, recorded: Recorded) -> pa.Table:
    """Return exits, each with the conditions of its trade, NaN where that has none of a name."""
    trades, of_trade = distinct(numbers(exits[TRADE]))
    for name, column in numbers_of(trades, recorded).items():
        exits = exits.append_column(f"{OF_CONDITION}{name}", pa.array(column[of_trade]))
    return exits


def conditions_in(exits: pa.Table, size: int, of_trade: Integers) -> dict[str, Floats]:
    """Return `numbers_of` so many trades from exits `with_conditions`; ``of_trade`` numbers the trade of each exit."""
    conditions: dict[str, Floats] = {}
    for name in exits.column_names:
        if name.startswith(OF_CONDITION):
            of_trades = conditions[name.removeprefix(OF_CONDITION)] = np.full(size, np.nan)
            of_trades[of_trade] = exits[name].to_numpy()
    return conditions


class _SeveralOfOne(Exception):
    """One name or one trade has several numbers."""


def _signals(cut: Cut, exits: QuerySet[Realisation] | None) -> Iterator[QuerySet[Signal]]:
    """Yield the signals, some at a time."""
    rows = Signal.objects.filter(**lookups_of(cut, "trade", exits), trade__isnull=False)
    if cut.known_at is not None:
        rows = rows.filter(recorded_at__lt=cut.known_at)
    if exits is not None or cut.strategy_id is not None or cut.instrument_id is not None:
        yield rows
    else:
        # An expression has no index: signals one after the other take half as long as in an index's order.
        whole = Signal.objects.alias(owner=F("account_id") + 0).filter(owner=cut.account.pk, trade__isnull=False)
        yield from key_stretches(whole if cut.known_at is None else whole.filter(recorded_at__lt=cut.known_at))


def _of_objects(signals: Iterator[QuerySet[Signal]]) -> Recorded:
    """Return the numbers in the signals' JSON objects (`domain.conditions.numbers`).

    Raises: ArrowInvalid, _SeveralOfOne where they are not alike enough for columns.
    """
    parts: dict[str, list[tuple[Integers, Floats]]] = {}
    trades: list[Integers] = []
    for rows in signals:
        for (keys,), text in objects_of(rows, keys=["trade_id"], path="conditions"):
            trades.append(keys)
            tell(STAGE, sum(map(len, trades)))
            for name, column in _numeric(text.encode(), len(keys)).items():
                is_one = np.abs(column) < NUMBER_MAX  # of NaN, which is none, neither
                parts.setdefault(name, []).append((keys[is_one], column[is_one]))
    every = np.concatenate(trades) if trades else np.zeros(0, dtype=np.int64)
    if len(distinct(every)[0]) < len(every):
        raise _SeveralOfOne
    together = {
        name: (np.concatenate([keys for keys, _ in some]), np.concatenate([column for _, column in some]))
        for name, some in parts.items()
    }
    return {name: columns for name, columns in together.items() if len(columns[0])}


def _numeric(lines: bytes, size: int) -> dict[str, Floats]:
    """Return the columns of numbers and truths in lines of JSON objects, by dotted path; NaN where there is none."""
    options = json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    table = json.read_json(pa.py_buffer(lines), options)
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    if len(table) != size or len(set(table.column_names)) < len(table.column_names):  # "a.b", and "b" within "a"
        raise _SeveralOfOne
    columns: dict[str, Floats] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain = column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column
        is_numeric = pa.types.is_integer(plain.type) or pa.types.is_floating(plain.type)
        if is_numeric and 0 < len(name) <= NAME_MAX:
            columns[name] = plain.cast(pa.float64(), safe=False).to_numpy()
    return columns


def _of_numbers(cut: Cut, exits: QuerySet[Realisation] | None) -> Recorded:
    """Return what the rows of the conditions tell, in which a number stands alone."""
    of = lookups_of(cut, "signal__trade", exits)
    rows: QuerySet[SignalCondition] = SignalCondition.objects.filter(**of, signal__trade__isnull=False)
    if cut.known_at is not None:
        rows = rows.filter(signal__recorded_at__lt=cut.known_at)
    columns = {"signal__trade_id": WHOLE, "name": WORDS, "value": REAL, "signal_id": WHOLE, "signal__at": INSTANT}
    table = table_of(rows, columns, by=(), stage=STAGE)
    table = table.take(np.lexsort((numbers(table["signal_id"]), numbers(table["signal__at"])))[::-1])
    (codes, names), trades, column = words(table["name"]), numbers(table["signal__trade_id"]), table["value"].to_numpy()
    return {name: (trades[codes == code], column[codes == code]) for code, name in enumerate(names)}


def lookups_of(cut: Cut, path: str, exits: QuerySet[Realisation] | None) -> dict[str, Account | str | int | Subquery]:
    """Return the lookups of what belongs to the trades of some exits of the cut, or (None) to all of the cut's trades;
    what was moved to another strategy since, too."""
    if exits is not None:  # the cut's already: named beside them, SQLite would go through all trades of the account
        return {f"{path}__in": Subquery(exits.values("trade"))}
    lookups = cut.lookups()
    if cut.known_at is not None:
        lookups.pop("strategy__code", None)
    return {f"{path}__{name}": sought for name, sought in lookups.items()}
