"""Drawdowns and streaks of columns of whole numbers: what `statistics` and `runs` tell of rows, all at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.domain import statistics
from trading.domain.runs import Streaks
from trading.domain.statistics import Drawdown

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Whole = Integers | NDArray[np.object_]
CLOSE = 4  # whole numbers lie close together where so many times their count holds them all
_NEAR = 1 - 1e-9  # far more than a quotient of floats can be wrong by


class EquityEnds(NamedTuple):
    """Every episode below a peak, ascending, and equity at the end with the peak that it is measured from."""

    episodes: list[Drawdown]
    equity: int
    peak: int


def drawdowns(changes: Whole, capital: int, flows: Whole) -> EquityEnds:
    """Return `statistics.drawdowns` and `runs.peak_of` of columns, units of 10^-8."""
    if not len(changes):
        return EquityEnds([], capital, capital)
    reach = sum(int(np.abs(column.astype(np.float64)).sum()) for column in (changes, flows)) + abs(capital)
    if reach >= 2**62:
        changes, flows = changes.astype(object), flows.astype(object)
    # A flow moves equity and peak alike, so how far equity is below is told without any.
    so_far: Whole = np.add.accumulate(changes)
    came_in: Whole = np.add.accumulate(flows)
    top: Whole = np.maximum(np.maximum.accumulate(so_far), 0)
    below: Whole = top - so_far
    peaks: Whole = top + came_in + capital
    ends = int(peaks[-1] - below[-1]), int(peaks[-1])
    edges = np.flatnonzero(np.diff(np.concatenate(([False], below > 0, [False])).astype(np.int8)))
    begins, stops = edges[::2], edges[1::2]
    if not len(begins):
        return EquityEnds([], *ends)
    places = np.flatnonzero(below > 0)
    depth_at, peak_at = below[places], peaks[places]
    starts = np.concatenate(([0], np.cumsum(stops - begins)[:-1]))
    episode_at = np.repeat(np.arange(len(begins)), stops - begins)
    depths = np.maximum.reduceat(depth_at, starts)
    deepest = np.flatnonzero(depth_at == depths[episode_at])
    lowest = places[deepest[np.searchsorted(deepest, starts)]]
    percents = _percents(depth_at, peak_at, starts, episode_at)
    columns = (depths.tolist(), percents, (begins - 1).tolist(), lowest.tolist(), stops.tolist())
    episodes = [
        Drawdown(depth, percent, began, low, ended if ended < len(changes) else None)
        for depth, percent, began, low, ended in zip(*columns, strict=True)
    ]
    return EquityEnds(episodes, *ends)


def worst_falls(changes: Whole, starts: Integers, capitals: Sequence[int]) -> list[list[Drawdown]]:
    """Return of each stretch of changes that begins at one of ``starts``, beside its capital, its falls in one: the
    deepest in money and in percent of all its `drawdowns`; none where equity never fell. No capital flows in between.
    """
    size = np.diff(np.append(starts, len(changes)))
    stretch = np.repeat(np.arange(len(starts)), size)
    reach = int(np.abs(changes.astype(np.float64)).sum()) + max(map(abs, capitals), default=0)
    so_far: Whole = np.add.accumulate(changes if reach < 2**62 else changes.astype(object))
    so_far -= np.repeat(so_far[starts] - changes[starts], size)
    step = int(so_far.max()) - int(so_far.min()) + 1
    if reach >= 2**62 or step * len(starts) >= 2**62:
        falls = []
        ends = [*starts[1:].tolist(), len(changes)]
        for begin, end, capital in zip(starts.tolist(), ends, capitals, strict=True):
            episodes = drawdowns(changes[begin:end], capital, np.zeros(end - begin, dtype=np.int64)).episodes
            deepest, steepest = statistics.deepest(episodes), statistics.steepest(episodes)
            percent = None if steepest is None else steepest.percent
            falls.append([] if deepest is None else [Drawdown(deepest.depth, percent, -1, 0, None)])
        return falls
    # Each stretch lies higher than all before it, so that one pass keeps the highest value of each.
    top = np.maximum(np.maximum.accumulate(so_far + stretch * step) - stretch * step, 0)
    below, peaks = top - so_far, top + np.array(capitals, dtype=np.int64)[stretch]
    depths, percents = np.maximum.reduceat(below, starts), _percents(below, peaks, starts, stretch)
    return [
        [Drawdown(depth, percent, -1, 0, None)] if depth else []
        for depth, percent in zip(depths.tolist(), percents, strict=True)
    ]


def _percents(depth_at: Whole, peak_at: Whole, starts: Integers, episode_at: Integers) -> list[float | None]:
    """Return of each episode the largest part of a peak that was lost, None above peaks of nothing."""
    about = np.full(len(depth_at), -1.0)
    has_peak = np.flatnonzero(peak_at > 0)
    about[has_peak] = depth_at[has_peak].astype(np.float64) / peak_at[has_peak].astype(np.float64)
    largest = np.maximum.reduceat(about, starts)
    percents: list[float | None] = [None] * len(starts)
    # Equal parts of unequal peaks must come out equal, so those that may be the largest are divided as integers.
    for place in np.flatnonzero((about > 0) & (about >= _NEAR * largest[episode_at])).tolist():
        episode = int(episode_at[place])
        percents[episode] = max(percents[episode] or 0.0, 100 * int(depth_at[place]) / int(peak_at[place]))
    return percents


def streaks(at: Integers, pnl: Whole) -> Streaks:
    """Return `runs.streaks` of trades that closed at some instants with some P&L."""
    if not len(at):
        return Streaks(0, 0, 0)
    sign = (pnl > 0).astype(np.int64) - (pnl < 0)
    ordered = sign[in_order(at, sign)]
    begins = np.flatnonzero(np.concatenate(([True], np.diff(ordered) != 0)))
    lengths = ordered[begins] * np.diff(np.append(begins, len(ordered)))
    return Streaks(max(0, int(lengths.max())), max(0, -int(lengths.min())), int(lengths[-1]))


def in_order(numbers: Integers, *further: Integers | Floats) -> Integers:
    """Return the places of whole numbers, ascending, of equal ones by further columns and then as they stand: what
    `numpy.lexsort` sorts all rows by each column for. Most often few are equal."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    is_equal = ordered[1:] == ordered[:-1]
    if is_equal.any():
        tied = np.flatnonzero(np.concatenate((is_equal, [False])) | np.concatenate(([False], is_equal)))
        places = np.sort(order[tied])
        order[tied] = places[np.lexsort((*(column[places] for column in further[::-1]), numbers[places]))]
    return order


def distinct(numbers: Integers) -> tuple[Integers, Integers]:
    """Return the different ones of some whole numbers, ascending, and the place of each number among them: what
    `numpy.unique` sorts for is counted where the numbers lie close together."""
    first = int(numbers.min()) if len(numbers) else 0
    span = int(numbers.max()) - first + 1 if len(numbers) else 0
    if span > CLOSE * (len(numbers) + 1):
        different, places = np.unique(numbers, return_inverse=True)
        return different, places.reshape(-1).astype(np.int64)
    is_one = np.zeros(span, dtype=bool)
    is_one[numbers - first] = True
    return np.flatnonzero(is_one) + first, (np.cumsum(is_one) - 1)[numbers - first]
