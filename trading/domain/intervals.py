"""The certainty of a figure: confidence intervals, the difference of two groups, and the price of looking at many.

Pure. Values are floats in whatever unit goes in; confidence is a share (0.95). None where the sample cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from trading.domain.student import quantile, two_sided

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """The two ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """One group's mean less another's, its interval, and how likely one at least as large is by chance alone."""

    value: float
    low: float
    high: float
    p: float


class Sums(NamedTuple):
    """Some whole numbers: how many, their sum, and the sum of their squares, exactly."""

    size: int = 0
    total: int = 0
    squares: int = 0

    def plus(self, number: int) -> Sums:
        return Sums(self.size + 1, self.total + number, self.squares + number * number)

    def less(self, inner: Sums) -> Sums:
        """Return the sums of the others, where ``inner`` are some of these."""
        return Sums(self.size - inner.size, self.total - inner.total, self.squares - inner.squares)

    def moments(self) -> tuple[int, float, float]:
        """Return count, mean and variance (ddof 1), rounded once; of at least two numbers."""
        spread = self.size * self.squares - self.total * self.total
        return self.size, self.total / self.size, spread / (self.size * (self.size - 1))


def of_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Return Student's interval of the mean: mean ± t(n − 1) × sd (ddof 1) ÷ √n (Student 1908). None below two
    values."""
    if len(values) < 2:
        return None
    mean, variance = _moments(values)
    reach = quantile(confidence, len(values) - 1) * sqrt(variance / len(values))
    return Interval(mean - reach, mean + reach)


def of_sums(sums: Sums, confidence: float = CONFIDENCE) -> Interval | None:
    """Return `of_mean` of whole numbers, of which only their sums are known."""
    if sums.size < 2:
        return None
    size, mean, variance = sums.moments()
    reach = quantile(confidence, size - 1) * sqrt(variance / size)
    return Interval(mean - reach, mean + reach)


def of_share(count: int, of: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return Wilson's score interval of a share, in percent (Wilson 1927). None of nothing."""
    if not of:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = count / of, z * z / of
    middle = (share + weight / 2) / (1 + weight)
    reach = z * sqrt(share * (1 - share) / of + weight / of / 4) / (1 + weight)
    return Interval(max(0.0, 100 * (middle - reach)), min(100.0, 100 * (middle + reach)))


def difference(first: Sequence[float], other: Sequence[float], confidence: float = CONFIDENCE) -> MeanDifference | None:
    """Return the difference of two means with Welch's interval and p (Welch 1947: the variances need not be equal).

    None where a group has fewer than two values.
    """
    if len(first) < 2 or len(other) < 2:
        return None
    return _welch((len(first), *_moments(first)), (len(other), *_moments(other)), confidence)


def difference_of_sums(first: Sums, other: Sums, confidence: float = CONFIDENCE) -> MeanDifference | None:
    """Return `difference` of two groups of whole numbers, of which only their sums are known."""
    if first.size < 2 or other.size < 2:
        return None
    return _welch(first.moments(), other.moments(), confidence)


def _welch(first: tuple[int, float, float], other: tuple[int, float, float], confidence: float) -> MeanDifference:
    """Return the difference of two groups, each told as (count, mean, variance)."""
    (count, mean, variance), (other_count, other_mean, other_variance) = first, other
    variances = variance / count, other_variance / other_count
    gap, spread = mean - other_mean, sqrt(sum(variances))
    if spread == 0:
        return MeanDifference(gap, gap, gap, 1.0 if gap == 0 else 0.0)
    # Shares of the whole: squares of large or tiny money would leave the range of floats.
    shares = [variance_of_mean / sum(variances) for variance_of_mean in variances]
    freedom = 1 / (shares[0] ** 2 / (count - 1) + shares[1] ** 2 / (other_count - 1))
    reach = quantile(confidence, freedom) * spread
    return MeanDifference(gap, gap - reach, gap + reach, two_sided(gap / spread, freedom))


def holm(chances: Sequence[float | None]) -> list[float | None]:
    """Return each p as it counts among all that were looked at (Holm 1979); None stays None and counts for nothing.

    The smallest is multiplied by their number, the next by one less, and so on, never below the one before.
    """
    ranked = sorted((p, place) for place, p in enumerate(chances) if p is not None)
    adjusted: list[float | None] = [None] * len(chances)
    reached = -inf
    for rank, (p, place) in enumerate(ranked):
        reached = max(reached, min(1.0, p * (len(ranked) - rank)))
        adjusted[place] = reached
    return adjusted


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = fsum(values) / len(values)
    apart = np.array(values, dtype=np.float64) - mean
    return mean, fsum((apart * apart).tolist()) / (len(values) - 1)
