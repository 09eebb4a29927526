"""How deep a square is coloured, and the squares of a heat map of weekday and hour. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.domain.cuts import WEEKDAYS
from trading.domain.drawn_shapes import WeekdayHour

STRENGTHS = 3
CHANCE_MAX = 0.05  # below it an hour stands out


@dataclass(frozen=True, slots=True)
class HeatSquare:
    """One weekday's hour; ``row`` is None where no trade was opened then. ``strength`` as of `strength`."""

    row: WeekdayHour | None
    strength: int
    stands_out: bool


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A line of squares per weekday, one for each of ``hours``.

    ``looked_at`` is of how many differences p is corrected for, ``stand_out`` how many hours do so nevertheless.
    """

    hours: list[str]
    lines: list[tuple[str, list[HeatSquare]]]
    looked_at: int
    stand_out: int


def strength(amount: Decimal | None, largest: Decimal) -> int:
    """Return 1 to 3 by how large an amount is beside the largest one shown, 0 of nothing."""
    if not amount or not largest:
        return 0
    return min(STRENGTHS, 1 + int(STRENGTHS * abs(amount) / largest))


def heat_map(rows: Sequence[WeekdayHour]) -> HeatMap:
    """Return the map of a report's hours; weekdays without a trade are left out, hours between the first and the last
    are all there."""
    largest = max((abs(row["expectancy"] or Decimal(0)) for row in rows), default=Decimal(0))
    by_place = {(row["weekday"], row["hour"]): row for row in rows}
    numbers = [int(row["hour"][:2]) for row in rows]
    hours = [f"{hour:02d}:00" for hour in range(min(numbers), max(numbers) + 1)] if numbers else []

    def square(row: WeekdayHour | None) -> HeatSquare:
        if row is None:
            return HeatSquare(None, 0, stands_out=False)
        p = row["p_adjusted"]
        return HeatSquare(row, strength(row["expectancy"], largest), stands_out=p is not None and p < CHANCE_MAX)

    traded = {row["weekday"] for row in rows}
    lines = [(day, [square(by_place.get((day, hour))) for hour in hours]) for day in WEEKDAYS if day in traded]
    return HeatMap(
        hours,
        lines,
        sum(row["p"] is not None for row in rows),
        sum(place.stands_out for _, squares in lines for place in squares),
    )
