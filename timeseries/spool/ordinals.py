"""Ordinals: the n of `time = exchange_time + n`, by which points of one instant stay apart, across restarts."""

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
from timeseries.spool.lane import Lane, SegmentSpan

# How many points the series holds at an instant according to the store: for records whose segments are removed.
NextOrdinal = Callable[[Measurement, Mapping[str, str], int], int]

MARGIN_NS = 1_000_000  # n may reach into the ns after an instant, up to a million
INSTANTS_MAX = 200_000  # remembered per lane before the older half is left to the segments
SEGMENTS_KEPT = 16
WIDTHS = (64, 1 << 20)  # how many ns are searched at once for a free one: at first, and at most

SeriesKey = tuple[str, ...]  # account, then the measurement's own tags
Taken = dict[SeriesKey, "TakenInstants"]


class TakenInstants(NamedTuple):
    """The instants of one series in one segment, ascending: exchange_time with its time, and all times alone."""

    exchange: IntArray
    its_time: IntArray
    times: IntArray


class Series:
    """A recorder's memory of one series: its newest time and how many points each instant holds.

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

    def __init__(self, key: SeriesKey, *, floor: int, base: int) -> None:
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
        """Note one point at each of these rising instants, which all come after the newest."""
        self.newest = int(instants[-1])
        self.blocks.append(instants.copy())
        self.block_ends.append(self.newest)

    def in_block(self, instant: int) -> bool:
        """Tell whether one of the blocks holds this instant."""
        number = bisect_left(self.block_ends, instant)
        return number < len(self.blocks) and _holds(self.blocks[number], instant)

    def takes(self, time: int) -> bool:
        """Tell whether this process has put a point of the series at this time."""
        return time in self.counts or time in self.older or self.in_block(time)

    def forget(self) -> None:
        """Drop the older generation of instants and begin a new one."""
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
    """The ordinals of one lane: all of its series in this process."""

    def __init__(self, lane: Lane, *, latest: int) -> None:
        """``latest`` bounds the exchange_time of all that is on disk or was removed."""
        self._lane, self._latest = lane, latest
        self._series: dict[tuple[SeriesKey, int | None], Series] = {}
        self._taken: OrderedDict[tuple[Path, int], Taken] = OrderedDict()
        self._spans: list[SegmentSpan] | None = None

    def series(self, key: SeriesKey, *, run: int | None) -> Series:
        """Return the memory of a series. ``run`` is None, or the sequence after which a replay's own count began."""
        series = self._series.get((key, run))
        if series is None:
            floor = self._latest + MARGIN_NS if run is None and self._latest else 0
            series = self._series[(key, run)] = Series(key, floor=floor, base=-1 if run is None else run)
        return series

    def newest(self) -> int:
        """Return the highest time that a series reached since the last segment was sealed; 0 when none moved on."""
        return max((series.newest for series in self._series.values() if series.newest > series.mark), default=0)

    def next(self, series: Series, instant: int, history: NextOrdinal | None) -> int:
        """Return n for a point at ``instant`` (ns UTC) and count it; instants may come in any order."""
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
        """Bound the memory once a segment is sealed: what is forgotten is in segments."""
        self._spans = None
        for series in self._series.values():
            series.mark = series.newest
        if sum(len(series.counts) + sum(map(len, series.blocks)) for series in self._series.values()) < INSTANTS_MAX:
            return
        for series in self._series.values():
            series.forget()

    def _held(self, series: Series, instant: int, history: NextOrdinal | None) -> int:
        """Return the n that follows those of the instant, from memory, then from segments, then from the store."""
        ordinal = series.counts.get(instant)
        if ordinal is None:
            ordinal = series.older.get(instant)
        if ordinal is not None:
            return ordinal
        if series.in_block(instant):
            return 1
        if instant > series.floor:
            return 0
        ordinal = 0
        for taken in self._points(series, instant, instant):
            first, behind = np.searchsorted(taken.exchange, (instant, instant + 1))
            if behind > first:
                ordinal = max(ordinal, int(taken.its_time[first:behind].max()) - instant + 1)
            elif _holds(taken.times, instant):
                ordinal = max(ordinal, 1)
        if history is not None and series.base < 0 and instant <= self._lane.removed_until():
            tags = dict(zip(("account", *self._lane.measurement.tags), series.key, strict=True))
            tags["source"] = self._lane.source
            ordinal = max(ordinal, history(self._lane.measurement, tags, instant))
        return ordinal

    def _free(self, series: Series, time: int) -> int:
        """Return the first ns from ``time`` on that no point of the series has taken. An instant may hold a million."""
        width = WIDTHS[0] if series.takes(time) else 1
        while True:
            if width == 1 and time > series.floor:
                return time
            stop = time + width
            taken = np.zeros(width, dtype=bool)
            on_disk = self._points(series, time, stop) if time <= series.floor else []
            first, last = bisect_left(series.block_ends, time), bisect_left(series.block_ends, stop)
            for rising in (*series.blocks[first : last + 1], *(instants.times for instants in on_disk)):
                first, behind = np.searchsorted(rising, (time, stop))
                taken[rising[first:behind] - time] = True
            for offset in np.flatnonzero(~taken).tolist():
                if time + offset not in series.counts and time + offset not in series.older:
                    return time + int(offset)
            time, width = stop, min(max(16 * width, WIDTHS[0]), WIDTHS[1])

    def _points(self, series: Series, instant: int, stop: int) -> list[TakenInstants]:
        """Return the series' instants in each sealed segment that may hold one within ``[instant, stop]``."""
        if self._spans is None:
            self._spans = [span for span in self._lane.spans(self._lane.issued()) if span.file.sealed]
        in_segments = []
        for span in self._spans:
            header = span.file.header
            if header is None or header.earliest > stop or instant > header.latest + MARGIN_NS:
                continue
            key = (span.file.path, series.base)
            if key not in self._taken:
                self._taken[key] = self._decoded(span, series.base)
                while len(self._taken) > SEGMENTS_KEPT:
                    self._taken.popitem(last=False)
            self._taken.move_to_end(key)
            if (instants := self._taken[key].get(series.key)) is not None:
                in_segments.append(instants)
        return in_segments

    def _decoded(self, span: SegmentSpan, base: int) -> Taken:
        """Return the instants of every series in the segment, of sequences above ``base``."""
        rows_of: dict[SeriesKey, list[tuple[IntArray, IntArray]]] = {}
        names = ("account", *self._lane.measurement.tags)
        for points, definitions in self._lane.points(span, span.last or 0):
            for number in np.unique(points.series).tolist():
                if number in definitions:
                    key = tuple(definitions[number].get(name, "") for name in names)
                    rows = (points.series == number) & (points.sequences > base)
                    exchange = points.exchange_time[rows]
                    rows_of.setdefault(key, []).append((exchange, exchange + points.ordinal[rows]))
        taken: Taken = {}
        for key, chunks in rows_of.items():
            exchange, times = (np.concatenate(column) for column in zip(*chunks, strict=True))
            order = np.argsort(exchange, kind="stable")
            taken[key] = TakenInstants(exchange[order], times[order], np.sort(times))
        return taken


def first_free(rising: IntArray, time: int) -> int:
    """Return the first integer from ``time`` on that is not among these, which rise, each once."""
    run = rising[np.searchsorted(rising, time) :]
    gaps = np.flatnonzero(run != np.arange(time, time + len(run)))
    return time + int(gaps[0] if len(gaps) else len(run))


def _holds(rising: IntArray, instant: int) -> bool:
    place = int(np.searchsorted(rising, instant))
    return place < len(rising) and int(rising[place]) == instant
