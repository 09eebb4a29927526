"""The columns' way of ticks: many rows checked and framed with a few operations per column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TypedDict
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from timeseries.errors import InvalidValue
from timeseries.measurements import FloatArray, IntArray, Mask
from timeseries.recording.columns import OPTIONAL, TickColumns, instants_of, names_of, numbers_of, numbers_with_gaps
from timeseries.recording.marked import Rejected
from timeseries.recording.tick import KEYS, NO_QUOTE, QUOTES, TIMESTAMP, MayBeNegative, Shape, read_tick, shape_of
from timeseries.recording.writer import LaneWriter
from timeseries.spool.checksums import crcs_of
from timeseries.spool.feed_keys import TIMES
from timeseries.spool.frames import TickLayout
from timeseries.spool.ordinals import NextOrdinal, Series
from timeseries.values import AHEAD_NS, FIRST_NS, Input, ParseSymbol, parse_time

ROWS_AT_ONCE = 16_384  # they stay in the processor's cache from the first look to the last
BLOCK_MIN = 16  # fewer instants are remembered one by one
ROWS_OF_SYMBOL_MIN = 8  # where symbols have fewer rows each, numpy costs more for a symbol than Python for its rows
NO_SYMBOL = ("no_symbol", "Give each row a symbol, or all of them one.", "symbol")


class UnreadableRow(dict[str, Input]):
    """The place of a row that could not be read, for an ``error``."""

    def __init__(self, error: InvalidValue) -> None:
        super().__init__()
        self.error = error


@dataclass(frozen=True)
class TickBatch:
    """The outcome of many ticks: how many were accepted, and each ``rejected`` one's (index, code, hint), by index."""

    accepted: int
    rejected: tuple[Rejected, ...] = ()


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
    numbers = {name: numbers_of(column) for name, column in columns.columns.items() if name in KEYS}
    sparse = [name for name, column in numbers.items() if column is None and name in OPTIONAL]
    numbers |= {name: numbers_with_gaps(columns.columns[name]) for name in sparse}
    instants = instants_of(columns.columns.get(TIMESTAMP), zone, now, columns.length)
    names = names_of(columns, parse_symbol)
    if instants is None or names is None or any(column is None for column in numbers.values()):
        return None
    picked = shape.values(numbers)
    values = np.column_stack((picked,) if shape.single else picked)
    good = (
        _plausible(values, shape, {field for field, key in shape.keys.items() if key in sparse})
        & (instants <= now + AHEAD_NS)
        & (instants >= FIRST_NS)
    )
    is_name, symbols, table = names
    good &= is_name[symbols]
    reading: _Reading = {"cumulative": cumulative, "may_be_negative": may_be_negative}
    rejected = _second_look(
        columns, good, values, instants, shape.layout, reading, parse_symbol=parse_symbol, zone=zone, now=now
    )
    kept = np.flatnonzero(good)
    return Batch(shape.layout, values[kept], instants[kept], symbols[kept], table, kept, rejected)


