"""The columns' way of ticks: many rows checked and framed with a few operations per column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from operator import attrgetter, sub
from typing import Protocol, TypedDict, TypeGuard
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.errors import InvalidValue
from timeseries.measurements import Column, FloatArray, IntArray, Mask
from timeseries.recording.tick import KEYS, NO_QUOTE, QUOTES, TIMESTAMP, MayBeNegative, Shape, read_tick, shape_of
from timeseries.recording.writer import LaneWriter
from timeseries.spool.feed_keys import TIMES, UNCERTAIN
from timeseries.spool.frames import TickLayout
from timeseries.spool.ordinals import NextOrdinal, Series
from timeseries.values import AHEAD_NS, EPOCH, FIRST_NS, MICROSECOND, Input, ParseSymbol, TickDict, parse_time, wall_day

INTEGER_MAX = 2**53
DAY_US = 86_400 * 10**6
ROWS_AT_ONCE = 4096  # they stay in the processor's cache from the first look to the last
DAYS_MAX = 100_000  # the calendar goes on, the clock does not
BLOCK_MIN = 256  # fewer instants are remembered one by one
NO_SYMBOL = ("no_symbol", "Give each row a symbol, or all of them one.")
WANTED = {*KEYS, *TIMES, *UNCERTAIN, TIMESTAMP, "symbol"}
UNSET = -(2**63)  # a time that the column's way could not tell: the row is read by itself

Rejected = tuple[int, str, str]  # a row's index, the error's code and its hint
ColumnCells = Sequence[Input] | Column


class HasArray(Protocol):
    """A column of another library that gives itself as an array: a Series, an Arrow array."""

    def to_numpy(self) -> Column: ...


ColumnInput = ColumnCells | HasArray


@dataclass(frozen=True)
class TickBatch:
    """The outcome of many ticks: how many were accepted, and each ``rejected`` one's (index, code, hint), by index."""

    accepted: int
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True)
class TickColumns:
    """Ticks as columns of one length, of those names that mean something here."""

    columns: dict[str, ColumnCells]
    symbol: str | None
    length: int

    def rows(self) -> Iterator[dict[str, Input]]:
        """Yield the rows as dicts."""
        names = list(self.columns)
        for cells in zip(*self.columns.values(), strict=True):
            yield dict(zip(names, cells, strict=True))

    def row(self, index: int) -> dict[str, Input]:
        """Return one row as a dict."""
        return {name: column[index] for name, column in self.columns.items()}

    def part(self, start: int, stop: int) -> TickColumns:
        """Return the rows from ``start`` to before ``stop``."""
        columns = {name: column[start:stop] for name, column in self.columns.items()}
        return TickColumns(columns, self.symbol, min(stop, self.length) - start)


def given_columns(ticks: Mapping[str, ColumnInput], symbol: str | None) -> TickColumns:
    """Return a caller's columns; names that mean nothing here are ignored, as keys of a tick are.

    Raises:
        InvalidValue: no columns, or of different lengths, or one that is neither a sequence nor a flat array.
    """
    columns: dict[str, ColumnCells] = {}
    for name, column in ticks.items():
        if name not in WANTED:
            continue
        cells = column.to_numpy() if hasattr(column, "to_numpy") else column
        if isinstance(cells, np.ndarray) and cells.ndim == 1:
            columns[name] = cells.tolist() if cells.dtype == object else cells
        elif isinstance(cells, Sequence) and not isinstance(cells, str | bytes):
            columns[name] = cells
        else:
            raise InvalidValue(f"{name} must be a column: a list or a one-dimensional array.", field=name)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise InvalidValue("Ticks in columns need columns of one length.", field="ticks")
    return TickColumns(columns, symbol, lengths.pop())


def columns_of(rows: Sequence[TickDict], symbol: str | None) -> TickColumns | None:
    """Return dicts that all have the same keys as columns; None where they have not."""
    if set(map(type, rows)) != {dict}:
        return None
    keys = rows[0].keys()
    wanted = [name for name in keys if name in WANTED]
    if len(wanted) == len(keys):
        if set(map(len, rows)) != {len(keys)}:
            return None
    elif len(set(map(tuple, rows))) != 1:
        return None
    try:
        return TickColumns({name: [row[name] for row in rows] for name in wanted}, symbol, len(rows))
    except KeyError:
        return None


