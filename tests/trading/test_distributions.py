"""Distributions, hours of the week, the depth of colours: worked by hand, and beside another way to compute them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain import intervals
from trading.domain.cuts import Traded, TradedExit
from trading.domain.distributions import ONE, STEPS_MAX, distribution, weekday_hours
from trading.domain.drawn_shapes import WeekdayHour
from trading.domain.exit_columns import whole_numbers
from trading.domain.exit_lists import lists_of
from trading.domain.figures import ClosedTrade, Exit
from trading.domain.heat import heat_map, strength
from trading.domain.intervals import Sums

MONDAY = datetime(2024, 3, 11, 9, 20, tzinfo=ZoneInfo("Asia/Kolkata"))


def steps(amounts: Sequence[str]) -> list[tuple[str | None, str | None, int]]:
    rows = distribution(whole_numbers([int(Decimal(amount) * ONE) for amount in amounts]))
    return [(end(row["at_least"]), end(row["below"]), row["trades"]) for row in rows]


def end(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def test_steps_are_round_half_open_and_none_straddles_zero() -> None:
    assert distribution(whole_numbers([])) == []
    assert steps(["-2", "-1", "-0.00000001", "0", "0.99999999", "1", "5"]) == [
        ("-2", "-1.5", 1),
        ("-1.5", "-1", 0),
        ("-1", "-0.5", 1),
        ("-0.5", "0", 1),
        ("0", "0.5", 1),
        ("0.5", "1", 1),
        ("1", "1.5", 1),
        *[(f"{step / 2:g}", f"{step / 2 + 0.5:g}", 0) for step in range(3, 10)],
        ("5", "5.5", 1),
    ]


def test_equal_values_are_one_step_of_one_unit() -> None:
    assert steps(["7.25"] * 3) == [("7", "8", 3)]


def test_one_trade_in_a_thousand_does_not_flatten_the_others() -> None:
    rows = distribution(whole_numbers([*(number * ONE for number in range(1000)), 10**9 * ONE, -(10**9) * ONE]))
    assert rows[0]["at_least"] is None and rows[-1]["below"] is None
    assert len(rows) >= STEPS_MAX // 2 and sum(row["trades"] for row in rows) == 1002


@given(st.lists(st.integers(-(10**19), 10**19), max_size=60))
def test_every_value_is_in_exactly_one_of_a_few_steps(values: list[int]) -> None:
    rows = distribution(whole_numbers(values))
    assert sum(row["trades"] for row in rows) == len(values)
    assert len(rows) <= STEPS_MAX
    for row, following in pairwise(rows):
        assert row["below"] == following["at_least"]
    for row in rows:
        low, high = row["at_least"], row["below"]
        units = [(None if edge is None else int(edge * ONE)) for edge in (low, high)]
        within = [v for v in values if (units[0] is None or units[0] <= v) and (units[1] is None or v < units[1])]
        assert len(within) == row["trades"]


def exit_of(at: datetime, pnl: int, *, is_day_only: bool = False) -> TradedExit:
    trade = Traded("orb", "INFY", "LONG", "", at, at + timedelta(minutes=5), is_day_only=is_day_only)
    closed = ClosedTrade(pnl * ONE, None, None, 300.0)
    return TradedExit(Exit(trade.closed_at or at, at.date(), pnl * ONE, None, closed), trade)


def hours_of(exits: list[TradedExit]) -> list[WeekdayHour]:
    return weekday_hours(lists_of(exits).columns().hours())


def test_an_hour_is_compared_with_all_others_and_p_counts_every_look() -> None:
    nine = [exit_of(MONDAY, pnl) for pnl in (10, 12, 11)]
    ten = [exit_of(MONDAY + timedelta(hours=1), pnl) for pnl in (-1, 0, 1)]
    tuesday = [exit_of(MONDAY + timedelta(days=1), pnl) for pnl in (3,)]
    rows = hours_of([*tuesday, *ten, *nine, exit_of(MONDAY, 99, is_day_only=True)])
    assert [(row["weekday"], row["hour"], row["trades"], row["expectancy"]) for row in rows] == [
        ("Monday", "09:00", 3, 11),
        ("Monday", "10:00", 3, 0),
        ("Tuesday", "09:00", 1, 3),
    ]
    expected = intervals.difference([10, 12, 11], [-1, 0, 1, 3])
    assert expected is not None
    assert rows[0]["difference"] == Decimal("10.25")
    assert rows[0]["p"] == pytest.approx(expected.p, rel=1e-9)
    assert rows[0]["p_adjusted"] == pytest.approx(2 * expected.p, rel=1e-9)  # two hours could be compared
    assert (rows[2]["difference"], rows[2]["p"], rows[2]["p_adjusted"]) == (None, None, None)
    assert hours_of([]) == []


@given(st.lists(st.integers(-(10**15), 10**15), min_size=2), st.lists(st.integers(-(10**15), 10**15), min_size=2))
def test_sums_tell_the_same_difference_as_the_values(first: list[int], other: list[int]) -> None:
    sums = []
    for values in (first, other):
        total = Sums()
        for value in values:
            total = total.plus(value)
        sums.append(total)
    by_values, by_sums = intervals.difference(first, other), intervals.difference_of_sums(*sums)
    assert by_values is not None and by_sums is not None
    size = max(1.0, *map(abs, map(float, first + other)))
    assert by_sums.value == pytest.approx(by_values.value, rel=1e-9, abs=1e-9 * size)
    assert by_sums.high - by_sums.low == pytest.approx(by_values.high - by_values.low, rel=1e-6, abs=1e-6 * size)


def test_the_map_has_every_hour_between_the_first_and_the_last() -> None:
    rows = hours_of(
        [exit_of(MONDAY, 9), exit_of(MONDAY, 3), *(exit_of(MONDAY + timedelta(days=2, hours=3), -2) for _ in range(2))]
    )
    heat = heat_map(rows)
    assert heat.hours == ["09:00", "10:00", "11:00", "12:00"]
    drawn = [(day, [(square.row is not None, square.strength) for square in squares]) for day, squares in heat.lines]
    empty = (False, 0)
    assert drawn == [("Monday", [(True, 3), empty, empty, empty]), ("Wednesday", [empty, empty, empty, (True, 2)])]
    assert heat.looked_at == 2
    assert heat_map([]).lines == []


@pytest.mark.parametrize(("amount", "depth"), [("0", 0), ("0.01", 1), ("-33", 1), ("34", 2), ("-99", 3), ("100", 3)])
def test_colour_is_the_deeper_the_larger_the_amount(amount: str, depth: int) -> None:
    assert strength(Decimal(amount), Decimal(100)) == depth
