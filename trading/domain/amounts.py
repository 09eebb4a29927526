"""Money as the pages write it: the currency's own sign, its grouping, plus or minus in front, a word for its tone."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from trading.domain import display

# Of a currency that is not here the code stands in front: CHF 1,200.00.
SIGNS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
MINUS = "\u2212"  # as wide as a plus and never broken off its number


def amount(value: Decimal | None, currency: str, *, signed: bool = False) -> str:
    """Write money exactly: ₹12,34,567.50. ``signed`` puts a plus before a gain. None is a dash."""
    if value is None:
        return display.UNDEFINED
    return f"{_direction(value, signed=signed)}{sign_of(currency)}{display.money(abs(value), currency)}"


def money_text(value: Decimal | None, currency: str, *, signed: bool = False) -> str:
    """Write an amount as the desk's pages do: `money_text(Decimal("1234567.5"), "INR")` is ₹12,34,567.50.

    ``currency`` is its code, as `dm.get_daily_summary()["currency"]` tells it: it gives the sign, the grouping and the
    decimals, to which the amount is rounded half-even (one that would vanish stays exact). ``signed`` puts a plus
    before a gain, None is a dash. For people only: nothing that computes should read it back.
    """
    return amount(rounded(value, currency), currency, signed=signed)


def rounded(value: Decimal | None, currency: str) -> Decimal | None:
    """Return an amount rounded half-even to its currency's decimals, for reading: shares of charges have eight.

    One that would vanish stays as it is; the CSV and the daily summary have all of them exactly.
    """
    if value is None:
        return None
    shown = value.quantize(Decimal(1).scaleb(-display.minor_unit(currency)), rounding=ROUND_HALF_EVEN)
    return value if value and not shown else shown


def number(value: Decimal | int | None, currency: str) -> str:
    """Write a quantity as its desk groups digits, without decimals that say nothing. None is a dash."""
    if value is None:
        return display.UNDEFINED
    whole, point, decimals = display.plain(abs(Decimal(value))).partition(".")
    grouped = display.grouped(whole, lakhs=currency in display.LAKH_CURRENCIES)
    return f"{_direction(Decimal(value), signed=False)}{grouped}{point}{decimals}"


def signed(value: Decimal | None) -> str:
    """Write a plain number of two decimals with its sign. None is a dash."""
    if value is None:
        return display.UNDEFINED
    return f"{_direction(value, signed=True)}{abs(value):.2f}"


def condition(value: Any) -> str:
    """Write one condition of a signal: text as it is, anything else as its JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def tone(value: Decimal | None) -> str:
    """Return `gain`, `loss`, `flat` or `unknown`: what the colour of an amount repeats."""
    if value is None:
        return "unknown"
    return "gain" if value > 0 else "loss" if value < 0 else "flat"


def sign_of(currency: str) -> str:
    """Return what stands directly before an amount."""
    return SIGNS.get(currency, f"{currency}\u00a0")


def _direction(value: Decimal, *, signed: bool) -> str:
    return MINUS if value < 0 else "+" if signed and value > 0 else ""