@dataclass(frozen=True)
class Batch:
    """Rows that all may be recorded, in order: ``values`` has one row each, ``symbols`` indexes ``names``.

    Shapes: every array has one entry per row, ``values`` also one column per field of the layout.
    """

    layout: TickLayout
    values: FloatArray
    instants: IntArray
    symbols: IntArray
    names: list[str]
    indexes: IntArray  # where each row stood in the input
    rejected: list[Rejected]


class _Reading(TypedDict):
    """How `read_tick` is to read a row."""

    cumulative: bool
    may_be_negative: MayBeNegative


def read_columns(
    columns: TickColumns,
    *,
    cumulative: bool,
    zone: ZoneInfo,
    now: int,
    may_be_negative: MayBeNegative,
    parse_symbol: ParseSymbol,
) -> Batch | None:
    """Return the rows of the columns that may be recorded; None where their types are read row by row."""
    shape = shape_of(columns.columns, cumulative=cumulative)
    if shape is None or not columns.length or shape.time in TIMES:
        return None
    numbers = {name: _numbers(column) for name, column in columns.columns.items() if name in KEYS}
    instants = _instants(columns.columns.get(TIMESTAMP), zone, now, columns.length)
    names = _names(columns, parse_symbol)
    if instants is None or names is None or any(column is None for column in numbers.values()):
        return None
    picked = shape.values(numbers)
    values = np.column_stack((picked,) if shape.single else picked)
    good = _plausible(values, shape) & (instants <= now + AHEAD_NS) & (instants >= FIRST_NS)
    is_name, symbols, table = names
    good &= is_name[symbols]
    reading: _Reading = {"cumulative": cumulative, "may_be_negative": may_be_negative}
    rejected = _second_look(
        columns, good, values, instants, shape.layout, reading, parse_symbol=parse_symbol, zone=zone, now=now
    )
    kept = np.flatnonzero(good)
    return Batch(shape.layout, values[kept], instants[kept], symbols[kept], table, kept, rejected)


