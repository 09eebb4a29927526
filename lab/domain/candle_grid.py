"""A symbol's candles of one day on the grid of its session, and which windows of them say something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from timeseries.measurements import FloatArray, IntArray, Mask

FLAT_TICKS = 4  # closes that span fewer price ticks show the grid of prices and no shape
REPEATS = 3  # candles in a row that only repeat the close before are a feed's filling, or nobody trades
BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class CandleGrid:
    """Prices of each candle from the opening to the close; NaN where no tick came. ``price_tick`` is in money, and
    ``filled`` says which candles only repeat (`repeating`)."""

    symbol: str
    day: date
    price_tick: float
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    filled: Mask

    def followed(self, horizon: int) -> Followed:
        """Return what followed each candle until so many later: NaN where the next one has no tick, and where the day
        ends before."""
        reached = np.maximum.accumulate(np.where(np.isnan(self.close), -1, np.arange(len(self.close))))
        last = np.where(reached < 0, np.nan, self.close[reached])
        entry, step = np.full((2, len(self.close)), np.nan)
        count = len(self.close) - horizon
        if count > 0:
            entry[:count] = self.open[1 : count + 1]
            step[:count] = last[horizon:] - entry[:count]
        return Followed(step, step / entry * BASIS_POINTS)


@dataclass(frozen=True, slots=True)
class Followed:
    """What the price did after each candle, from the first price of the next one: in money, and in basis points."""

    step: FloatArray
    basis_points: FloatArray


def repeating(high: FloatArray, low: FloatArray, close: FloatArray) -> Mask:
    """Return which candles are at least the third in a row that has one price, which is the close before. Causal."""
    before = np.concatenate([[np.nan], close])[: len(close)]
    repeats = (high == low) & (close == before)
    whole = repeats.copy()
    for back in range(1, REPEATS):
        whole &= np.concatenate([np.zeros(back, dtype=bool), repeats])[: len(close)]
    return np.asarray(whole, dtype=bool)


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a grid that end at each candle: which say something, and how many do not and why."""

    clear: Mask
    gap: int
    filled: int
    flat: int


def windows_of(grid: CandleGrid, width: int) -> Windows:
    """Return which windows of so many candles have a tick in each, are not filled, and span enough price ticks."""
    count = len(grid.close) - width + 1
    if count <= 0:
        return Windows(np.zeros(len(grid.close), dtype=bool), 0, 0, 0)
    closes = sliding_window_view(grid.close, width)
    gap = np.isnan(closes).any(axis=1)
    filled = sliding_window_view(grid.filled, width).any(axis=1) & ~gap
    flat = ~gap & ~filled & (np.ptp(closes, axis=1) < (FLAT_TICKS - 0.5) * grid.price_tick)
    clear = np.concatenate([np.zeros(width - 1, dtype=bool), ~(gap | filled | flat)])
    return Windows(clear, int(gap.sum()), int(filled.sum()), int(flat.sum()))


def apart(rows: IntArray, width: int) -> IntArray:
    """Return those rows, in order, that lie at least so far behind the last one that was returned."""
    kept: list[int] = []
    for row in rows.tolist():
        if not kept or row - kept[-1] >= width:
            kept.append(row)
    return np.array(kept, dtype=np.int64)
