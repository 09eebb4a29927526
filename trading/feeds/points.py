"""The points that the ticks of a feed become, and those of them that a source holds already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from timeseries.measurements import IntArray, Mask
from trading.errors import VeloxError
from trading.feeds.ticks import NUMBERS, Ticks

# What a tick of a file never has; a stored point that has it came from elsewhere.
FOREIGN = ("bid", "ask", "last_quantity", "oi")


class OtherInput(VeloxError):
    """Other ticks that a source holds over the same time: nothing was written."""

    code = "other_input"


@dataclass(frozen=True, slots=True)
class FeedPoints:
    """The keys of a feed's ticks in their symbols: ``time`` is a tick's own plus n ns, counted from the feed's start.

    ``instant`` numbers the ticks of one symbol that share a time: their n hang together.
    """

    time: IntArray
    instant: IntArray


def points_of(ticks: Ticks) -> FeedPoints:
    """Return the points that a recorder makes of the ticks when it counts from their start."""
    order = np.lexsort((ticks.time, ticks.symbol))  # stable: of one instant the order of arrival stands
    symbol, time = ticks.symbol[order], ticks.time[order]
    is_first = np.ones(len(ticks), dtype=bool)
    is_first[1:] = (symbol[1:] != symbol[:-1]) | (time[1:] != time[:-1])
    number = np.cumsum(is_first) - 1
    start = np.flatnonzero(is_first)
    ordered = time + np.arange(len(ticks)) - start[number] if len(ticks) else time
    keys, instant = np.empty_like(ticks.time), np.empty_like(ticks.time)
    keys[order], instant[order] = ordered, number
    is_taken = (symbol[1:] == symbol[:-1]) & (ordered[1:] <= ordered[:-1])
    for place in np.unique(symbol[1:][is_taken]):  # times are nanoseconds apart: n must pass over those taken
        rows = np.flatnonzero(ticks.symbol == place)
        keys[rows] = _next_free(ticks.time[rows].tolist())
        instant[rows] = len(start) + place
    return FeedPoints(keys, instant)


def _next_free(times: list[int]) -> list[int]:
    """Return keys as `timeseries.spool.ordinals` gives them: a ns that a point takes is an instant of its own."""
    taken: dict[int, int] = {}
    keys = []
    for time in times:
        ordinal = taken.get(time, 0)
        while ordinal and time + ordinal in taken:
            ordinal += 1
        taken[time] = ordinal + 1
        if ordinal:
            taken[time + ordinal] = 1
        keys.append(time + ordinal)
    return keys


def known_among(symbol: str, ticks: Ticks, keys: IntArray, stored: pa.Table, *, source: str) -> Mask:
    """Return which ticks of one symbol are stored; ``stored`` is `DataManager.get_ticks` within their times.

    Raises: OtherInput, when a stored point is none of the ticks, or is one with other values.
    """
    is_stored = np.zeros(len(ticks), dtype=bool)
    if not len(stored):
        return is_stored
    if not len(ticks):
        raise _other_input(symbol, source)
    times = instants(stored, "time")
    order = np.argsort(keys)
    places = order[np.minimum(np.searchsorted(keys[order], times), len(keys) - 1)]
    same = ticks.take(places)
    fields = {name: np.asarray(stored.column(name).to_numpy(), dtype=np.float64) for name in (*NUMBERS, *FOREIGN)}
    if not (
        (keys[places] == times).all()
        and np.array_equal(same.time, instants(stored, "exchange_time"))
        and all(np.array_equal(getattr(same, name), fields[name], equal_nan=True) for name in NUMBERS)
        and all(np.isnan(fields[name]).all() for name in FOREIGN)
    ):
        raise _other_input(symbol, source)
    is_stored[places] = True
    return is_stored


def _other_input(symbol: str, source: str) -> OtherInput:
    return OtherInput(
        f"Source {source!r} holds other ticks of {symbol} over the same time.",
        field="source",
        hint="Replay this file under another --source.",
    )


def instants(table: pa.Table, name: str) -> IntArray:
    """Return a column of times as ns UTC."""
    return np.asarray(table.column(name).cast("int64").to_numpy(), dtype=np.int64)


def wanting(points: FeedPoints, is_stored: Mask) -> Mask:
    """Return which ticks are to be recorded: those of every instant that is not stored whole."""
    lacking = np.zeros(int(points.instant.max()) + 1 if len(is_stored) else 0, dtype=bool)
    lacking[points.instant[~is_stored]] = True
    return np.asarray(lacking[points.instant], dtype=bool)
