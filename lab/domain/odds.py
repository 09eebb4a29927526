"""The odds that a figure is skill and not luck: pure functions, each with its formula, its convention and its source.

A Sharpe ratio here is of single observations (a day's, say), never annualised unless the name says so; its variance is
that of the observed ratio over T − 1 observations (Bailey & López de Prado 2012). Kurtosis is 3 for normal returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import e, fsum, sqrt
from statistics import NormalDist

import numpy as np

from timeseries.measurements import FloatArray

EULER_MASCHERONI = 0.57721566490153286
COMBINATIONS_AT_ONCE = 500  # of halves of the days: what is computed of them is held together
ALIKE = 1e-12  # a variance that is a smaller share of the mean square is what rounding left of days that are all alike
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class SharpeSample:
    """The Sharpe ratio of some returns (ddof 1), how many they are, their skewness and kurtosis (population moments,
    3 for normal returns)."""

    sharpe: float
    size: int
    skewness: float = 0.0
    kurtosis: float = 3.0

    @classmethod
    def of(cls, returns: Sequence[float]) -> SharpeSample | None:
        """Return the sample of some returns; None below two and where all are alike."""
        size = len(returns)
        if size < 2 or min(returns) == max(returns):
            return None
        mean = fsum(returns) / size
        scale = max(abs(day - mean) for day in returns)  # the figures have none: without it tiny returns underflow
        if scale == 0:
            return None
        steps = [(day - mean) / scale for day in returns]
        second, third, fourth = (fsum(step**power for step in steps) / size for power in (2, 3, 4))
        return cls(mean / scale / sqrt(second * size / (size - 1)), size, third / second**1.5, fourth / second**2)

    @property
    def spread(self) -> float:
        """1 − γ₃·SR + (γ₄ − 1)/4·SR²: the variance of the ratio times the number of observations less one."""
        return 1 - self.skewness * self.sharpe + (self.kurtosis - 1) / 4 * self.sharpe**2


def probabilistic_sharpe(sample: SharpeSample, benchmark: float = 0.0) -> float | None:
    """Return the probability that the true Sharpe ratio is above a benchmark: Φ((SR − SR*)·√(T − 1) ÷ √(1 − γ₃·SR +
    (γ₄ − 1)/4·SR²)).

    Of the two published conventions this is the one of Bailey & López de Prado (2012), eq. 8: the variance is that of
    the observed ratio, not of the benchmark. None where that variance is not above 0.
    """
    if sample.size < 2 or sample.spread <= 0:
        return None
    return NORMAL.cdf((sample.sharpe - benchmark) * sqrt(sample.size - 1) / sqrt(sample.spread))


def expected_maximum(trials: int) -> float:
    """Return the expected highest of so many independent standard normal figures: (1 − γ)·Z⁻¹[1 − 1/N] +
    γ·Z⁻¹[1 − 1/(N·e)], γ the Euler-Mascheroni constant (Bailey & López de Prado 2014, eq. 6). Of one it is 0.

    Raises: ValueError below one.
    """
    if trials < 1:
        raise ValueError(f"{trials} trials have no highest.")
    if trials == 1:
        return 0.0
    first, second = NORMAL.inv_cdf(1 - 1 / trials), NORMAL.inv_cdf(1 - 1 / (trials * e))
    return (1 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second


def deflated_sharpe(sample: SharpeSample, *, variance: float, trials: int) -> float | None:
    """Return the probability that the true Sharpe ratio is above what the best of so many trials shows by luck alone:
    `probabilistic_sharpe` against √V·E[max of N], V the variance of the trials' ratios (Bailey & López de Prado 2014,
    eq. 9)."""
    return probabilistic_sharpe(sample, sqrt(variance) * expected_maximum(trials))


def minimum_track_record(sample: SharpeSample, benchmark: float = 0.0, *, confidence: float = 0.95) -> float | None:
    """Return how many observations make `probabilistic_sharpe` reach a confidence: 1 + (1 − γ₃·SR + (γ₄ − 1)/4·SR²)·
    (Z_α ÷ (SR − SR*))² (Bailey & López de Prado 2012, eq. 11). ``sample.size`` plays no role.

    None where the ratio is not above the benchmark: no record is long enough.
    """
    if sample.sharpe <= benchmark:
        return None
    return 1 + sample.spread * (NORMAL.inv_cdf(confidence) / (sample.sharpe - benchmark)) ** 2


def minimum_backtest_years(trials: int, sharpe_a_year: float = 1.0) -> float:
    """Return the years of data below which the best of so many trials without skill is expected to show an annual
    Sharpe ratio of that height: (E[max of N] ÷ SR)² (Bailey, Borwein, López de Prado & Zhu 2014, theorem 1).

    Raises: ValueError for a ratio that is not above 0.
    """
    if sharpe_a_year <= 0:
        raise ValueError("The ratio is above 0.")
    return (expected_maximum(trials) / sharpe_a_year) ** 2


def effective_trials(returns: FloatArray) -> float:
    """Return how many independent trials these correlated ones (columns; rows are days) amount to: ρ̄ + (1 − ρ̄)·N, ρ̄
    their average correlation (Bailey & López de Prado 2014, appendix 3), kept within 1 and N.

    A trial whose days are all alike is correlated with none.
    """
    days, trials = returns.shape
    if trials < 2 or days < 2:
        return float(trials)
    centred = returns - returns.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    # Of numbers that are all alike the mean is not always the number itself.
    varies = (returns != returns[0]).any(axis=0) & (length > 0)
    standard = centred[:, varies] / length[varies]
    pairs = float((standard.sum(axis=1) ** 2).sum() - standard.shape[1])
    correlation = pairs / (trials * (trials - 1))
    return float(min(max(correlation + (1 - correlation) * trials, 1.0), trials))


@dataclass(frozen=True, slots=True)
class Overfitting:
    """The probability of backtest overfitting, the ``logits`` it is counted from, and its ``null``: what it would be on
    average if no trial had skill, with the range that 95 of 100 such samples stay within (None: none were drawn)."""

    probability: float
    logits: tuple[float, ...]
    null: float
    null_low: float | None = None
    null_high: float | None = None


def overfitting(returns: FloatArray, groups: int, *, samples: int = 0, seed: int = 0) -> Overfitting:
    """Return how often the best trial of one half of the days is at or below the median of the other half: PBO by
    combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado & Zhu 2017).

    ``returns`` has a row a day and a column a trial. The days are cut into ``groups`` runs, as equal as may be; each
    choice of half of them is once in sample, in lexicographic order, and its complement out of sample. The best in
    sample (Sharpe ratio, ddof 1; the first of equal ones; 0 where all days are alike) has the rank r of N out of sample
    (the middle of equal ones), which makes the logit ln(ω ÷ (1 − ω)), ω = r ÷ (N + 1). PBO is the share at or below 0.

    On noise that is one half on average, not 0: ``null`` is that figure for N trials. Its range comes from so many
    ``samples`` of the same days with the signs of whole days drawn anew about each trial's mean, which keeps what the
    trials have in common.

    Raises: ValueError for an odd number of groups, more than there are days, and below two trials.
    """
    days, trials = returns.shape
    if groups < 2 or groups % 2 or days < 2 * groups or trials < 2:
        raise ValueError("Give an even number of groups of at least two days, and two trials.")
    logits = _logits(returns, groups)
    null = ((trials + 1) // 2) / trials
    low = high = None
    if samples:
        chance = np.random.default_rng(seed)
        noise = returns - returns.mean(axis=0)
        signs = (chance.choice((-1.0, 1.0), size=(days, 1)) for _ in range(samples))
        drawn = [(_logits(noise * sign, groups) <= 0).mean() for sign in signs]
        low, high = (float(bound) for bound in np.quantile(drawn, (0.025, 0.975)))
    return Overfitting(float((logits <= 0).mean()), tuple(logits.tolist()), null, low, high)


def _logits(returns: FloatArray, groups: int) -> FloatArray:
    """Return the logit of the rank out of sample of the best in sample, for each choice of half of the groups."""
    shift = returns.mean(axis=0)  # the variance is not lost beside a mean that is large
    parts = np.array_split(returns - shift, groups)
    sizes = np.array([len(rows) for rows in parts], dtype=np.float64)
    sums, squares = (np.array([(rows**power).sum(axis=0) for rows in parts]) for power in (1, 2))
    choices = list(combinations(range(groups), groups // 2))
    logits = []
    for start in range(0, len(choices), COMBINATIONS_AT_ONCE):
        halves = np.zeros((len(choices[start : start + COMBINATIONS_AT_ONCE]), groups))
        np.put_along_axis(halves, np.array(choices[start : start + COMBINATIONS_AT_ONCE]), 1.0, axis=1)
        ratios = []
        for half in (halves, 1 - halves):
            count = (half @ sizes)[:, None]
            mean, square = half @ sums / count, half @ squares / count
            variance = square - mean**2
            varies = variance > ALIKE * square
            deviation = np.sqrt(variance * count / (count - 1), where=varies, out=np.ones_like(variance))
            ratios.append(np.where(varies, (mean + shift) / deviation, 0.0))
        inside, outside = ratios
        own = np.take_along_axis(outside, inside.argmax(axis=1)[:, None], axis=1)
        rank = (outside < own).sum(axis=1) + ((outside == own).sum(axis=1) + 1) / 2
        share = rank / (outside.shape[1] + 1)
        logits.append(np.log(share / (1 - share)))
    return np.concatenate(logits)
