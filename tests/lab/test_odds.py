"""The odds, against figures that others published and against noise."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from lab.domain.odds import (
    SharpeSample,
    deflated_sharpe,
    effective_trials,
    expected_maximum,
    minimum_backtest_years,
    minimum_track_record,
    overfitting,
    probabilistic_sharpe,
)

CLOSE = 1e-9

# Bailey & López de Prado, "The Deflated Sharpe Ratio" (2014): the numerical example, an annual ratio of 2.5 of 1,250
# daily returns, the best of 100 trials whose annual ratios have a variance of one half.
EXAMPLE = SharpeSample(2.5 / sqrt(250), 1250, skewness=-3, kurtosis=10)
# Bailey, Borwein, López de Prado & Zhu, "The Probability of Backtest Overfitting" (2017): the procedure by hand.
TABLE = np.array(
    [[3, 1, -2, 0], [-1, 2, 4, 1], [2, -3, 1, 2], [1, 1, -1, 3], [-2, 4, 0, 1], [4, -1, 2, -2], [0, 2, 3, 1],
     [1, -2, -1, 2]],
    dtype=float,
)  # fmt: skip


def test_the_expected_highest_of_a_hundred_is_the_papers():
    assert expected_maximum(100) == pytest.approx(2.5306028932016846, abs=CLOSE)
    assert expected_maximum(1) == 0
    assert expected_maximum(2) > 0
    with pytest.raises(ValueError, match="0 trials"):
        expected_maximum(0)


@pytest.mark.parametrize(("trials", "odds"), [(100, 0.90039683444439034), (46, 0.9505017069), (88, 0.9101530147)])
def test_the_deflated_ratio_is_the_papers(trials: int, odds: float):
    assert deflated_sharpe(EXAMPLE, variance=0.5 / 250, trials=trials) == pytest.approx(odds, abs=CLOSE)


def test_one_trial_is_not_deflated():
    assert deflated_sharpe(EXAMPLE, variance=7, trials=1) == probabilistic_sharpe(EXAMPLE)


def test_the_probabilistic_ratio_is_the_papers():
    """Bailey & López de Prado, "The Sharpe Ratio Efficient Frontier" (2012): 24 months, annual ratio 1.585."""
    sample = SharpeSample(1.585 / sqrt(12), 24, skewness=-2.448, kurtosis=10.164)
    assert probabilistic_sharpe(sample) == pytest.approx(0.91323430688486018, abs=CLOSE)


@pytest.mark.parametrize(
    ("sample", "benchmark", "a_year", "years"),
    [
        (SharpeSample(2 / sqrt(250), 0), 1 / sqrt(250), 250, 2.7311878017),
        (SharpeSample(3 / sqrt(12), 0, -0.72, 5.78), 2.5 / sqrt(12), 12, 27.3529201960),
    ],
)
def test_the_minimum_track_record_is_the_papers(sample: SharpeSample, benchmark: float, a_year: int, years: float):
    """The 2012 paper again: daily returns of ratio 2 against 1, monthly ones of 3 against 2.5."""
    assert minimum_track_record(sample, benchmark) / a_year == pytest.approx(years, abs=CLOSE)


def test_a_record_of_that_length_has_just_that_confidence():
    size = minimum_track_record(EXAMPLE, 0.1, confidence=0.99)
    sample = SharpeSample(EXAMPLE.sharpe, size, EXAMPLE.skewness, EXAMPLE.kurtosis)
    assert probabilistic_sharpe(sample, 0.1) == pytest.approx(0.99, abs=CLOSE)
    assert minimum_track_record(EXAMPLE, EXAMPLE.sharpe) is None


def test_the_minimum_backtest_of_45_trials_is_five_years():
    """Bailey, Borwein, López de Prado & Zhu, "Pseudo-Mathematics and Financial Charlatanism" (2014)."""
    assert minimum_backtest_years(45, 1) == pytest.approx(4.9980870044, abs=CLOSE)
    with pytest.raises(ValueError, match="above 0"):
        minimum_backtest_years(45, 0)


def test_overfitting_of_the_table_is_the_one_by_hand():
    told = overfitting(TABLE, 4)
    expected = [-0.405465, -1.386294, 0.405465, 0.405465, -1.386294, -0.405465]
    assert told.logits == pytest.approx(expected, abs=5e-7)
    assert told.probability == pytest.approx(2 / 3, abs=CLOSE)


def by_definition(returns: np.ndarray, groups: int) -> list[float]:
    """CSCV told once more, row by row, with the standard library's normal odds and numpy's own mean and deviation."""
    from itertools import combinations

    parts, logits = np.array_split(np.arange(len(returns)), groups), []
    for chosen in combinations(range(groups), groups // 2):
        inside = np.concatenate([parts[place] for place in chosen])
        outside = np.setdiff1d(np.arange(len(returns)), inside)
        ratios = []
        for rows in (inside, outside):
            half = returns[rows]
            flat = (half == half[0]).all(axis=0)
            ratios.append(np.where(flat, 0, half.mean(axis=0) / np.where(flat, 1, half.std(axis=0, ddof=1))))
        best = int(np.argmax(ratios[0]))
        rank = (ratios[1] < ratios[1][best]).sum() + ((ratios[1] == ratios[1][best]).sum() + 1) / 2
        share = rank / (returns.shape[1] + 1)
        logits.append(float(np.log(share / (1 - share))))
    return logits


@given(some.integers(0, 10**6), some.integers(2, 7), some.integers(8, 40), some.sampled_from([2, 4]))
def test_overfitting_is_what_the_definition_says_row_by_row(seed: int, trials: int, days: int, groups: int):
    returns = np.random.default_rng(seed).normal(size=(days, trials))
    returns[: days // 2, 0] = 0  # one that did not trade at first
    assert overfitting(returns, groups).logits == pytest.approx(by_definition(returns, groups))


def test_a_trial_that_never_trades_counts_as_a_ratio_of_nothing():
    returns = np.column_stack([np.zeros(8), -np.arange(8.0) - 1])
    told = overfitting(returns, 4)
    assert told.logits == pytest.approx([np.log(2)] * 6)  # in both halves it is the better one
    assert told.probability == 0


def test_on_noise_the_best_is_as_often_below_the_median_as_above():
    """The probability's mean is one half there, not 0."""
    chance = np.random.default_rng(11)
    drawn = [overfitting(chance.normal(size=(64, 10)), 8).probability for _ in range(300)]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.05)
    assert np.std(drawn) > 0.1  # one sample says little


