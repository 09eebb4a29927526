"""Looks at what follows a pattern: direction from the days before, worth from the days held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import fsum
from typing import TypedDict

import numpy as np

from lab.domain.candle_grid import CandleGrid
from lab.domain.followed import chance_above_zero
from lab.domain.trials import DayDigest
from timeseries.measurements import FloatArray, IntArray, Mask
from trading.domain.money import SCALE
from trading.domain.position import LONG, SHORT


@dataclass(frozen=True, slots=True)
class LookedDay:
    """A symbol's day: its candles, which of them end a window that says something, what followed each, and what
    followed on average; ``is_held_out`` tells on which side of the cut it lies."""

    grid: CandleGrid
    clear: Mask
    step: FloatArray
    basis_points: FloatArray
    usual: float
    is_held_out: bool


def looked_day(grid: CandleGrid, clear: Mask, horizon: int, *, is_held_out: bool) -> LookedDay:
    """Return a day with what followed its candles until so many later."""
    followed = grid.followed(horizon)
    moves = followed.basis_points[clear & ~np.isnan(followed.basis_points)]
    usual = float(moves.mean()) if len(moves) else 0.0
    return LookedDay(grid, clear, followed.step, followed.basis_points, usual, is_held_out)


class PatternRow(TypedDict):
    """One pattern. ``side`` is what the days before say of it; ``followed_bp`` what that brought on average on the days
    held out, in basis points, ``usual_bp`` what any candle of the same days did; ``base_rate`` is the share of candles
    that have it. ``p`` is by luck, ``p_corrected`` among all looks; ``holds`` is below 5 of 100."""

    pattern: str
    sign: int | None
    seen_before: int
    seen: int
    base_rate: float | None
    side: str | None
    followed_before_bp: float | None
    followed_bp: float | None
    usual_bp: float | None
    unanswered: int
    days: int
    p: float | None
    p_corrected: float | None
    holds: bool


@dataclass(frozen=True, slots=True)
class PatternLook:
    """A pattern and the candles of each day at which it was seen."""

    pattern: str
    sign: int | None
    seen: Sequence[IntArray]

    def direction(self, days: Sequence[LookedDay]) -> int:
        """Return 1 or -1 as the price went after it beyond the usual on the days before; 0 where that is not known."""
        return int(np.sign(fsum(map(fsum, self._beyond(days, is_held_out=False).values()))))

    def row(self, days: Sequence[LookedDay]) -> PatternRow:
        """Return what is told of it, not yet corrected."""
        way = self.direction(days)
        by_day = [way * fsum(beyond) for beyond in self._beyond(days, is_held_out=True).values()]
        out = [(day, rows) for day, rows in zip(days, self.seen, strict=True) if day.is_held_out]
        clear = sum(int(day.clear.sum()) for day, _ in out)
        seen = sum(len(rows) for _, rows in out)
        usual = [day.basis_points[day.clear] for day, rows in out if len(rows)]
        return {
            "pattern": self.pattern,
            "sign": self.sign,
            "seen_before": sum(map(len, self.seen)) - seen,
            "seen": seen,
            "base_rate": seen / clear if clear else None,
            "side": {1: LONG, -1: SHORT}.get(way),
            "followed_before_bp": _mean(self._answers(days, is_held_out=False), way),
            "followed_bp": _mean(self._answers(days, is_held_out=True), way),
            "usual_bp": _mean(usual, way),
            "unanswered": sum(int(np.isnan(day.basis_points[rows]).sum()) for day, rows in out),
            "days": len(by_day),
            "p": chance_above_zero(by_day) if way else None,
            "p_corrected": None,
            "holds": False,
        }

    def digests(self, days: Sequence[LookedDay], calendar: Sequence[date]) -> list[DayDigest]:
        """Return what one unit in its direction brought on each day, before charges."""
        way, of_days = self.direction(days), {day: [0, 0, 0] for day in calendar}
        for day, rows in zip(days, self.seen, strict=True):
            steps = day.step[rows[~np.isnan(day.step[rows])]]
            sums = of_days[day.grid.day]
            sums[0] += sum(round(way * step * SCALE) for step in steps.tolist())
            sums[1] += len(rows)
            sums[2] += len(steps)
        return [
            DayDigest(pnl=pnl, opened=seen, closed=closed, censored=seen - closed)
            for pnl, seen, closed in of_days.values()
        ]

    def _answers(self, days: Sequence[LookedDay], *, is_held_out: bool) -> list[FloatArray]:
        return [
            day.basis_points[rows] for day, rows in zip(days, self.seen, strict=True) if day.is_held_out == is_held_out
        ]

    def _beyond(self, days: Sequence[LookedDay], *, is_held_out: bool) -> dict[date, list[float]]:
        """Return by day what followed each, less what is usual on that symbol's day."""
        beyond: dict[date, list[float]] = {}
        for day, rows in zip(days, self.seen, strict=True):
            answers = day.basis_points[rows[~np.isnan(day.basis_points[rows])]]
            if day.is_held_out == is_held_out and len(answers):
                beyond.setdefault(day.grid.day, []).extend((answers - day.usual).tolist())
        return beyond


def _mean(columns: Sequence[FloatArray], way: int) -> float | None:
    moves = [move for column in columns for move in column[~np.isnan(column)].tolist()]
    return way * fsum(moves) / len(moves) if moves and way else None
