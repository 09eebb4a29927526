"""A simulated trading day: ticks of well-known shares, the same for the same seed and session.

Everything is a fraction of the session, so that a day with other hours has the same prices, only closer together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MILLISECOND = 10**6
GRID = 0.05  # rupees
TURNS = 9  # how often a day's trend may turn
TURN_SHARE = 0.005  # how far a trend goes, as a share of the price (one standard deviation)
NOISE_SHARE = 0.0065  # how far the noise walks in a day


@dataclass(frozen=True, slots=True)
class Share:
    """A share to simulate: the price at the opening, the ticks of a full day, and how many shares a tick moves
    (0 for an index)."""

    name: str
    price: float
    ticks: int
    size: int


SHARES = (
    Share("RELIANCE", 1426.50, 7_200, 90),
    Share("TCS", 3128.00, 6_000, 35),
    Share("INFY", 1512.30, 6_400, 70),
    Share("HDFCBANK", 968.75, 7_000, 110),
    Share("M&M", 3412.60, 5_200, 30),
    Share("NIFTY 50", 25210.45, 5_000, 0),
)


@dataclass(frozen=True, slots=True)
class SimulatedSymbol:
    """One symbol's day: ``time`` in ns UTC, ascending; last prices; the volume of the day so far."""

    name: str
    time: npt.NDArray[np.int64]
    price: npt.NDArray[np.float64]
    day_volume: npt.NDArray[np.float64]


def simulate(opens: int, closes: int, *, seed: int, shares: Sequence[Share] = SHARES) -> list[SimulatedSymbol]:
    """Return a day of these shares between two instants (ns UTC)."""
    symbols = []
    for place, share in enumerate(shares):
        random = np.random.default_rng([seed, place])
        when = np.sort(random.random(share.ticks))
        time = opens + (when * (closes - opens)).astype(np.int64) // MILLISECOND * MILLISECOND
        # Trading is livelier after the opening and before the close.
        sizes = random.poisson(share.size * (1 + 2 * (2 * when - 1) ** 4)) if share.size else np.zeros(share.ticks)
        day_volume = np.cumsum(sizes).astype(np.float64)
        symbols.append(SimulatedSymbol(share.name, time, _prices(share, when, random), day_volume))
    return symbols


def _prices(share: Share, when: npt.NDArray[np.float64], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return a walk around a trend that turns now and then, on the grid of prices."""
    turns = np.cumsum(np.append(0.0, random.normal(0, TURN_SHARE, TURNS - 1)))
    trend = np.interp(when, np.linspace(0, 1, TURNS), turns)
    noise = np.cumsum(random.normal(0, NOISE_SHARE / np.sqrt(share.ticks), share.ticks))
    return on_grid(share.price * np.exp(trend + noise))


def on_grid(price: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return prices rounded to the grid: the nearest float to each multiple of 0.05, which has none itself."""
    return np.asarray(np.round(np.round(price / GRID) * GRID, 2), dtype=np.float64)
