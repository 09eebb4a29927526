"""Many ticks at once: columns checked and framed with a few operations per column, not per row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from operator import attrgetter, sub
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.errors import InvalidValue
from timeseries.measurements import IntArray
from timeseries.recording.tick import KEYS, NO_QUOTE, QUOTES, TIMESTAMP, MayBeNegative, Shape, read_tick, shape_of
from timeseries.recording.writer import LaneWriter
from timeseries.spool.feed_keys import TIMES, UNCERTAIN
from timeseries.spool.frames import TickLayout
from timeseries.spool.ordinals import History, Series
from timeseries.values import AHEAD_NS, EPOCH, FIRST_NS, MICROSECOND, ParseSymbol, parse_time, wall_day

INTEGER_MAX = 2**53
DAY_US = 86_400 * 10**6
ROWS_AT_ONCE = 4096  # they stay in the processor's cache from the first look to the last
DAYS_MAX = 100_000  # the calendar goes on, the clock does not
BLOCK_MIN = 256  # fewer instants are remembered one by one
NO_SYMBOL = ("no_symbol", "Give each row a symbol, or all of them one.")
WANTED = {*KEYS, *TIMES, *UNCERTAIN, TIMESTAMP, "symbol"}
UNSET = -(2**63)  # a time that the column's way could not tell: the row is read by itself

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Rejected = tuple[int, str, str]


@dataclass(frozen=True)
class TickBatch:
    """How many rows were accepted; ``rejected`` has (index, code, hint) of each that was not, by index."""

    accepted: int
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True)
class Columns:
    """Equal-length columns of ticks, of those names that mean something here."""

    columns: dict[str, Any]
    symbol: str | None
    length: int

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as dicts."""
        names = list(self.columns)
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(names, values, strict=True))

    def row(self, index: int) -> dict[str, Any]:
        return {name: column[index] for name, column in self.columns.items()}

    def part(self, start: int, stop: int) -> Columns:
        columns = {name: column[start:stop] for name, column in self.columns.items()}
        return Columns(columns, self.symbol, min(stop, self.length) - start)


def given_columns(given: Mapping[str, Any], symbol: str | None) -> Columns:
    """Return a caller's columns; names that mean nothing here are ignored, as keys of a tick are.

    Raises:
        InvalidValue: no columns, or of different lengths.
    """
    columns = {name: _sequence(column, name) for name, column in given.items() if name in WANTED}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise InvalidValue("Ticks in columns need columns of one length.", field="ticks")
    return Columns(columns, symbol, lengths.pop())


def columns_of(rows: Sequence[Any], symbol: str | None) -> Columns | None:
    """Return dicts that all have the same keys as columns; None when they have not."""
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
        return Columns({name: [row[name] for row in rows] for name in wanted}, symbol, len(rows))
    except KeyError:
        return None


@dataclass(frozen=True)
class Batch:
    """Rows that all may be recorded, in order: ``values`` has one row each, ``symbols`` indexes ``names``."""

    layout: TickLayout
    values: FloatArray
    instants: IntArray
    symbols: IntArray
    names: list[str]
    indexes: IntArray  # where each row stood in the input
    rejected: list[Rejected]


def read_columns(
    columns: Columns,
    *,
    cumulative: bool,
    zone: ZoneInfo,
    now: int,
    may_be_negative: MayBeNegative,
    parse_symbol: ParseSymbol,
) -> Batch | None:
    """Check the columns; None when they are of types that are read row by row."""
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
    known, symbols, table = names
    good &= known[symbols]
    reading = {"cumulative": cumulative, "may_be_negative": may_be_negative}
    rejected = _second_look(
        columns, good, values, instants, shape.layout, reading, parse_symbol=parse_symbol, zone=zone, now=now
    )
    kept = np.flatnonzero(good)
    return Batch(shape.layout, values[kept], instants[kept], symbols[kept], table, kept, rejected)


