"""Exact money: Decimal outside, integers of 10^-8 inside. No float takes part in a sum.

One bound holds for every amount, price and quantity: 92,233,720,368, so that each fits a 64-bit integer of 10^-8.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation

from timeseries.values import Number
from trading.errors import InvalidValue

SCALE = 10**8
MAX = Decimal(92_233_720_368)
MAX_UNITS = int(MAX) * SCALE
# A context of our own: what a caller sets on its thread must not reach the ledger.
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_UNROUNDED = Context(prec=60, traps=[Inexact, InvalidOperation])  # raises where a digit would be lost
_EIGHTH = Decimal(1).scaleb(-8)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_HINT = "Give an int, a Decimal, a float or a text such as '2450.05': at most 8 decimals and at most 92,233,720,368."
_FINER = "Round it, or record it in a larger unit: a million of them as one, at a million times the price."


def parse_price(amount: Number, field: str) -> Decimal:
    """Return a price exactly; the instrument tells whether it may be 0 or below. Raises: InvalidValue."""
    return parse_amount(amount, field)


def parse_quantity(amount: Number, field: str = "quantity") -> Decimal:
    """Return a quantity exactly; it must be above 0. Raises: InvalidValue."""
    quantity = parse_amount(amount, field)
    if quantity <= 0:
        raise InvalidValue(f"{field} is {quantity}.", field=field, hint="Give a value above 0.")
    return quantity


def parse_charge(amount: Number | None, field: str = "charges") -> Decimal | None:
    """Return a charge exactly, None where nobody told it; a rebate is below 0. Raises: InvalidValue."""
    return None if amount is None else parse_amount(amount, field)


def parse_amount(amount: Number, field: str) -> Decimal:
    """Return any finite amount exactly: int, text, Decimal, or a float by its shortest decimal form.

    Raises: InvalidValue for anything else, for more than 8 decimals and beyond the bound.
    """
    exact, is_exact = _rounded(amount, field)
    if not is_exact:
        raise InvalidValue(f"{field} is {_quoted(amount)}: the ledger has 8 decimals.", field=field, hint=_FINER)
    return exact


def parse_reported(amount: Number | None, field: str) -> Decimal | None:
    """Return a figure that a caller computed, rounded to 8 decimals: it is kept, no other figure follows from it.

    Raises: InvalidValue for what is no finite number within the bound.
    """
    return None if amount is None else _rounded(amount, field)[0]


def parse_units(amount: Number, field: str) -> int:
    """Return any amount that `parse_amount` takes as an integer of 10^-8. Raises: InvalidValue, as it does."""
    if type(amount) is Decimal and amount.is_finite():
        try:
            units = int(amount.quantize(_EIGHTH, context=_UNROUNDED).scaleb(8, context=_EXACT))
        except (Inexact, InvalidOperation):
            units = MAX_UNITS + 1
        if abs(units) <= MAX_UNITS:
            return units
    return to_units(parse_amount(amount, field))


def to_units(amount: Decimal) -> int:
    """Return an amount of at most 8 decimals as an integer of 10^-8."""
    return int(amount.scaleb(8, context=_EXACT))


def from_units(units: int) -> Decimal:
    """Return an integer of 10^-8 as a plain Decimal."""
    whole, rest = divmod(units, SCALE)
    return Decimal(units).scaleb(-8, context=_EXACT).normalize(_EXACT) if rest else Decimal(whole)


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return the quotient rounded half-even, exactly; the denominator is above 0."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def _rounded(amount: Number, field: str) -> tuple[Decimal, bool]:
    """Return the amount at 8 decimals, and whether that is all of it."""
    number = _decimal(amount)
    if number is None or not number.is_finite() or number.copy_abs() > MAX:
        raise InvalidValue(f"{field} is {_quoted(amount)}.", field=field, hint=_HINT)
    rounded = number.quantize(_EIGHTH, context=_EXACT)
    plain = rounded.normalize(_EXACT)  # without trailing zeros; and now without an exponent
    plain = plain.quantize(Decimal(1), context=_EXACT) if int(plain.as_tuple().exponent) > 0 else _EXACT.add(plain, 0)
    return plain, rounded == number


def _decimal(amount: Number) -> Decimal | None:
    if isinstance(amount, bool):
        return None
    if isinstance(amount, float):
        return Decimal(float.__repr__(amount))
    if isinstance(amount, (int, Decimal)):
        return Decimal(amount)
    text = ""
    if isinstance(amount, str):
        text = amount
    elif hasattr(amount, "dtype") and getattr(amount, "shape", None) == ():
        text = str(amount)  # a numpy number, by its own shortest form: a float32 of 2450.05 is 2450.05
    return Decimal(text) if len(text) <= 64 and _NUMBER.fullmatch(text) else None


def _quoted(amount: Number) -> str:
    if isinstance(amount, int) and abs(amount) > MAX:  # Python does not write an int of 5,000 digits
        return f"an int of {amount.bit_length()} bits"
    return repr(amount)[:60]
