"""What predictions of outcomes are worth, out of sample: pure functions of numbers that were told beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, sqrt
from statistics import fmean, stdev

import numpy as np

from timeseries.measurements import FloatArray, IntArray
from trading.domain import student

DAYS_MIN = 5  # below, nobody can tell how much days differ


@dataclass(frozen=True, slots=True)
class CalibrationStep:
    """Some neighbouring predictions: how many, their mean, and the mean of what then came."""

    size: int
    predicted: float
    outcome: float


def out_of_sample_r2(outcomes: FloatArray, predicted: FloatArray, reference: FloatArray) -> float | None:
    """Return 1 − Σ(y − ŷ)² ÷ Σ(y − ȳ)², ȳ each observation's mean of what was trained on (Campbell & Thompson 2008):
    above 0 where predictions are nearer than that mean. None where the mean is never wrong."""
    total = fsum((outcomes - reference) ** 2)
    return None if total == 0 else 1 - fsum((outcomes - predicted) ** 2) / total


def chance_of_gain(
    days: IntArray, outcomes: FloatArray, predicted: FloatArray, reference: FloatArray, *, looks: int
) -> float | None:
    """Return how likely by chance alone the predictions are that much nearer than the reference, among so many looks.

    Squared errors are added up by day, since trades of one day go together; the days' mean difference has Student's t
    (one side; Diebold & Mariano 1995), and p counts as the best of the looks (Bonferroni). None below `DAYS_MIN` days.
    """
    gains = (outcomes - reference) ** 2 - (outcomes - predicted) ** 2
    by_day = [fsum(gains[days == day]) for day in np.unique(days)]
    if len(by_day) < DAYS_MIN:
        return None
    spread = stdev(by_day) / sqrt(len(by_day))
    if spread == 0:
        return 1.0 if by_day[0] <= 0 else 0.0
    t = fmean(by_day) / spread
    half = student.two_sided(t, len(by_day) - 1) / 2
    return min(1.0, looks * (half if t > 0 else 1 - half))


def calibration(outcomes: FloatArray, predicted: FloatArray, steps: int) -> list[CalibrationStep]:
    """Return predictions from the lowest to the highest in so many steps of equal size, beside what then came."""
    order = np.argsort(predicted, kind="stable")
    return [
        CalibrationStep(len(places), float(predicted[places].mean()), float(outcomes[places].mean()))
        for places in np.array_split(order, steps)
        if len(places)
    ]


def rank_correlation(left: FloatArray, right: FloatArray) -> float:
    """Return Spearman's correlation of two columns, equal ones sharing their mean rank; 0 where one does not vary."""
    ranks = [_ranks(column) for column in (left, right)]
    if any(np.ptp(column) == 0 for column in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(column: FloatArray) -> FloatArray:
    _, places, counts = np.unique(column, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: FloatArray = (last - (counts - 1) / 2)[places]
    return ranks
