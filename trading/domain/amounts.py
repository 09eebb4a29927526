"""Money as the pages write it: the currency's own sign, its grouping, plus or minus in front, a word for its tone."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from trading.domain import display
from trading.domain.chain import JSON

# Of a currency that is not here the code stands in front: CHF 1,200.00.
SIGNS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
SHORT = ((Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**3), "k"))
SHORT_LAKHS = ((Decimal(10**7), "Cr"), (Decimal(10**5), "L"), (Decimal(10**3), "k"))
NEARLY = Decimal("0.995")  # of a unit is written as that unit: 99,800 as 1L, never as 100k
MINUS = "\u2212"  # as wide as a plus and never broken off its number


def amount(figure: Decimal | None, currency: str, *, signed: bool = False) -> str:
    """Write money exactly: ₹12,34,567.50. ``signed`` puts a plus before a gain. None is a dash."""
    if figure is None:
        return display.UNDEFINED
    sign = SIGNS.get(currency, f"{currency}\u00a0")
    return f"{_direction(figure, signed=signed)}{sign}{display.money(abs(figure), currency)}"


def money_text(value: Decimal | None, currency: str, *, signed: bool = False) -> str:
    """Write an amount as the desk's pages do: `money_text(Decimal("1234567.5"), "INR")` is ₹12,34,567.50.

    ``currency`` is its code, as `dm.get_daily_summary()["currency"]` tells it: it gives the sign, the grouping and the
    decimals, to which the amount is rounded half-even (one that would vanish stays exact). ``signed`` puts a plus
    before a gain, None is a dash. For people only: nothing that computes should read it back.
    """
    return amount(rounded(value, currency), currency, signed=signed)


def rounded(figure: Decimal | None, currency: str) -> Decimal | None:
    """Return an amount rounded half-even to its currency's decimals, for reading: shares of charges have eight.

    One that would vanish stays as it is; the CSV and the daily summary have all of them exactly.
    """
    if figure is None:
        return None
    rounded_figure = figure.quantize(Decimal(1).scaleb(-display.minor_unit(currency)), rounding=ROUND_HALF_EVEN)
    return figure if figure and not rounded_figure else rounded_figure


def short(figure: Decimal | None, currency: str) -> str:
    """Write a gain or loss in the room of six letters, rounded half-even: `+1.2L` is ₹1,20,000, `−34k` 34,000.

    Thousands, lakhs and crores where the currency groups by them, else thousands, millions, billions. None is a dash.
    """
    if figure is None:
        return display.UNDEFINED
    size, letter = abs(figure), ""
    for unit, name in SHORT_LAKHS if currency in display.LAKH_CURRENCIES else SHORT:
        if size >= unit * NEARLY:
            size, letter = size / unit, name
            break
    decimals = Decimal(1) if size >= NEARLY * 10 else Decimal("0.1")
    nearest = size.quantize(decimals, rounding=ROUND_HALF_EVEN)
    text = f"{nearest:f}".removesuffix(".0") if nearest else display.plain(size)  # a little is never written as nothing
    return f"{_direction(figure, signed=True)}{text}{letter}"


def number(quantity: Decimal | int | None, currency: str) -> str:
    """Write a quantity as its desk groups digits, without decimals that say nothing. None is a dash."""
    if quantity is None:
        return display.UNDEFINED
    whole, point, decimals = display.plain(abs(Decimal(quantity))).partition(".")
    grouped = display.grouped(whole, lakhs=currency in display.LAKH_CURRENCIES)
    return f"{_direction(Decimal(quantity), signed=False)}{grouped}{point}{decimals}"


def signed(figure: Decimal | None) -> str:
    """Write a plain number of two decimals with its sign. None is a dash."""
    if figure is None:
        return display.UNDEFINED
    return f"{_direction(figure, signed=True)}{abs(figure):.2f}"


def condition(seen: JSON) -> str:
    """Write one condition of a signal: text as it is, anything else as its JSON."""
    return seen if isinstance(seen, str) else display.json_text(seen)


def tone(figure: Decimal | None) -> str:
    """Return `gain`, `loss`, `flat` or `unknown`: what the colour of an amount repeats."""
    if figure is None:
        return "unknown"
    return "gain" if figure > 0 else "loss" if figure < 0 else "flat"


def _direction(figure: Decimal, *, signed: bool) -> str:
    return MINUS if figure < 0 else "+" if signed and figure > 0 else ""
