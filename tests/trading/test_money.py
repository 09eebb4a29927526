"""Exact money: what is taken, what is refused, and the way there and back."""

from __future__ import annotations

from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain import money
from trading.errors import InvalidValue

UNITS = st.integers(-money.MAX_UNITS, money.MAX_UNITS)


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (2450, "2450"),
        ("2450.05", "2450.05"),
        (Decimal("2450.05"), "2450.05"),
        (2450.05, "2450.05"),
        (0.1 + 0.2 - 0.00000000000000004, "0.3"),
        (1e-8, "0.00000001"),
        ("1e3", "1000"),
        ("92233720368", "92233720368"),
        ("0.10000000000", "0.1"),
        (Decimal("1E+2"), "100"),
        (np.float64(101.35), "101.35"),
        (np.int64(7), "7"),
        (np.float32(0.5), "0.5"),
        (".5", "0.5"),
        ("+3.", "3"),
    ],
)
def test_a_number_is_taken_exactly_and_shown_plainly(value: Any, exact: str) -> None:
    taken = money.parse_price(value, "price")
    assert (taken, f"{taken:f}") == (Decimal(exact), exact)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, "", " ", "1 ", " 1", "1,000", "1_000", "abc", "nan", "inf", "-inf", "0x10", "١", "1e9999"),
        *(float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), [], {}, b"1", 1j, object),
        *("0.000000001", 1e-9, Decimal("0.123456789"), 92233720369, "92233720368.00000001", "-0.000000001"),
        *(10**30, 1e300, np.float64("nan"), np.bool_(True), np.array([1.0, 2.0]), Fraction(1, 2), "9" * 65),
    ],
    ids=repr,
)
def test_what_is_no_price_is_refused_with_its_field(value: Any) -> None:
    with pytest.raises(InvalidValue) as caught:
        money.parse_price(value, "entry_price")
    assert caught.value.field == "entry_price"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("value", "exact"), [(0, "0"), ("-0", "0"), ("-37.63", "-37.63"), (-0.01, "-0.01")])
def test_a_price_may_be_nothing_or_below_as_its_instrument_tells(value: Any, exact: str) -> None:
    assert f"{money.parse_price(value, 'price'):f}" == exact


@pytest.mark.parametrize("value", [0, -1, 0.0, "-0", -0.01])
def test_a_quantity_is_above_nothing(value: Any) -> None:
    with pytest.raises(InvalidValue, match="above 0"):
        money.parse_quantity(value)


def test_a_price_of_eleven_decimals_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidValue, match=r"8 decimals.*larger unit"):
        money.parse_price("0.00000000021", "price")


@given(UNITS)
def test_units_go_out_and_come_back(units: int) -> None:
    amount = money.from_units(units)
    assert money.to_units(amount) == units
    assert money.to_units(money.parse_amount(f"{amount:f}", "amount")) == units
    assert not f"{amount:f}".endswith("0") or "." not in f"{amount:f}"


@given(st.floats(-9e10, 9e10, allow_nan=False))
def test_a_float_is_its_shortest_decimal_or_refused(value: float) -> None:
    shortest = Decimal(repr(value))
    if shortest * 10**8 == int(shortest * 10**8):
        assert money.parse_amount(value, "amount") == shortest
    else:
        with pytest.raises(InvalidValue):
            money.parse_amount(value, "amount")


@given(st.decimals(-(10**11), 10**11) | st.decimals(-100, 100, places=10) | st.integers(-(10**12), 10**12))
def test_units_of_a_number_are_those_of_its_amount_or_it_is_refused_in_the_same_words(value: Decimal | int) -> None:
    try:
        units = money.to_units(money.parse_amount(value, "amount"))
    except InvalidValue as error:
        with pytest.raises(InvalidValue) as refused:
            money.parse_units(value, "amount")
        assert str(refused.value) == str(error)
    else:
        assert money.parse_units(value, "amount") == units


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "1." + "0" * 70, "1." + "0" * 70 + "1", "1e-9", "1E+400"])
def test_units_of_odd_decimals_are_those_of_their_amounts(text: str) -> None:
    try:
        units = money.to_units(money.parse_amount(Decimal(text), "amount"))
    except InvalidValue:
        with pytest.raises(InvalidValue):
            money.parse_units(Decimal(text), "amount")
    else:
        assert money.parse_units(Decimal(text), "amount") == units


def test_a_callers_decimal_context_changes_nothing() -> None:
    context = getcontext()
    before = context.prec
    context.prec = 3
    try:
        assert str(money.parse_price("92233720367.12345678", "price")) == "92233720367.12345678"
        assert money.to_units(Decimal("12345.67")) == 1234567000000
        assert str(money.from_units(9223372036712345678)) == "92233720367.12345678"
        with pytest.raises(InvalidValue):
            money.parse_price("92233720399", "price")
    finally:
        context.prec = before


@given(st.integers(-(10**40), 10**40), st.integers(1, 10**20))
def test_division_rounds_half_even_as_fractions_do(numerator: int, denominator: int) -> None:
    assert money.divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


def test_a_charge_may_be_unknown_or_nothing_or_a_rebate() -> None:
    assert money.parse_charge(None) is None
    assert money.parse_charge(0) == 0
    assert str(money.parse_charge(-0.0)) == "0"
    assert str(money.parse_charge("-0.01")) == "-0.01"
