"""How far a clock is ahead of what was recorded: what is removed by age counts back from there."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from timeseries.spool.aging import APART, VOUCHING, days_ahead

TODAY = date(2026, 11, 27)
YEARS = timedelta(days=9 * 365)


def week(last: date, days: int = VOUCHING) -> set[date]:
    return {last - timedelta(days=number) for number in range(days)}


@pytest.mark.parametrize("quiet", [0, 3, 400])
def test_it_is_as_many_days_as_nothing_was_recorded(quiet: int) -> None:
    assert days_ahead(week(TODAY - timedelta(days=quiet), 100), TODAY) == quiet


def test_where_nothing_was_recorded_nothing_is_ahead() -> None:
    assert days_ahead([], TODAY) == 0


def test_days_that_a_clock_has_left_before_it_was_set_do_not_count() -> None:
    assert days_ahead(week(TODAY, 100) | {TODAY + YEARS, TODAY + timedelta(days=1)}, TODAY) == 0


@pytest.mark.parametrize("recorded", range(1, VOUCHING))
def test_some_days_recorded_by_a_clock_that_is_years_ahead_do_not_vouch_for_it(recorded: int) -> None:
    history = week(TODAY, 100)
    assert days_ahead(history | week(TODAY + YEARS, recorded), TODAY + YEARS) == YEARS.days


def test_after_a_long_break_some_recorded_days_show_that_the_clock_is_right() -> None:
    assert days_ahead(week(TODAY) | week(TODAY + YEARS), TODAY + YEARS) == 0


def test_days_that_are_recorded_once_a_week_belong_together() -> None:
    assert days_ahead({TODAY - number * APART for number in range(VOUCHING)}, TODAY) == 0


def test_where_no_days_belong_together_it_counts_from_the_oldest() -> None:
    assert days_ahead({TODAY - 3 * APART, TODAY - APART, TODAY}, TODAY) == 3 * APART.days
