"""Where a feed may be cut: instants that part every file's lines, so that each stretch between two of them can be
understood, numbered and recorded by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from timeseries.measurements import IntArray
from trading.feeds.ticks import Ticks

MINUTE = 60 * 10**9
NEAR = 10**6  # ns: as far as n, which tells points of one instant apart, may lead
JOINED_AT = 10_000
Minutes = tuple[int, int]  # first and last


@dataclass(slots=True)
class Outline:
    """How many lines of a file are due in each minute, and where it must not be cut: a later line is of before."""

    _minutes: list[IntArray] = field(default_factory=list)  # ascending; the last of one may be the first of the next
    _counts: list[IntArray] = field(default_factory=list)
    _uncut: list[Minutes] = field(default_factory=list)
    _latest: int = 0

    def add(self, ticks: Ticks) -> None:
        """Take the file's next ticks, in the order of their lines."""
        if not len(ticks):
            return
        due = np.maximum.accumulate(np.maximum(ticks.time, self._latest))
        self._latest = int(due[-1])
        minutes, counts = np.unique(due // MINUTE, return_counts=True)
        self._minutes.append(minutes)
        self._counts.append(counts)
        first, last = ticks.time // MINUTE + 1, due // MINUTE
        back = last >= first
        self._uncut += _joined(first[back], last[back])
        crowded = _crowded(ticks.time)
        self._uncut += _joined(crowded, crowded)
        if len(self._uncut) > JOINED_AT:
            self._uncut = self.uncut()

    def lines(self) -> tuple[IntArray, IntArray]:
        """Return the minutes in which lines are due, ascending, and how many in each."""
        return _summed(self._minutes, self._counts)

    def uncut(self) -> list[Minutes]:
        """Return the minutes at whose begin the file must not be cut."""
        first, last = np.array(self._uncut, dtype=np.int64).reshape(-1, 2).T
        return _joined(first, last)

    def before(self, minutes: Sequence[int]) -> list[int]:
        """Return how many lines are due before the begin of each of the minutes."""
        own, counts = self.lines()
        return [int(line) for line in _before(counts)[np.searchsorted(own, minutes)]]


def cuts(outlines: Sequence[Outline], *, lines_max: int) -> list[int]:
    """Return the minutes, but the first, with which a stretch begins: none holds more lines unless it cannot be cut."""
    of_files = [outline.lines() for outline in outlines]
    minutes, counts = _summed([minutes for minutes, _ in of_files], [counts for _, counts in of_files])
    may_cut = np.ones(len(minutes), dtype=bool)
    may_cut[:1] = False
    for first, last in (stretch for outline in outlines for stretch in outline.uncut()):
        may_cut[np.searchsorted(minutes, first) : np.searchsorted(minutes, last, side="right")] = False
    before, places = _before(counts), np.flatnonzero(may_cut)
    before_places = before[places]
    begins: list[int] = []
    begin = 0
    while before[-1] - before[begin] > lines_max:
        furthest = int(np.searchsorted(before_places, before[begin] + lines_max, side="right")) - 1
        place = max(furthest, int(np.searchsorted(places, begin, side="right")))
        if place == len(places):
            break
        begin = int(places[place])
        begins.append(int(minutes[begin]))
    return begins


def _summed(minutes: Sequence[IntArray], counts: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Return the minutes that occur, ascending, each with the sum of its counts."""
    none = np.empty(0, dtype=np.int64)
    order = np.argsort(every := np.concatenate([none, *minutes]), kind="stable")
    every = every[order]
    begins = np.flatnonzero(np.diff(every, prepend=-1))
    return every[begins], np.add.reduceat(np.concatenate([none, *counts])[order], begins) if len(begins) else none


def _before(counts: IntArray) -> IntArray:
    """Return how many lines come before each of these counts, and at last how many there are."""
    return np.concatenate([[0], np.cumsum(counts)])


def _joined(first: IntArray, last: IntArray) -> list[Minutes]:
    """Return what these minutes cover, in the fewest stretches."""
    if not len(first):
        return []
    order = np.argsort(first)
    first, reached = first[order], np.maximum.accumulate(last[order])
    begins = np.flatnonzero(np.append(True, first[1:] > reached[:-1] + 1))
    ends = np.append(begins[1:], len(first)) - 1
    return list(zip(first[begins].tolist(), reached[ends].tolist(), strict=True))


def _crowded(time: IntArray) -> IntArray:
    """Return the minutes before whose begin so many ticks lie that the points of some may lie behind it."""
    near = np.sort(time[(time + NEAR) // MINUTE > time // MINUTE])[::-1]
    begin = near // MINUTE + 1
    _, place = np.unique(-begin, return_index=True)
    rank = np.arange(len(near)) - np.repeat(place, np.diff(np.append(place, len(near)))) + 1
    return np.unique(begin[begin * MINUTE - near <= 4 * rank])
