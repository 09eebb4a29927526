"""Shapes that come again: the matrix profile of closes, and where a shape is seen in other days.

The distance of two windows is that of their z-normalised closes, told as their correlation r: d² = 2·m·(1 − r) for m
candles (Yeh et al. 2016). Windows that say nothing are nobody's neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lab.domain.candle_grid import CandleGrid, apart, windows_of
from timeseries.measurements import FloatArray, IntArray
from trading.progress import tell

WINDOWS_MAX = 20_000  # that are compared with each other: a profile of more takes quadratically longer
ROWS_AT_ONCE = 256  # of the profile: 40 MB of correlations
RADIUS = 2.0  # windows within so many times the distance of a motif's pair belong to it (Mueen 2009)
ALIKE = 0.98  # windows that correlate so well belong to it in any case, however near its pair is
SHUFFLES = 20  # of each day, for how often a shape comes by chance


@dataclass(frozen=True, slots=True)
class Shapes:
    """The windows of some grids that say something: z-normalised closes of length 1 (rows), the grid of each, the
    candle it ends at, and its place on a line on which no two grids touch."""

    normal: FloatArray
    grid: IntArray
    end: IntArray
    place: IntArray

    def __len__(self) -> int:
        return len(self.end)


@dataclass(frozen=True, slots=True)
class Motif:
    """A shape and how near another is to belong to it; ``pair`` are the rows of the two that are nearest."""

    shape: FloatArray
    pair: tuple[int, int]
    nearest: float
    correlation_min: float


def shapes_of(grids: Sequence[CandleGrid], width: int) -> Shapes:
    """Return the windows of so many candles that say something."""
    rows, owners, ends, places, offset = [np.empty((0, width))], [], [], [], 0
    for number, grid in enumerate(grids):
        at = np.flatnonzero(windows_of(grid, width).clear)
        if len(at):
            rows.append(normalised(sliding_window_view(grid.close, width)[at - width + 1]))
        owners.append(np.full(len(at), number))
        ends.append(at)
        places.append(at + offset)
        offset += len(grid.close) + width
    empty = np.empty(0, dtype=np.int64)
    joined = [np.concatenate([empty, *columns]).astype(np.int64) for columns in (owners, ends, places)]
    return Shapes(np.concatenate(rows), *joined)


def normalised(windows: FloatArray) -> FloatArray:
    """Return each row less its mean, at length 1, so that a product of two is their correlation; 0 of a flat one."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    unit: FloatArray = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return unit


def profile(shapes: Shapes, width: int) -> tuple[FloatArray, IntArray]:
    """Return the highest correlation of each window with one that lies more than a quarter of it away, and which that
    is (-1: none): the matrix profile, counted by products of matrices."""
    best, nearest = np.full(len(shapes), -2.0), np.full(len(shapes), -1, dtype=np.int64)
    excluded = ceil(width / 4)
    for start in range(0, len(shapes), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        products = shapes.normal[rows] @ shapes.normal.T
        near = shapes.place[rows]
        low, high = np.searchsorted(shapes.place, near - excluded), np.searchsorted(shapes.place, near + excluded + 1)
        for row, (begin, end) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            products[row, begin:end] = -2.0
        nearest[rows] = products.argmax(axis=1)
        best[rows] = np.take_along_axis(products, nearest[rows, None], axis=1)[:, 0]
        tell("windows", min(start + ROWS_AT_ONCE, len(shapes)), len(shapes))
    nearest[best == -2.0] = -1
    return best, nearest


def motifs_of(shapes: Shapes, width: int, count: int) -> list[Motif]:
    """Return so many pairs of windows that are nearest, none of which touches a window of one before it."""
    best, nearest = profile(shapes, width)
    is_left, is_taken = nearest >= 0, np.zeros(len(shapes), dtype=bool)
    motifs: list[Motif] = []
    while (is_left & ~is_taken).any() and len(motifs) < count:
        first = int(np.where(is_left & ~is_taken, best, -2.0).argmax())
        second, correlation = int(nearest[first]), float(best[first])
        is_left[first] = False
        if is_taken[second]:
            continue
        limit = min(ALIKE, max(0.0, 1 - RADIUS**2 * (1 - correlation)))
        motif = Motif(shapes.normal[first], (first, second), correlation, limit)
        motifs.append(motif)
        members = np.flatnonzero(shapes.normal @ motif.shape >= motif.correlation_min)
        for place in shapes.place[[*members, first, second]].tolist():
            is_taken |= np.abs(shapes.place - place) < width
    return motifs


def seen(motifs: Sequence[Motif], grid: CandleGrid, width: int) -> list[IntArray]:
    """Return the candles of a day at which each shape was seen, first come, none touching the one before: causal."""
    shapes = shapes_of([grid], width)
    return [apart(shapes.end[shapes.normal @ motif.shape >= motif.correlation_min], width) for motif in motifs]


def seen_by_chance(motifs: Sequence[Motif], grid: CandleGrid, width: int, chance: np.random.Generator) -> FloatArray:
    """Return how often each shape is seen on average where the day's moves from close to close come in any order."""
    counts = np.zeros(len(motifs))
    for _ in range(SHUFFLES):
        counts += [len(rows) for rows in seen(motifs, shuffled(grid, chance), width)]
    return counts / SHUFFLES


def shuffled(grid: CandleGrid, chance: np.random.Generator) -> CandleGrid:
    """Return a day with the same gaps, whose moves from one close to the next one known are in another order."""
    ticked = np.flatnonzero(~np.isnan(grid.close))
    close = grid.close.copy()
    if len(ticked) > 1:
        moves = chance.permutation(np.diff(np.log(close[ticked])))
        close[ticked[1:]] = close[ticked[0]] * np.exp(np.cumsum(moves))
    return replace(grid, close=close)
