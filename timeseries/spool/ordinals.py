"""Which points share an instant: n of `time = exchange_time + n`, across restarts and without end (FACE §2, Time)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from timeseries.measurements import IntArray, Measurement
from timeseries.spool.frames import TickLayout
from timeseries.spool.lane import Lane, Span

# How many points the series holds at an instant according to the store: for records whose segments are removed.
History = Callable[[Measurement, Mapping[str, str], int], int]

MARGIN_NS = 1_000_000  # n may reach into the ns after an instant, up to a million
INSTANTS_MAX = 200_000  # remembered per lane before the older half is left to the segments
SEGMENTS_KEPT = 16
WIDTHS = (64, 1 << 20)  # how many ns are searched at once for a free one: at first, and at most

Taken = dict[tuple[str, ...], "Instants"]


class Instants(NamedTuple):
    """Points of one series in one segment: exchange_time with its time, ascending; and the times alone, ascending."""

    exchange: IntArray
    its_time: IntArray
    times: IntArray

    def next_at(self, instant: int) -> int:
        """Return the n that follows those of this instant; 0 when it is free."""
        first, behind = np.searchsorted(self.exchange, (instant, instant + 1))
        if behind > first:
            return int(self.its_time[first:behind].max()) - instant + 1
        return int(_holds(self.times, instant))


class Series:
    """What a recorder remembers of one series: its newest time and what each instant holds.

    ``counts`` maps an instant to the next n there; ``older`` is the former generation of it. ``blocks`` are instants
    that came many at once, each with one point: rising arrays, one behind the other, of which ``block_ends`` are the
    last ones. At or below ``floor`` the segments know more; of them only sequences above ``base`` count (-1: all, and
    the store). ``latest`` is the newest tick: (exchange_time, n, received_time, layout, values). ``mark`` is what
    ``newest`` was when the segment began.
    """

    __slots__ = (
        "base",
        "block_ends",
        "blocks",
        "counts",
        "floor",
        "key",
        "latest",
        "mark",
        "newest",
        "number",
        "older",
        "older_newest",
    )

    def __init__(self, key: tuple[str, ...], *, floor: int, base: int) -> None:
        self.key, self.floor, self.base = key, floor, base
        self.newest = self.mark = floor
        self.number = 0
        self.counts: dict[int, int] = {}
        self.older: dict[int, int] = {}
        self.blocks: list[IntArray] = []
        self.block_ends: list[int] = []
        self.older_newest = floor
        self.latest: tuple[int, int, int, TickLayout, tuple[float, ...]] | None = None

    def add_block(self, instants: IntArray) -> None:
        """Take rising instants that all come after the newest."""
        self.newest = int(instants[-1])
        self.blocks.append(instants.copy())
        self.block_ends.append(self.newest)

    def in_block(self, instant: int) -> bool:
        number = bisect_left(self.block_ends, instant)
        return number < len(self.blocks) and _holds(self.blocks[number], instant)

    def takes(self, time: int) -> bool:
        return time in self.counts or time in self.older or self.in_block(time)

    def blocks_within(self, start: int, stop: int) -> list[IntArray]:
        """Return the blocks that may hold one of ``start <= time < stop``."""
        first, last = bisect_left(self.block_ends, start), bisect_left(self.block_ends, stop)
        return self.blocks[first : last + 1]

    def remembered(self) -> int:
        return len(self.counts) + sum(map(len, self.blocks))

    def forget(self) -> None:
        """Let the older generation go and begin a new one."""
        self.floor = max(self.floor, self.older_newest)
        kept = bisect_right(self.block_ends, self.floor)
        self.blocks, self.block_ends = self.blocks[kept:], self.block_ends[kept:]
        self.older, self.counts = self.counts, {}
        self.older_newest = self.newest

    def newest_tick(self) -> dict[str, Any]:
        """Return the newest tick's kind, times and fields; there has to be one."""
        assert self.latest is not None
        instant, ordinal, received, layout, values = self.latest
        return {
            "kind": "bar" if layout.bar else "price",
            "time": instant + ordinal,
            "exchange_time": instant,
            "received_time": received,
            **{name: float(value) for name, value in zip(layout.names, values, strict=True) if not isnan(value)},
        }


