"""Exact money: Decimal outside, integers of 10^-8 inside. No float takes part in a sum.

One bound holds for every amount, price and quantity: 92,233,720,368, so that each fits a 64-bit integer of 10^-8.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from trading.errors import InvalidValue

SCALE = 10**8
MAX = Decimal(92_233_720_368)
MAX_UNITS = int(MAX) * SCALE
# A context of our own: what a caller sets on its thread must not reach the ledger.
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_EIGHTH = Decimal(1).scaleb(-8)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_HINT = "Give an int, a Decimal, a float or a text such as '2450.05': at most 8 decimals and at most 92,233,720,368."


def parse_price(value: Any, field: str) -> Decimal:
    """Return a price exactly; it must be above 0. Raises: InvalidValue."""
    return _above_zero(parse_amount(value, field), field)


def parse_quantity(value: Any, field: str = "quantity") -> Decimal:
    """Return a quantity exactly; it must be above 0. Raises: InvalidValue."""
    return _above_zero(parse_amount(value, field), field)


def parse_charge(value: Any, field: str = "charges") -> Decimal | None:
    """Return a charge exactly, None where it is not known; it must not be below 0. Raises: InvalidValue."""
    if value is None:
        return None
    amount = parse_amount(value, field)
    if amount < 0:
        raise InvalidValue(f"{field} is {value!r}.", field=field, hint="Give 0 or more, or None while it is unknown.")
    return amount


def parse_amount(value: Any, field: str) -> Decimal:
    """Return any finite amount exactly: int, text, Decimal, or a float by its shortest decimal form.

    Raises: InvalidValue for anything else, for more than 8 decimals and beyond the bound.
    """
    number = _decimal(value)
    if number is None or not number.is_finite() or abs(number) > MAX:
        raise InvalidValue(f"{field} is {_shown(value)}.", field=field, hint=_HINT)
    exact = number.quantize(_EIGHTH, context=_EXACT)
    if exact != number:
        raise InvalidValue(f"{field} is {_shown(value)}: more than 8 decimals.", field=field, hint=_HINT)
    return plain(exact)


def plain(value: Decimal) -> Decimal:
    """Return the same value without trailing zeros and without an exponent."""
    normal = value.normalize(_EXACT)
    return normal.quantize(Decimal(1), context=_EXACT) if int(normal.as_tuple().exponent) > 0 else normal + 0


def to_units(amount: Decimal) -> int:
    """Return an amount of at most 8 decimals as an integer of 10^-8."""
    return int(amount.scaleb(8, context=_EXACT))


def from_units(units: int) -> Decimal:
    """Return an integer of 10^-8 as a plain Decimal."""
    return plain(Decimal(units).scaleb(-8, context=_EXACT))


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return the quotient rounded half-even, exactly; the denominator is above 0."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def _decimal(value: Any) -> Decimal | None:
    if hasattr(value, "item") and not isinstance(value, (bool, int, float)):
        value = value.item()  # a numpy scalar
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return Decimal(float.__repr__(value))
    is_number = isinstance(value, str) and len(value) <= 64 and _NUMBER.fullmatch(value) is not None
    return Decimal(value) if is_number or isinstance(value, (int, Decimal)) else None


def _above_zero(amount: Decimal, field: str) -> Decimal:
    if amount <= 0:
        raise InvalidValue(f"{field} is {amount}.", field=field, hint="Give a value above 0.")
    return amount


def _shown(value: Any) -> str:
    return repr(value)[:60]