def write_columns(
    lane: LaneWriter, series: Sequence[Series], batch: Batch, *, start: int, received: int, history: History | None
) -> int:
    """Write some of the rows from ``start`` on, with the lane's guard held; returns how many. ``series`` by symbol.

    Raises:
        StorageFault, StoreUnavailable: none of them was written.
    """
    take = len(batch.instants) - start
    while True:
        rows = slice(start, start + take)
        used, inverse = _symbols_in(batch, rows)
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
        _keep_latest(series[index], times, frames[mine], batch.layout)
    lane.put(_with_sums(frames, lane.seed), take)
    return take


def _symbols_in(batch: Batch, rows: slice) -> tuple[list[int], IntArray]:
    symbols = batch.symbols[rows]
    if len(batch.names) == 1:
        return [0], symbols
    used, inverse = np.unique(symbols, return_inverse=True)
    return used.tolist(), inverse


def _groups(used: list[int], inverse: IntArray) -> Iterator[tuple[int, Any]]:
    """Yield each symbol's rows, in order."""
    if len(used) == 1:
        yield used[0], slice(None)
        return
    order = np.argsort(inverse, kind="stable")
    bounds = np.searchsorted(inverse[order], np.arange(len(used) + 1)).tolist()
    for position, index in enumerate(used):
        if bounds[position] < bounds[position + 1]:
            yield index, order[bounds[position] : bounds[position + 1]]


def _with_sums(frames: np.ndarray[Any, Any], seed: int) -> bytes:
    view = memoryview(frames.data).cast("B")
    size = frames.dtype.itemsize
    bodies = np.ndarray(len(frames), dtype=f"V{size - 4}", buffer=view, strides=(size,))
    frames["crc"] = np.fromiter(map(crc32, bodies.tolist(), repeat(seed)), dtype=np.uint32, count=len(frames))
    return frames.tobytes()


def _ordinals(lane: LaneWriter, series: Series, times: IntArray, history: History | None) -> Any:
    if times[0] > series.newest and (times[1:] > times[:-1]).all():
        if len(times) >= BLOCK_MIN:
            series.add_block(times)
        else:
            series.counts.update(dict.fromkeys(times.tolist(), 1))
            series.newest = int(times[-1])
        return 0
    return [lane.ordinals.next(series, instant, history) for instant in times.tolist()]


def _keep_latest(series: Series, times: IntArray, frames: np.ndarray[Any, Any], layout: TickLayout) -> None:
    row = len(times) - 1 - int(times[::-1].argmax())
    if series.latest is None or int(times[row]) >= series.latest[0]:
        frame = frames[row]
        values = tuple(frame["values"].tolist())
        series.latest = (int(times[row]), int(frame["ordinal"]), int(frame["received_time"]), layout, values)


def _sequence(column: Any, name: str) -> Any:
    if hasattr(column, "to_numpy"):
        column = column.to_numpy()
    if isinstance(column, np.ndarray) and column.ndim == 1:
        return column.tolist() if column.dtype == object else column
    if isinstance(column, Sequence) and not isinstance(column, str | bytes):
        return column
    raise InvalidValue(f"{name} must be a column: a list or a one-dimensional array.", field=name)


def _numbers(column: Any) -> FloatArray | None:
    """Return the column as float64; None when it holds more than plain numbers."""
    if isinstance(column, np.ndarray):
        if column.dtype == np.float64:
            return column
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


def _instants(column: Any, zone: ZoneInfo, now: int, length: int) -> IntArray | None:
    """Return ns UTC per row, UNSET where a row needs a look of its own; None when the column is of another type."""
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
    if types == {datetime} and set(map(attrgetter("tzinfo"), column)) == {None}:
        return _from_wall(_wall_us(column), zone)
    return None


