"""Where a feed may be cut: instants that part every file's lines, so that each stretch between two of them can be
understood, numbered and recorded by itself."""

from __future__ import annotations

from collections import Counter
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

    lines: Counter[int] = field(default_factory=Counter)
    _uncut: list[Minutes] = field(default_factory=list)
    _latest: int = 0

    def add(self, ticks: Ticks) -> None:
        """Take the file's next ticks, in the order of their lines."""
        if not len(ticks):
            return
        due = np.maximum.accumulate(np.maximum(ticks.time, self._latest))
        self._latest = int(due[-1])
        minutes, counts = np.unique(due // MINUTE, return_counts=True)
        self.lines.update(dict(zip(minutes.tolist(), counts.tolist(), strict=True)))
        first, last = ticks.time // MINUTE + 1, due // MINUTE
        back = last >= first
        self._uncut += _joined(first[back], last[back])
        crowded = _crowded(ticks.time)
        self._uncut += _joined(crowded, crowded)
        if len(self._uncut) > JOINED_AT:
            self._uncut = self.uncut()

    def uncut(self) -> list[Minutes]:
        """Return the minutes at whose begin the file must not be cut."""
        first, last = np.array(self._uncut, dtype=np.int64).reshape(-1, 2).T
        return _joined(first, last)

    def before(self, minutes: Sequence[int]) -> list[int]:
        """Return how many lines are due before the begin of each of the minutes."""
        order = sorted(self.lines)
        sums = np.cumsum([0, *(self.lines[minute] for minute in order)])
        return [int(sums[place]) for place in np.searchsorted(order, minutes)]


def cuts(outlines: Sequence[Outline], *, lines_max: int) -> list[int]:
    """Return the minutes, but the first, with which a stretch begins: none holds more lines unless it cannot be cut."""
    total: Counter[int] = Counter()
    for outline in outlines:
        total.update(outline.lines)
    minutes = np.array(sorted(total), dtype=np.int64)
    may_cut = np.ones(len(minutes), dtype=bool)
    may_cut[:1] = False
    for first, last in (stretch for outline in outlines for stretch in outline.uncut()):
        may_cut[np.searchsorted(minutes, first) : np.searchsorted(minutes, last, side="right")] = False
    lines = np.cumsum([0, *(total[minute] for minute in minutes.tolist())])
    begins: list[int] = []
    begin, last_place = 0, 0
    for place in (*np.flatnonzero(may_cut).tolist(), len(minutes)):
        if lines[place] - lines[begin] > lines_max and last_place > begin:
            begins.append(int(minutes[last_place]))
            begin = last_place
        last_place = place
    return begins


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