def write_columns(
    lane: LaneWriter, series: Sequence[Series], batch: Batch, *, start: int, received: int, history: NextOrdinal | None
) -> int:
    """Write as many rows from ``start`` on as fit, under the lane's guard; return how many. ``series`` by symbol.

    Raises:
        StorageFault, StoreUnavailable: none of them was written.
    """
    take = len(batch.instants) - start
    while True:
        rows = slice(start, start + take)
        used, inverse = [0], batch.symbols[rows]
        if len(batch.names) > 1:
            indexes, inverse = np.unique(inverse, return_inverse=True)
            used = indexes.tolist()
        instants = batch.instants[rows]
        keys = [series[number].key for number in used]
        placed = lane.place_many(keys, batch.layout.size, int(instants.min()), int(instants.max()))
        if placed is not None:
            break
        take = max(1, take // 2)
    numbers, room = placed
    if room < take:
        rows, take = slice(start, start + room), room
        instants, inverse = instants[:room], inverse[:room]
    for number, index in zip(numbers, used, strict=True):
        series[index].number = number
    frames = np.empty(take, dtype=batch.layout.dtype)
    frames["prefix"] = batch.layout.prefix
    frames["sequence"] = np.arange(lane.sequence + 1, lane.sequence + 1 + take)
    frames["exchange_time"] = instants
    frames["received_time"] = received
    frames["series"] = np.array(numbers, dtype=np.uint32)[inverse]
    frames["bitmap"] = batch.layout.bitmap
    frames["values"] = batch.values[rows]
    for index, mine in _groups(used, inverse):
        times = instants[mine]
        frames["ordinal"][mine] = _ordinals(lane, series[index], times, history)
        row = len(times) - 1 - int(times[::-1].argmax())
        latest = series[index].latest
        if latest is None or int(times[row]) >= latest[0]:
            frame = frames[mine][row]
            stamps = int(times[row]), int(frame["ordinal"]), int(frame["received_time"])
            series[index].latest = (*stamps, batch.layout, tuple(frame["values"].tolist()))
    size = frames.dtype.itemsize
    bodies = np.ndarray(take, dtype=f"V{size - 4}", buffer=memoryview(frames.data).cast("B"), strides=(size,))
    frames["crc"] = np.fromiter(map(crc32, bodies.tolist(), repeat(lane.seed)), dtype=np.uint32, count=take)
    lane.put(frames.tobytes(), take)
    return take


def _groups(used: list[int], inverse: IntArray) -> Iterator[tuple[int, slice | IntArray]]:
    """Yield each symbol with its rows, in order."""
    if len(used) == 1:
        yield used[0], slice(None)
        return
    order = np.argsort(inverse, kind="stable")
    bounds = np.searchsorted(inverse[order], np.arange(len(used) + 1)).tolist()
    for position, index in enumerate(used):
        if bounds[position] < bounds[position + 1]:
            yield index, order[bounds[position] : bounds[position + 1]]


def _ordinals(lane: LaneWriter, series: Series, times: IntArray, history: NextOrdinal | None) -> int | list[int]:
    """Return n of each of these instants (ns UTC) of a series and count them; one number where all have the same."""
    if times[0] > series.newest and (times[1:] > times[:-1]).all():
        if len(times) >= BLOCK_MIN:
            series.add_block(times)
        else:
            series.counts.update(dict.fromkeys(times.tolist(), 1))
            series.newest = int(times[-1])
        return 0
    return [lane.ordinals.next(series, instant, history) for instant in times.tolist()]


def _numbers(column: ColumnCells) -> FloatArray | None:
    """Return the column as float64; None where it holds more than plain numbers."""
    if isinstance(column, np.ndarray):
        if column.dtype == np.float64:
            return column.astype(np.float64, copy=False)
        if column.dtype.kind not in "iu":
            return None
    elif not set(map(type, column)) <= {float, int}:
        return None
    try:
        values = np.asarray(column, dtype=np.float64)
    except OverflowError:
        return None
    # At the bound itself a larger integer may have been rounded down to it.
    return None if (np.abs(values) >= INTEGER_MAX).any() else values


def _instants(column: ColumnCells | None, zone: ZoneInfo, now: int, length: int) -> IntArray | None:
    """Return ns UTC per row, UNSET where a row needs a look of its own; None where the column is of another type."""
    if column is None:
        return np.full(length, now, dtype=np.int64)
    if isinstance(column, np.ndarray):
        return _from_array(column, zone)
    types = set(map(type, column))
    try:
        if types == {int}:
            return np.array(column, dtype=np.int64)
    except OverflowError:
        return None
    if types == {datetime} and _are_naive(column):
        # From the first one on: a float of seconds is exact to the µs within thirty years.
        since = np.fromiter(map(timedelta.total_seconds, map(sub, column, repeat(column[0]))), np.float64, len(column))
        if np.abs(since).max() < 10**9:
            walls: IntArray = (column[0] - EPOCH) // MICROSECOND + np.rint(since * 10**6).astype(np.int64)
        else:
            walls = np.array([(time - EPOCH) // MICROSECOND for time in column], dtype=np.int64)
        return _from_wall(walls, zone)
    return None


def _are_naive(column: ColumnCells) -> TypeGuard[Sequence[datetime]]:
    """Tell whether these datetimes are all wall times."""
    return set(map(attrgetter("tzinfo"), column)) == {None}


def _from_array(column: Column, zone: ZoneInfo) -> IntArray | None:
    """Return ns UTC of an array of wall times or of integers; None for another type."""
    if column.dtype.kind == "M":
        whole = column.astype("datetime64[us]").astype(np.int64)
        finer = column.astype("datetime64[ns]").astype(np.int64) - whole * 1000
        instants = _from_wall(np.where(np.isnat(column), 0, whole), zone)
        return np.where(instants == UNSET, UNSET, instants + finer)
    return column.astype(np.int64) if column.dtype.kind in "iu" and column.dtype != np.uint64 else None


def _from_wall(walls: IntArray, zone: ZoneInfo) -> IntArray:
    """Return ns UTC of wall times in µs since EPOCH, UNSET on days on which the zone's offset changes."""
    days = walls // DAY_US
    instants = np.full(len(walls), UNSET, dtype=np.int64)
    for number in np.unique(days).tolist():
        day = wall_day(zone, (EPOCH + timedelta(days=number)).date()) if 0 < number < DAYS_MAX else None
        if day is not None:
            rows = days == number
            instants[rows] = (walls[rows] - number * DAY_US) * 1000 + day.start_ns
    return instants


def _names(columns: TickColumns, parse_symbol: ParseSymbol) -> tuple[Mask, IntArray, list[str]] | None:
    """Return (which names are good, each row's name, the names); None when the column is of another type."""
    column = columns.columns.get("symbol")
    table: list[Input]
    if column is None:
        table, symbols = [columns.symbol], np.zeros(columns.length, dtype=np.int64)
    else:
        texts = column.tolist() if isinstance(column, np.ndarray) else column
        if set(map(type, texts)) != {str}:
            return None
        index: dict[Input, int] = {}
        symbols = np.array([index.setdefault(text, len(index)) for text in texts], dtype=np.int64)
        table = list(index)
    names, is_name = [], []
    for text in table:
        try:
            names.append(parse_symbol(text))
            is_name.append(True)
        except InvalidValue:
            names.append("")
            is_name.append(False)
    return np.array(is_name), symbols, names


def _plausible(values: FloatArray, shape: Shape) -> Mask:
    """Tell which rows are surely right; what means none in ``values`` becomes NaN, as a frame has what is absent."""
    good = _within(values, shape)
    doubtful = np.flatnonzero(~good)
    if not len(doubtful):
        return good
    rows = values[doubtful]
    absent = np.zeros(rows.shape, dtype=bool)
    for place, name in enumerate(shape.layout.names):
        column = rows[:, place]
        if name in QUOTES:
            absent[:, place] = np.isnan(column) | np.isin(column, list(NO_QUOTE))
        elif name == "last_quantity":
            absent[:, place] = column == 0
    good[doubtful] = _within(np.where(absent, 1.0, rows), shape)
    values[doubtful] = np.where(absent, np.nan, rows)
    return good


def _within(values: FloatArray, shape: Shape) -> Mask:
    """Tell which rows are within the shape's bounds, and of bars which are enclosed by high and low."""
    good = ((values >= shape.least) & (values <= shape.most)).all(axis=1)
    if shape.bar:
        close, first, high, low = (values[:, column] for column in range(4))
        good &= (low <= first) & (first <= high) & (low <= close) & (close <= high)
    return np.asarray(good)


def _second_look(
    columns: TickColumns,
    good: Mask,
    values: FloatArray,
    instants: IntArray,
    layout: TickLayout,
    reading: _Reading,
    *,
    parse_symbol: ParseSymbol,
    zone: ZoneInfo,
    now: int,
) -> list[Rejected]:
    """Read each doubtful row by itself: set what is right in the arrays, and return what is refused."""
    rejected: list[Rejected] = []
    for index in np.flatnonzero(~good).tolist():
        row = columns.row(index)
        if row.get("symbol", columns.symbol) is None:
            rejected.append((index, *NO_SYMBOL))
            continue
        try:
            name = parse_symbol(row.get("symbol", columns.symbol))
            own, numbers = read_tick(row, symbol=name, **reading)
            at = row.get(TIMESTAMP)
            instants[index] = now if at is None else parse_time(at, zone, now, TIMESTAMP)
            present = dict(zip(own.names, numbers, strict=True))
            values[index] = [present.get(field, np.nan) for field in layout.names]
            good[index] = True
        except InvalidValue as error:
            rejected.append((index, error.code, error.hint))
    return rejected