def test_the_null_is_told_with_a_range_that_noise_stays_within():
    chance = np.random.default_rng(5)
    told = [overfitting(chance.normal(size=(48, 6)), 6, samples=60, seed=1) for _ in range(60)]
    assert {answer.null for answer in told} == {0.5}
    inside = [answer.null_low <= answer.probability <= answer.null_high for answer in told]
    assert 0.8 <= np.mean(inside) <= 1
    assert overfitting(chance.normal(size=(48, 5)), 6).null == 0.6  # the median itself is one of five
    assert overfitting(TABLE, 4).null_low is None


@pytest.mark.parametrize(("days", "trials", "groups"), [(8, 4, 3), (7, 4, 4), (8, 1, 4), (8, 4, 0)])
def test_what_cannot_be_halved_is_refused(days: int, trials: int, groups: int):
    with pytest.raises(ValueError, match="even number of groups"):
        overfitting(np.ones((days, trials)), groups)


def test_trials_that_are_alike_are_one_and_unlike_ones_are_many():
    chance = np.random.default_rng(3)
    days = chance.normal(size=(4000, 20))
    assert effective_trials(np.repeat(days[:, :1], 20, axis=1)) == pytest.approx(1)
    assert effective_trials(days) == pytest.approx(20, abs=0.5)
    common = days[:, :1] + days  # each has half of its variance in common with the others
    assert effective_trials(common[:, 1:]) == pytest.approx(0.5 + 0.5 * 19, abs=0.6)
    assert effective_trials(np.column_stack([np.full(9, 0.1), np.arange(9.0)])) == 2  # one never moves
    assert effective_trials(np.ones((9, 1))) == 1


def test_the_moments_of_a_sample_are_scipys_definitions():
    """Population moments: the third and the fourth over powers of the second, kurtosis not excess."""
    sample = SharpeSample.of([1.0, 2.0, 3.0, 10.0])
    assert (sample.size, sample.sharpe) == (4, pytest.approx(4 / sqrt(50 / 3)))
    assert sample.skewness == pytest.approx(45 / 12.5**1.5)
    assert sample.kurtosis == pytest.approx((81 + 16 + 1 + 1296) / 4 / 12.5**2)
    assert SharpeSample.of([2.0]) is None
    assert SharpeSample.of([0.1] * 9) is None


def test_two_outcomes_alone_have_no_variance_of_the_ratio_to_judge_by():
    """The variance of the ratio is never below 0 for moments of real returns, and 0 for some."""
    certain = SharpeSample(2, 10, skewness=1.5, kurtosis=2)  # 1 − 3 + 1 < 0: no returns have these moments
    assert probabilistic_sharpe(certain) is None


@example([0.0, 0.0, 7e-104])
@given(some.lists(some.floats(-100, 100), min_size=3, max_size=60))
def test_the_odds_of_any_returns_are_odds(returns: list[float]):
    sample = SharpeSample.of(returns)
    if sample is None:
        return
    odds = probabilistic_sharpe(sample)
    assert odds is None or 0 <= odds <= 1
    deflated = deflated_sharpe(sample, variance=0.01, trials=50)
    assert deflated is None or deflated <= odds


def test_skill_is_told_from_luck():
    """A hundred strategies of independent normal days over 500 days: the best is rarely believed, one with skill is."""
    luck, skill = 0, 0
    for seed in range(20):
        days = np.random.default_rng(seed).normal(size=(500, 100))
        luck += believed(days)[1] > 0.95
        days[:, 7] += 0.25
        best, odds = believed(days)
        skill += best == 7 and odds > 0.95
    assert luck <= 2
    assert skill >= 15


def believed(days: np.ndarray) -> tuple[int, float]:
    """Return the best of some strategies and its deflated odds among them."""
    samples = [SharpeSample.of(column.tolist()) for column in days.T]
    ratios = np.array([sample.sharpe for sample in samples])
    best = int(ratios.argmax())
    return best, deflated_sharpe(samples[best], variance=float(ratios.var(ddof=1)), trials=len(samples))
