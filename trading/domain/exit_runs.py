"""Drawdowns and streaks of columns of whole numbers: what `statistics` and `runs` tell of rows, all at once. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.domain.runs import Streaks
from trading.domain.statistics import Drawdown

Integers = NDArray[np.int64]
Whole = Integers | NDArray[np.object_]
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
    ordered = sign[np.lexsort((sign, at))]
    begins = np.flatnonzero(np.concatenate(([True], np.diff(ordered) != 0)))
    lengths = ordered[begins] * np.diff(np.append(begins, len(ordered)))
    return Streaks(max(0, int(lengths.max())), max(0, -int(lengths.min())), int(lengths[-1]))