class Ordinals:
    """All series of one lane in this process."""

    def __init__(self, lane: Lane, *, latest: int) -> None:
        """``latest`` bounds the exchange_time of all that is on disk or was removed."""
        self._lane, self._latest = lane, latest
        self._series: dict[tuple[Any, ...], Series] = {}
        self._taken: OrderedDict[tuple[Path, int], Taken] = OrderedDict()
        self._spans: list[Span] | None = None

    def series(self, key: tuple[str, ...], *, run: int | None) -> Series:
        """Return what is known of a series. ``run`` is None, or the sequence after which a replay's own count began."""
        series = self._series.get((key, run))
        if series is None:
            floor = self._latest + MARGIN_NS if run is None and self._latest else 0
            series = self._series[(key, run)] = Series(key, floor=floor, base=-1 if run is None else run)
        return series

    def newest(self) -> int:
        """Return the highest time that a series reached since the last segment was sealed; 0 when none moved on."""
        return max((series.newest for series in self._series.values() if series.newest > series.mark), default=0)

    def next(self, series: Series, instant: int, history: History | None) -> int:
        """Return n for a point at ``instant`` and count it. Any order of instants; the usual one is the caller's."""
        ordinal = self._held(series, instant, history)
        if ordinal:
            ordinal = self._free(series, instant + ordinal) - instant
        series.counts[instant] = ordinal + 1
        if ordinal:
            # The ns that this point takes is an instant, too: a point of that instant goes behind it.
            series.counts[instant + ordinal] = 1
        series.newest = max(series.newest, instant + ordinal)
        return ordinal

    def forget(self) -> None:
        """Bound the memory, now that the last segment is sealed: what is left out is in segments."""
        self._spans = None
        for series in self._series.values():
            series.mark = series.newest
        if sum(series.remembered() for series in self._series.values()) < INSTANTS_MAX:
            return
        for series in self._series.values():
            series.forget()

    def _held(self, series: Series, instant: int, history: History | None) -> int:
        ordinal = series.counts.get(instant)
        if ordinal is None:
            ordinal = series.older.get(instant)
        if ordinal is not None:
            return ordinal
        if series.in_block(instant):
            return 1
        return self._on_disk(series, instant, history) if instant <= series.floor else 0

    def _free(self, series: Series, time: int) -> int:
        """Return the first ns from ``time`` on that no point of the series has taken. An instant may hold a million."""
        width = WIDTHS[0] if series.takes(time) else 1
        while True:
            if width == 1 and time > series.floor:
                return time
            stop = time + width
            taken = np.zeros(width, dtype=bool)
            on_disk = self._points(series, time, stop) if time <= series.floor else []
            for rising in (*series.blocks_within(time, stop), *(found.times for found in on_disk)):
                first, behind = np.searchsorted(rising, (time, stop))
                taken[rising[first:behind] - time] = True
            for offset in np.flatnonzero(~taken).tolist():
                if time + offset not in series.counts and time + offset not in series.older:
                    return time + int(offset)
            time, width = stop, min(max(16 * width, WIDTHS[0]), WIDTHS[1])

    def _on_disk(self, series: Series, instant: int, history: History | None) -> int:
        ordinal = max((found.next_at(instant) for found in self._points(series, instant, instant)), default=0)
        if history is not None and series.base < 0 and instant <= self._lane.removed_until():
            tags = dict(zip(("account", *self._lane.measurement.tags), series.key, strict=True))
            tags["source"] = self._lane.source
            ordinal = max(ordinal, history(self._lane.measurement, tags, instant))
        return ordinal

    def _points(self, series: Series, instant: int, stop: int) -> list[Instants]:
        """Return the points of the series in every sealed segment that may hold the instant, or one behind it before
        ``stop``."""
        if self._spans is None:
            self._spans = [span for span in self._lane.spans(self._lane.issued()) if span.file.sealed]
        found = []
        for span in self._spans:
            header = span.file.header
            if header is not None and header.earliest <= stop and instant <= header.latest + MARGIN_NS:
                taken = self._read(span, series.base).get(series.key)
                if taken is not None:
                    found.append(taken)
        return found

    def _read(self, span: Span, base: int) -> Taken:
        key = (span.file.path, base)
        if key not in self._taken:
            self._taken[key] = self._decoded(span, base)
            while len(self._taken) > SEGMENTS_KEPT:
                self._taken.popitem(last=False)
        self._taken.move_to_end(key)
        return self._taken[key]

    def _decoded(self, span: Span, base: int) -> Taken:
        parts: dict[tuple[str, ...], list[tuple[IntArray, IntArray]]] = {}
        names = ("account", *self._lane.measurement.tags)
        for points, definitions in self._lane.points(span, span.last or 0):
            for number in np.unique(points.series).tolist():
                if number in definitions:
                    key = tuple(definitions[number].get(name, "") for name in names)
                    rows = (points.series == number) & (points.sequences > base)
                    exchange = points.exchange_time[rows]
                    parts.setdefault(key, []).append((exchange, exchange + points.ordinal[rows]))
        return {key: _sorted(found) for key, found in parts.items()}


def _sorted(parts: list[tuple[IntArray, IntArray]]) -> Instants:
    exchange, times = (np.concatenate(side) for side in zip(*parts, strict=True))
    order = np.argsort(exchange, kind="stable")
    return Instants(exchange[order], times[order], np.sort(times))


def first_free(rising: IntArray, time: int) -> int:
    """Return the first integer from ``time`` on that is not among these, which rise, each once."""
    run = rising[np.searchsorted(rising, time) :]
    gaps = np.flatnonzero(run != np.arange(time, time + len(run)))
    return time + int(gaps[0] if len(gaps) else len(run))


def _holds(rising: IntArray, instant: int) -> bool:
    place = int(np.searchsorted(rising, instant))
    return place < len(rising) and int(rising[place]) == instant
