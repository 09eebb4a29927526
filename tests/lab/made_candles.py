"""Days of candles made up: a price that wanders, and what is planted into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from lab.domain.candle_grid import CandleGrid, repeating, windows_of
from lab.patterns.looks import LookedDay, looked_day

PRICE_TICK = 0.05
CANDLES = 375


def wandering(seed: int, day: date = date(2021, 4, 12), candles: int = CANDLES) -> CandleGrid:
    """A day whose ticks are a random walk: four of them a candle."""
    steps = np.random.default_rng(seed).normal(0, 0.6, size=(candles, 4)).cumsum().reshape(candles, 4)
    return of_columns(1900 + steps, day)


def of_columns(ticks: np.ndarray, day: date = date(2021, 4, 12)) -> CandleGrid:
    """A day of candles of so many ticks each (columns), NaN where there is none."""
    return of_prices(ticks[:, 0], ticks.max(axis=1), ticks.min(axis=1), ticks[:, -1], day)


def of_prices(
    opened: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray, day: date = date(2021, 4, 12)
) -> CandleGrid:
    return CandleGrid("A", day, PRICE_TICK, opened, high, low, close, repeating(high, low, close))


def noise(seed: int, days: int) -> list[CandleGrid]:
    """Days of nothing but noise."""
    return [wandering(1000 * seed + number, date(2021, 1, 1) + timedelta(days=number)) for number in range(days)]


def lifted(grid: CandleGrid, start: int, rises: np.ndarray) -> CandleGrid:
    """The same day, whose prices are higher from a candle on: by each of these, and by the last of them after."""
    lift = np.zeros(len(grid.close))
    lift[start : start + len(rises)] = rises
    lift[start + len(rises) :] = rises[-1]
    before = np.concatenate([[0.0], lift[:-1]])  # a candle opens where the last one closed
    opened, close = grid.open + before, grid.close + lift
    return replace(
        grid, open=opened, close=close, high=np.fmax(grid.high + lift, np.fmax(opened, close)),
        low=np.fmin(grid.low + lift, np.fmin(opened, close)),
    )  # fmt: skip


def cut(grids: Sequence[CandleGrid], width: int, held_out: int, horizon: int = 5) -> list[LookedDay]:
    """Days as they are looked at, the last of them held out."""
    return [
        looked_day(grid, windows_of(grid, width).clear, horizon, is_held_out=number >= len(grids) - held_out)
        for number, grid in enumerate(grids)
    ]
