"""Excursions of a trade for and against its holder before it was closed: MAE and MFE (Sweeney 1996), from ticks.

The path is the whole trade's gross P&L, realised and open, at every tick and at every fill: each price counts with the
quantity that was held then, so scaling in and out weighs itself. MAE is its lowest point, at most 0, MFE its highest,
at least 0; the final P&L lies between them, and MFE − P&L is what was given back.

A tick at the very instant of a fill may have come before or after it: it counts with what was held before the fill, at
the opening with what was opened. Money in units of 10^-8, instants in ns UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trading.domain import position
from trading.domain.money import SCALE
from trading.domain.position import EXIT_SIDE, LONG, Execution, Holding

TickTimes = npt.NDArray[np.int64]
TickPrices = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Extreme:
    """One end of the path: the P&L there, the price that made it (both in units), and when it was first seen (ns)."""

    pnl: int
    price: int
    at: int


@dataclass(frozen=True, slots=True)
class PathExtremes:
    """The two ends of a trade's path. ``ticks`` is how many prices came while it was open; of none, the fills alone."""

    mae: Extreme
    mfe: Extreme
    ticks: int


class ExcursionPoint(NamedTuple):
    """One measured trade of a scatter, money before charges: the lowest, the highest, the end."""

    pk: int
    trade_id: str
    mae: Decimal
    mfe: Decimal
    pnl: Decimal


class PricePath:
    """The path of one trade through its ticks, which are added day by day in any pieces that ascend.

    Args:
        side: LONG or SHORT.
        multiplier: of the instrument, in units.
        fills: (instant, fill), in order of booking; the first opens the trade.
    """

    def __init__(self, side: str, multiplier: int, fills: Sequence[tuple[int, Execution]]) -> None:
        self.side = side
        holding = Holding(side, multiplier)
        # What is held after each fill, and the instants (after, until] in which that counts.
        self._stretches: list[tuple[Holding, int, int]] = []
        for place, (at, fill) in enumerate(fills):
            holding, _ = position.apply(holding, fill)
            after = at if place else at - 1  # the instant of the opening belongs to what was opened
            until = fills[place + 1][0] if place + 1 < len(fills) else np.iinfo(np.int64).max
            self._stretches.append((holding, after, int(until)))
        self._ticks = 0
        at, opening = fills[0]
        start = Extreme(0, opening.price, at)
        self._worst = self._best = start
        for (instant, fill), (holding, _, _) in zip(fills, self._stretches, strict=True):
            if fill.price or (
                fill.side == EXIT_SIDE[side] and not fill.is_split
            ):  # units that came for nothing tell no price of the market
                self._see(Extreme(worth(holding, fill.price), fill.price, instant))

    def add(self, times: TickTimes, lows: TickPrices, highs: TickPrices) -> None:
        """Take ticks, ascending by instant: one price each (lows and highs alike), or bars with both ends."""
        for holding, after, until in self._stretches:
            start, stop = np.searchsorted(times, after, side="right"), np.searchsorted(times, until, side="right")
            if start >= stop or not holding.open_quantity:
                continue
            self._ticks += int(stop - start)
            low, high = int(start + np.argmin(lows[start:stop])), int(start + np.argmax(highs[start:stop]))
            for place, price in ((low, lows[low]), (high, highs[high])):
                units = round(float(price) * SCALE)
                self._see(Extreme(worth(holding, units), units, int(times[place])))

    def result(self) -> PathExtremes:
        """Return the two ends of the path so far."""
        return PathExtremes(self._worst, self._best, self._ticks)

    def _see(self, point: Extreme) -> None:
        if (point.pnl, point.at) < (self._worst.pnl, self._worst.at):
            self._worst = point
        if (-point.pnl, point.at) < (-self._best.pnl, self._best.at):
            self._best = point


def worth(holding: Holding, price: int) -> int:
    """Return a holding's whole gross P&L at a price, in units: realised, and what closing the rest would bring."""
    proceeds = position.value_of(price, holding.open_quantity, holding.multiplier)
    open_pnl = proceeds - holding.open_cost if holding.side == LONG else holding.open_cost - proceeds
    return holding.realised_pnl + open_pnl


PATH_FIELDS = ("close", "high", "low")  # of ticks: all that `path_prices` looks at beside the time


def path_prices(ticks: pa.Table) -> tuple[TickTimes, TickPrices, TickPrices]:
    """Return instants, lowest and highest prices, ascending by the exchange's own time; a tick's price is both."""
    times = ticks.column("exchange_time").cast(pa.int64()).to_numpy()
    order = np.argsort(times, kind="stable")
    close = numbers(ticks, "close")
    lows, highs = np.fmin(close, numbers(ticks, "low")), np.fmax(close, numbers(ticks, "high"))
    return times[order], lows[order], highs[order]


def numbers(ticks: pa.Table, name: str) -> TickPrices:
    """Return a column as floats; null becomes NaN."""
    floats: TickPrices = ticks.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
    return floats
