"""Folds by label times, scores by day, and the names of what is known only afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from lab.domain.folds import DAY_NS, LabelTimes, leaking_folds, purged_folds
from lab.domain.leaks import is_named_afterwards, is_own_score, later_instants
from lab.domain.scores import calibration, chance_of_gain, out_of_sample_r2, rank_correlation


def made_times(seed: int, size: int, days: int, longest: float) -> LabelTimes:
    """Observations over some days, each with an outcome up to so many days later."""
    chance = np.random.default_rng(seed)
    begins = np.sort(chance.integers(0, days * DAY_NS, size=size))
    ends = begins + (chance.random(size) * longest * DAY_NS).astype(np.int64)
    return LabelTimes(begins, ends, begins // DAY_NS)


@given(some.integers(0, 10**6), some.integers(30, 90), some.floats(0, 4), some.integers(0, 3), some.integers(2, 6))
def test_no_fold_trains_on_what_overlaps_or_follows_closely_what_it_tests(seed, size, longest, embargo, count):
    times = made_times(seed, size, 12, longest)
    count = min(count, len(np.unique(times.days)))
    folds = purged_folds(times, count, embargo_days=embargo)
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(size))
    assert leaking_folds(times, folds) == 0
    for train, test in folds:
        for place in train:
            later = times.begins[place] > times.ends[test].max() + embargo * DAY_NS
            assert later or times.ends[place] < times.begins[test].min()


def test_folds_that_are_shuffled_leak_and_are_told():
    times = made_times(1, 60, 12, 0.5)
    order = np.random.default_rng(0).permutation(60)
    shuffled = [type(fold)(np.setdiff1d(order, part), part) for part, fold in
                zip(np.array_split(order, 4), purged_folds(times, 4, embargo_days=0), strict=True)]  # fmt: skip
    assert leaking_folds(times, shuffled) == 4


def test_fewer_days_than_folds_make_none():
    with pytest.raises(ValueError, match="2 days make no 3 folds"):
        purged_folds(made_times(0, 20, 2, 0.1), 3, embargo_days=1)


def test_the_score_is_1_for_the_truth_0_for_the_mean_and_below_for_worse():
    outcomes, mean = np.array([1.0, 2.0, 3.0]), np.full(3, 2.0)
    assert out_of_sample_r2(outcomes, outcomes, mean) == 1
    assert out_of_sample_r2(outcomes, mean, mean) == 0
    assert out_of_sample_r2(outcomes, outcomes[::-1], mean) == -3
    assert out_of_sample_r2(mean, outcomes, mean) is None


def test_a_gain_is_judged_by_days_and_by_how_often_somebody_looked():
    chance = np.random.default_rng(3)
    days = np.repeat(np.arange(20), 10)
    signal = chance.normal(size=200)
    outcomes, mean = signal + chance.normal(size=200), np.zeros(200)
    p = chance_of_gain(days, outcomes, signal, mean, looks=1)
    assert p < 1e-3
    assert chance_of_gain(days, outcomes, signal, mean, looks=10) == pytest.approx(10 * p)
    assert chance_of_gain(days, outcomes, -signal, mean, looks=1) > 0.999
    assert chance_of_gain(days // 10, outcomes, signal, mean, looks=1) is None
    # One day that repeats itself a hundred times is one day.
    assert chance_of_gain(np.repeat(days, 100), *(np.repeat(of, 100) for of in (outcomes, signal, mean)), looks=1) == (
        pytest.approx(p)
    )


def test_calibration_goes_from_the_lowest_to_the_highest():
    steps = calibration(np.arange(10.0), np.arange(10.0)[::-1] * 2, 3)
    assert [step.size for step in steps] == [4, 3, 3]
    assert [step.predicted for step in steps] == [3, 10, 16]
    assert [step.outcome for step in steps] == [7.5, 4, 1]


def test_ranks_that_are_equal_share_their_place():
    assert rank_correlation(np.array([1.0, 2, 2, 9]), np.array([10.0, 20, 20, 30])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([5.0, 5, 5])) == 0


@pytest.mark.parametrize("name", ["exit_price", "pnl", "trade.pnl", "MFE", "realised_r", "bar-outcome"])
def test_a_name_of_an_outcome_is_known(name: str):
    assert is_named_afterwards(name)


@pytest.mark.parametrize("name", ["ema_fast", "price", "network", "exiting", "stop_loss", "return_5m", "model.score"])
def test_other_names_are_left_alone(name: str):
    assert not is_named_afterwards(name)


def test_an_earlier_models_score_and_later_instants_are_known_by_name():
    assert is_own_score("model.score") and not is_own_score("models.score")
    at = datetime(2024, 3, 15, 4, tzinfo=UTC)
    conditions = {"seen_at": "2024-03-15T04:00:01+00:00", "bar": {"at": "2024-03-15T03:59:00Z", "note": "2024"}}
    assert list(later_instants(conditions, at)) == ["seen_at"]
    assert list(later_instants({"bar": {"ends": "2024-03-15T09:31:00+05:30"}}, at)) == ["bar.ends"]
