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
from numpy.typing import NDArray

from trading.domain.student import quantile, two_sided

CONFIDENCE = 0.95
FloatSample = Sequence[float] | NDArray[np.float64]


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


class Moments(NamedTuple):
    """Some numbers: how many, their mean, and their variance (ddof 1). Where they are too few for one, it is 0."""

    size: int = 0
    mean: float = 0.0
    variance: float = 0.0

    @classmethod
    def of(cls, values: FloatSample) -> Moments:
        """Return those of some values, whose order changes nothing: sums are exact, and rounded once."""
        column = np.asarray(values, dtype=np.float64)
        size = len(column)
        if not size:
            return cls()
        mean = fsum(column.tolist()) / size
        apart = column - mean
        return cls(size, mean, fsum((apart * apart).tolist()) / (size - 1) if size > 1 else 0.0)


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

    def moments(self) -> Moments:
        """Return count, mean and variance (ddof 1), rounded once; of at least two numbers."""
        spread = self.size * self.squares - self.total * self.total
        return Moments(self.size, self.total / self.size, spread / (self.size * (self.size - 1)))


def of_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Return Student's interval of the mean: mean ± t(n − 1) × sd (ddof 1) ÷ √n (Student 1908). None below two
    values."""
    return of_moments(Moments.of(values), confidence)


def of_moments(moments: Moments, confidence: float = CONFIDENCE) -> Interval | None:
    """Return `of_mean` of values of which only their moments are known."""
    size, mean, variance = moments
    if size < 2:
        return None
    reach = quantile(confidence, size - 1) * sqrt(variance / size)
    return Interval(mean - reach, mean + reach)


def of_sums(sums: Sums, confidence: float = CONFIDENCE) -> Interval | None:
    """Return `of_mean` of whole numbers, of which only their sums are known."""
    return of_moments(sums.moments(), confidence) if sums.size > 1 else None


def of_share(count: int, of: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return Wilson's score interval of a share, in percent (Wilson 1927). None of nothing."""
    if not of:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = count / of, z * z / of
    middle = (share + weight / 2) / (1 + weight)
    reach = z * sqrt(share * (1 - share) / of + weight / of / 4) / (1 + weight)
    return Interval(max(0.0, 100 * (middle - reach)), min(100.0, 100 * (middle + reach)))


def difference(first: FloatSample, other: FloatSample, confidence: float = CONFIDENCE) -> MeanDifference | None:
    """Return the difference of two means with Welch's interval and p (Welch 1947: the variances need not be equal).

    None where a group has fewer than two values.
    """
    if len(first) < 2 or len(other) < 2:
        return None
    return _welch(Moments.of(first), Moments.of(other), confidence)


def difference_of_sums(first: Sums, other: Sums, confidence: float = CONFIDENCE) -> MeanDifference | None:
    """Return `difference` of two groups of whole numbers, of which only their sums are known."""
    if first.size < 2 or other.size < 2:
        return None
    return _welch(first.moments(), other.moments(), confidence)


def _welch(first: Moments, other: Moments, confidence: float) -> MeanDifference:
    """Return the difference of two groups."""
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