def _wall_us(column: Sequence[datetime]) -> IntArray:
    """Return µs since EPOCH of naive times."""
    # Counted from the first one: a float of seconds is exact to the µs within thirty years.
    since = np.fromiter(map(timedelta.total_seconds, map(sub, column, repeat(column[0]))), np.float64, len(column))
    if np.abs(since).max() < 10**9:
        return (column[0] - EPOCH) // MICROSECOND + np.rint(since * 10**6).astype(np.int64)
    return np.array([(time - EPOCH) // MICROSECOND for time in column], dtype=np.int64)


def _from_array(column: np.ndarray[Any, Any], zone: ZoneInfo) -> IntArray | None:
    if column.dtype.kind == "M":
        whole = column.astype("datetime64[us]").astype(np.int64)
        finer = column.astype("datetime64[ns]").astype(np.int64) - whole * 1000
        instants = _from_wall(np.where(np.isnat(column), 0, whole), zone)
        return np.where(instants == UNSET, UNSET, instants + finer)
    return column.astype(np.int64) if column.dtype.kind in "iu" and column.dtype != np.uint64 else None


def _from_wall(walls: IntArray, zone: ZoneInfo) -> IntArray:
    days = walls // DAY_US
    instants = np.full(len(walls), UNSET, dtype=np.int64)
    for number in np.unique(days).tolist():
        day = wall_day(zone, (EPOCH + timedelta(days=number)).date()) if 0 < number < DAYS_MAX else None
        if day is not None:
            rows = days == number
            instants[rows] = (walls[rows] - number * DAY_US) * 1000 + day.start_ns
    return instants


def _names(columns: Columns, parse_symbol: ParseSymbol) -> tuple[Mask, IntArray, list[str]] | None:
    """Return (which names are good, each row's name, the names); None when the column is of another type."""
    given = columns.columns.get("symbol")
    if given is None:
        table, symbols = [columns.symbol], np.zeros(columns.length, dtype=np.int64)
    else:
        texts = given.tolist() if isinstance(given, np.ndarray) else given
        if set(map(type, texts)) != {str}:
            return None
        index: dict[str, int] = {}
        symbols = np.array([index.setdefault(text, len(index)) for text in texts], dtype=np.int64)
        table = list(index)
    names, known = [], []
    for text in table:
        try:
            names.append(parse_symbol(text))
            known.append(True)
        except InvalidValue:
            names.append("")
            known.append(False)
    return np.array(known), symbols, names


def _plausible(values: FloatArray, shape: Shape) -> Mask:
    """Tell which rows are surely right; what means none in ``values`` becomes NaN, as a frame has what is absent."""
    good = _within(values, shape)
    doubtful = np.flatnonzero(~good)
    if len(doubtful):
        absent = _absent(values[doubtful], shape)
        good[doubtful] = _within(np.where(absent, 1.0, values[doubtful]), shape)
        values[doubtful] = np.where(absent, np.nan, values[doubtful])
    return good


def _within(values: FloatArray, shape: Shape) -> Mask:
    good = ((values >= shape.least) & (values <= shape.most)).all(axis=1)
    if shape.bar:
        close, first, high, low = (values[:, column] for column in range(4))
        good &= (low <= first) & (first <= high) & (low <= close) & (close <= high)
    return np.asarray(good)


def _absent(values: FloatArray, shape: Shape) -> Mask:
    absent = np.zeros(values.shape, dtype=bool)
    for place, name in enumerate(shape.layout.names):
        column = values[:, place]
        if name in QUOTES:
            absent[:, place] = np.isnan(column) | np.isin(column, list(NO_QUOTE))
        elif name == "last_quantity":
            absent[:, place] = column == 0
    return absent


def _second_look(
    columns: Columns,
    good: Mask,
    values: FloatArray,
    instants: IntArray,
    layout: TickLayout,
    reading: dict[str, Any],
    *,
    parse_symbol: ParseSymbol,
    zone: ZoneInfo,
    now: int,
) -> list[Rejected]:
    """Read each doubtful row by itself: what is wrong with it, or that nothing is."""
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
