"""TA-Lib's candlesticks on a day's candles; the only module at that library."""

from __future__ import annotations

import numpy as np
import talib

from lab.domain.candle_grid import CandleGrid
from timeseries.measurements import FloatArray, IntArray

NAMES: tuple[str, ...] = tuple(sorted(talib.get_function_groups()["Pattern Recognition"]))
LOOKBACK = 14  # candles before its own that the longest of them asks for
VERSION = f"TA-Lib {talib.__version__}"


def signs_of(grid: CandleGrid) -> dict[str, IntArray]:
    """Return for each candlestick the sign that it has at each candle: 1 and -1 as TA-Lib tells, 0 without one.

    A candle without a tick is given the close before, for what it does to those behind it; whether they have a whole
    window is not asked here.
    """
    ticked = np.flatnonzero(~np.isnan(grid.close))
    if not len(ticked):
        return {}
    first = int(ticked[0])
    reached = np.maximum.accumulate(np.where(np.isnan(grid.close), 0, np.arange(len(grid.close))))[first:]
    missing = np.isnan(grid.close[first:])

    def column(prices: FloatArray) -> FloatArray:
        return np.where(missing, grid.close[reached], prices[first:])

    prices = [column(of) for of in (grid.open, grid.high, grid.low, grid.close)]
    signs = {}
    for name in NAMES:
        of_name = np.zeros(len(grid.close), dtype=np.int64)
        of_name[first:] = np.sign(getattr(talib, name)(*prices))
        signs[name] = of_name
    return signs
