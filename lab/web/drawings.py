"""What pages of the lab draw: P&L as it went, sets from the best to the worst, and a surface of two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate

from lab.queries.runs import ToldSet
from trading.domain.drawing import Chart, Drawing, drawing
from trading.domain.heat import strength
from trading.web.templatetags.velox import ratio

SIDE_MAX = 40  # lines and columns of a surface: more are no picture but a table


@dataclass(frozen=True, slots=True)
class SurfaceSquare:
    """One set of a surface: its objective (None: it failed, or was not tried) and how deep it is coloured."""

    objective: float | None
    strength: int

    @property
    def tone(self) -> str:
        """The side of zero that the objective lies on."""
        return "" if not self.objective else "gain" if self.objective > 0 else "loss"


@dataclass(frozen=True, slots=True)
class SurfaceMap:
    """Sets by two parameters: a line for each value of the first, a square for each of the second."""

    first: str
    second: str
    columns: list[float]
    lines: list[tuple[float, list[SurfaceSquare]]]


def curve_of(title: str, labels: Sequence[str], amounts: Sequence[Decimal], currency: str) -> Drawing | None:
    """Return amounts added up one after the other; None below two."""
    if len(amounts) < 2:
        return None
    so_far = [Decimal(0), *accumulate(amounts)]
    return drawing(Chart(title, labels, so_far, currency, is_line=True, has_zero=True))


def bars_of(
    title: str, labels: Sequence[str], numbers: Sequence[Decimal | float], currency: str, *, unit: str = ""
) -> Drawing | None:
    """Return numbers as bars from zero, without a currency ratios of a ``unit``; None of nothing."""
    if not numbers:
        return None
    heights = [number if isinstance(number, Decimal) else Decimal(repr(number)) for number in numbers]
    drawn = drawing(Chart(title, labels, heights, currency))
    if currency:
        return drawn
    ends = (f"{name} {ratio(float(end))} {unit}".rstrip() for name, end in
            (("lowest", min(numbers)), ("highest", max(numbers))))  # fmt: skip
    return replace(drawn, caption=f"{labels[0]} to {labels[-1]}: {', '.join(ends)}")


def surface_map(sets: Sequence[ToldSet]) -> SurfaceMap | None:
    """Return the surface of a search that varied two parameters; None where it varied others, or is too large."""
    names = list(sets[0]["parameters"]) if sets else []
    values = {name: sorted({row["parameters"][name] for row in sets}) for name in names}
    varied = [name for name, numbers in values.items() if len(numbers) > 1]
    if len(varied) != 2 or max(len(values[name]) for name in varied) > SIDE_MAX:
        return None
    first, second = varied
    by_place = {(row["parameters"][first], row["parameters"][second]): row["objective"] for row in sets}
    largest = max((Decimal(repr(abs(objective))) for objective in by_place.values() if objective), default=Decimal(0))

    def square(objective: float | None) -> SurfaceSquare:
        return SurfaceSquare(objective, strength(None if objective is None else Decimal(repr(objective)), largest))

    lines = [(own, [square(by_place.get((own, other))) for other in values[second]]) for own in values[first]]
    return SurfaceMap(first, second, values[second], lines)
