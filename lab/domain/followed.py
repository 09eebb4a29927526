"""What followed an event out of sample, day by day, and how likely that is by luck among many looks."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from trading.domain import student

DAYS_MIN = 5  # below, nobody can tell how much days differ
LUCK_MAX = 0.05
CORRECTION = "Holm"


def chance_above_zero(by_day: Sequence[float]) -> float | None:
    """Return how likely days without any effect have a mean as high by luck: Student's t of the days, one side.

    What happens within a day goes together, so it is added up before. None below `DAYS_MIN` days.
    """
    if len(by_day) < DAYS_MIN:
        return None
    mean, spread = fmean(by_day), stdev(by_day) / sqrt(len(by_day))
    if spread == 0:
        return 1.0 if mean <= 0 else 0.0
    half = student.two_sided(mean / spread, len(by_day) - 1) / 2
    return half if mean > 0 else 1 - half


def holm(chances: Sequence[float | None], looks: int) -> list[float | None]:
    """Return each chance corrected for so many looks (Holm 1979): the kth lowest times looks − k + 1, never below the
    one before it. It holds whatever the looks have in common; those whose chance is not given count as 1.

    Raises: ValueError where there were fewer looks than chances.
    """
    if looks < len(chances):
        raise ValueError(f"{len(chances)} chances come from {looks} looks.")
    ranked = sorted((chance, place) for place, chance in enumerate(chances) if chance is not None)
    corrected: list[float | None] = [None] * len(chances)
    highest = 0.0
    for rank, (chance, place) in enumerate(ranked):
        highest = max(highest, min(1.0, chance * (looks - rank)))
        corrected[place] = highest
    return corrected
