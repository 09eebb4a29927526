"""Other stops for a trade that was made: pure, on the ticks after its entry, in integers of 10^-8."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timeseries.measurements import FloatArray, IntArray
from trading.domain.money import SCALE, divide_half_even

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class StopRule:
    """A stop so many basis points of the entry away, that stays where it is or trails the best price."""

    basis_points: int
    trails: bool

    @property
    def name(self) -> str:
        """The rule as people read it."""
        return f"{'trail' if self.trails else 'stop'} {self.basis_points} bp"

    def exit_row(self, prices: IntArray, entry: int, *, is_long: bool) -> int | None:
        """Return which of the prices after the entry, all in units, fills the stop; None where none reaches it.

        At each price the stop as it stood is tested first, and then the best price is raised.
        """
        if not len(prices):
            return None
        sign = 1 if is_long else -1
        distance = divide_half_even(abs(entry) * self.basis_points, BASIS_POINTS)
        gains = sign * (prices - entry)
        best: IntArray | int = 0
        if self.trails:
            best = np.maximum.accumulate(np.concatenate([[0], gains[:-1]]))
        reached = np.flatnonzero(gains <= np.maximum(best, 0) - distance)
        return int(reached[0]) if len(reached) else None


def units_of(prices: FloatArray) -> IntArray:
    """Return prices as integers of 10^-8, each the one nearest to it."""
    return np.rint(prices * SCALE).astype(np.int64)
