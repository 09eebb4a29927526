"""How sure a figure is: against scipy, and what must hold for any sample.

scipy takes seconds to import: not each worker that collects these tests shall wait for it.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trading.domain import intervals, student

values = st.lists(st.integers(min_value=-(10**12), max_value=10**12), min_size=2, max_size=60)


@pytest.mark.parametrize("freedom", [1, 1.5, 2, 3.7, 10, 29, 200, 1e4, 1e6])
def test_students_distribution_is_scipys(freedom: float) -> None:
    from scipy import stats

    for t in (0.0, 0.1, 0.7, 1.0, 1.96, 3.5, 12.0, 60.0):
        assert student.two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-8, abs=1e-13)
    for confidence in (0.5, 0.9, 0.95, 0.99):
        assert student.quantile(confidence, freedom) == pytest.approx(
            stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-8
        )


@given(values)
def test_the_interval_of_a_mean_is_scipys(sample: list[int]) -> None:
    from scipy import stats

    assume(len(set(sample)) > 1)
    made = intervals.of_mean(sample)
    low, high = stats.t.interval(0.95, len(sample) - 1, loc=np.mean(sample), scale=stats.sem(sample))
    assert made is not None
    assert made.low == pytest.approx(low, rel=1e-6, abs=1e-3)
    assert made.high == pytest.approx(high, rel=1e-6, abs=1e-3)


@given(st.integers(min_value=1, max_value=5000), st.data())
def test_the_interval_of_a_share_is_wilsons_as_scipy_has_it(of: int, data: st.DataObject) -> None:
    from scipy import stats

    count = data.draw(st.integers(min_value=0, max_value=of))
    made, theirs = intervals.of_share(count, of), stats.binomtest(count, of).proportion_ci(method="wilson")
    assert made is not None
    assert (made.low, made.high) == (
        pytest.approx(100 * theirs.low, abs=1e-9),
        pytest.approx(100 * theirs.high, abs=1e-9),
    )


@given(values, values)
def test_the_difference_of_two_groups_is_welchs_as_scipy_has_it(one: list[int], other: list[int]) -> None:
    from scipy import stats

    assume(len(set(one)) > 1 and len(set(other)) > 1)
    made, theirs = intervals.difference(one, other), stats.ttest_ind(one, other, equal_var=False)
    assert made is not None
    assert made.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-9)
    known = theirs.confidence_interval(0.95)
    assert (made.low, made.high) == (
        pytest.approx(known.low, rel=1e-6, abs=1e-3),
        pytest.approx(known.high, rel=1e-6, abs=1e-3),
    )


def test_holms_correction_is_the_textbooks() -> None:
    """Holm's step-down by hand: 0.01×4, 0.02×3, then never below the one before."""
    assert intervals.holm([0.02, None, 0.01, 0.04, 0.03]) == [
        pytest.approx(0.06),
        None,
        pytest.approx(0.04),
        pytest.approx(0.06),
        pytest.approx(0.06),
    ]
    assert intervals.holm([0.9, 0.8]) == [1.0, 1.0]
    assert intervals.holm([]) == []


def test_what_a_sample_cannot_tell_is_none() -> None:
    assert intervals.of_mean([5]) is None
    assert intervals.of_share(0, 0) is None
    assert intervals.difference([1], [2, 3]) is None
    same = intervals.difference([1, 1], [1, 1])
    assert same is not None and same.p == 1.0
    apart = intervals.difference([1, 1], [2, 2])
    assert apart is not None and (apart.value, apart.p) == (-1, 0.0)
