"""Figures of order in time: streaks, where equity stands below its peak now, recovery, the best and the worst day.

Pure, in units of 10^-8 like `trading.domain.statistics`; what is undefined is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from trading.domain.statistics import Drawdown

Instant = TypeVar("Instant", datetime, int)  # an int counts microseconds


@dataclass(frozen=True, slots=True)
class Streaks:
    """The longest run of wins and of losses; ``current`` counts the last run, below zero where it is of losses."""

    longest_wins: int
    longest_losses: int
    current: int


def streaks(closed: Sequence[tuple[Instant, int]]) -> Streaks:
    """Return the streaks of trades given as (closed at, P&L). One that breaks even ends a streak and begins none.

    Trades that closed at one instant have no order: losses are put before wins, so that their order in changes
    nothing.
    """
    wins = losses = current = 0
    for _, pnl in sorted(closed):
        sign = (pnl > 0) - (pnl < 0)
        current = current + sign if current * sign > 0 else sign
        wins, losses = max(wins, current), max(losses, -current)
    return Streaks(wins, losses, current)


def current_drawdown(episodes: Sequence[Drawdown], equity: int, peak: int) -> tuple[int, float | None]:
    """Return how far equity stands below its peak at the end: money (at least 0) and percent of the peak."""
    if not episodes or episodes[-1].ended is not None:
        return 0, 0.0 if peak > 0 else None
    depth = peak - equity
    return depth, 100 * depth / peak if peak > 0 else None


def peak_of(changes: Sequence[int], capital: int, flows: Sequence[int]) -> tuple[int, int]:
    """Return equity at the end and the peak it is measured from, flows moving both (see `statistics.drawdowns`)."""
    equity = peak = capital
    for change, flow in zip(changes, flows, strict=True):
        equity, peak = equity + flow + change, peak + flow
        peak = max(peak, equity)
    return equity, peak


def recovery_factor(pnl: int, max_drawdown: int) -> float | None:
    """Return P&L ÷ the largest drawdown in money (Vince's recovery factor). None without a drawdown."""
    return pnl / max_drawdown if max_drawdown else None


def best_and_worst(days: Mapping[date, int]) -> tuple[tuple[date, int], tuple[date, int]] | None:
    """Return the day that brought most and the one that brought least, each the earliest of equal ones."""
    if not days:
        return None
    ordered = sorted(days.items())
    return max(ordered, key=lambda day_pnl: day_pnl[1]), min(ordered, key=lambda day_pnl: day_pnl[1])