def write_columns(
    lane: LaneWriter,
    series: Sequence[Series],
    batch: Batch,
    *,
    start: int,
    received: int,
    history: NextOrdinal | None,
    mark: Callable[[int], None],
) -> int:
    """Write as many rows from ``start`` on as fit, under the lane's guard; return how many. ``series`` by symbol.

    ``mark`` is told how many before they are written. The first row was ``received`` at this instant (ns UTC), each
    further one a nanosecond after the one before it, so that whoever reads them back knows which came first.

    Raises:
        StorageFault, StoreUnavailable: none of them was written.
    """
    take = len(batch.instants) - start
    while True:
        rows = slice(start, start + take)
        symbols = batch.symbols[rows]
        used = np.flatnonzero(np.bincount(symbols)).tolist()
        instants = batch.instants[rows]
        keys = [series[number].key for number in used]
        placed = lane.place_many(keys, batch.layout.size, int(instants.min()), int(instants.max()))
        if placed is not None:
            break
        take = max(1, take // 2)
    numbers, room = placed
    if room < take:
        rows, take = slice(start, start + room), room
        instants, symbols = instants[:room], symbols[:room]
    numbers_of_series = np.zeros(len(series), dtype=np.uint32)
    numbers_of_series[used] = numbers
    for number, index in zip(numbers, used, strict=True):
        series[index].number = number
    frames = np.empty(take, dtype=batch.layout.dtype)
    frames["prefix"] = batch.layout.prefix
    frames["sequence"] = np.arange(lane.sequence + 1, lane.sequence + 1 + take)
    frames["exchange_time"] = instants
    frames["received_time"] = np.arange(received, received + take)
    frames["series"] = numbers_of_series[symbols]
    frames["bitmap"] = batch.layout.bitmap
    frames["values"] = batch.values[rows]
    if take < ROWS_OF_SYMBOL_MIN * len(used):
        _follow_each(lane, [series[number] for number in symbols.tolist()], batch.layout, frames, history)
    elif len(used) == 1:
        _follow_many(lane, series[used[0]], batch.layout, frames, slice(None), history)
    else:
        _follow_groups(lane, series, batch.layout, frames, symbols, history)
    frames["crc"] = crcs_of(frames.view("<u4").reshape(take, -1)[:, :-1], lane.seed)
    content = frames.tobytes()
    mark(take)
    lane.put(content, take)
    return take


def _follow_each(
    lane: LaneWriter,
    series: list[Series],
    layout: TickLayout,
    frames: npt.NDArray[np.void],
    history: NextOrdinal | None,
) -> None:
    """Set n of each frame, of which ``series`` has the own, and remember the newest tick of each."""
    ordinals, instants = [], frames["exchange_time"].tolist()
    for own, instant in zip(series, instants, strict=True):
        if instant > own.newest:
            own.newest = instant
            own.counts[instant] = 1
            ordinals.append(0)
        else:
            ordinals.append(lane.ordinals.next(own, instant, history))
    frames["ordinal"] = ordinals
    received, values = frames["received_time"].tolist(), map(tuple, frames["values"].tolist())
    for own, *latest in zip(series, instants, ordinals, received, repeat(layout), values):
        if own.latest is None or latest[0] >= own.latest[0]:
            own.latest = tuple(latest)


def _follow_groups(
    lane: LaneWriter,
    series: Sequence[Series],
    layout: TickLayout,
    frames: npt.NDArray[np.void],
    symbols: IntArray,
    history: NextOrdinal | None,
) -> None:
    """Set n of each frame, whose series is that of its symbol, and remember the newest tick of each series.

    Where the instants of a symbol rise, which is looked at for all of them at once, and come after all that its series
    has, they are the first of their ns.
    """
    order = np.argsort(symbols.astype(np.min_scalar_type(len(series))), kind="stable")
    counts = np.bincount(symbols)
    used = np.flatnonzero(counts)
    ends = np.cumsum(counts[used])
    begins = ends - counts[used]
    times, newest = frames["exchange_time"][order], frames[order[ends - 1]]
    is_later = np.append(True, times[1:] > times[:-1])
    is_later[begins] = True
    rising = np.logical_and.reduceat(is_later, begins)
    frames["ordinal"] = 0
    stamps = newest["exchange_time"].tolist(), repeat(0), newest["received_time"].tolist()
    latest = zip(*stamps, repeat(layout), map(tuple, newest["values"].tolist()))
    groups = zip(*(column.tolist() for column in (used, begins, ends, rising)), strict=True)
    for (index, begin, end, is_rising), own_latest in zip(groups, latest, strict=True):
        own = series[index]  # two spellings of a symbol have one
        if is_rising and times[begin] > own.newest:
            _remember(own, times[begin:end])
            own.latest = own_latest
        else:
            _follow_many(lane, own, layout, frames, order[begin:end], history)


def _follow_many(
    lane: LaneWriter,
    series: Series,
    layout: TickLayout,
    frames: npt.NDArray[np.void],
    mine: slice | IntArray,
    history: NextOrdinal | None,
) -> None:
    """Set n of one series' frames, ``mine`` of all, and remember its newest tick."""
    times = frames["exchange_time"][mine]
    frames["ordinal"][mine] = _ordinals(lane, series, times, history)
    row = len(times) - 1 - int(times[::-1].argmax())
    if series.latest is None or int(times[row]) >= series.latest[0]:
        frame = frames[mine][row]
        stamps = int(times[row]), int(frame["ordinal"]), int(frame["received_time"])
        series.latest = (*stamps, layout, tuple(frame["values"].tolist()))


def _ordinals(lane: LaneWriter, series: Series, times: IntArray, history: NextOrdinal | None) -> int | IntArray:
    """Return n of each of these instants (ns UTC) of a series and count them; one number where all have the same."""
    if times[0] > series.newest and (times[1:] > times[:-1]).all():
        _remember(series, times)
        return 0
    ordinals, start = np.empty(len(times), dtype=np.int64), 0
    while start < len(times):
        # One by one as far as instants come that are known, such as the second that the call before ended in.
        late = np.flatnonzero(times[start:] <= series.newest)
        stop = start + int(late[-1]) + 1 if len(late) else len(times)
        if len(late) or not _take_new(series, times[start:], ordinals[start:]):
            ordinals[start:stop] = [
                lane.ordinals.next(series, instant, history) for instant in times[start:stop].tolist()
            ]
        start = stop
    return ordinals


def _take_new(series: Series, times: IntArray, ordinals: IntArray) -> bool:
    """Set n of instants that all come after the series' newest, in any order, each as often as it likes; False, and
    nothing is set, where they are so near to one another that a ns which one takes may be another's instant."""
    order = np.argsort(times, kind="stable")
    rising = times[order]
    begins = np.flatnonzero(np.append(True, rising[1:] != rising[:-1]))
    ranks = np.arange(len(rising)) - np.repeat(begins, np.diff(np.append(begins, len(rising))))
    taken = rising + ranks
    if (taken[1:] <= taken[:-1]).any():
        return False
    ordinals[order] = ranks
    _remember(series, taken)
    return True


def _remember(series: Series, rising: IntArray) -> None:
    """Note one point at each of these rising ns, which all come after the series' newest."""
    if len(rising) >= BLOCK_MIN:
        series.add_block(rising)
    else:
        series.counts.update(dict.fromkeys(rising.tolist(), 1))
        series.newest = int(rising[-1])


def _plausible(values: FloatArray, shape: Shape, sparse: Collection[str]) -> Mask:
    """Tell which rows are surely right; what means none in ``values`` becomes NaN, as a frame has what is absent.

    In ``sparse`` fields NaN stands for what a row has not.
    """
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
        if name in sparse:
            absent[:, place] |= np.isnan(column)
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
            rejected.append(Rejected.at(index, *NO_SYMBOL))
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
            rejected.append(Rejected.of(index, error))
    return rejected
