"""How figures are written for people: grouped money, short ratios, a dash where something is undefined."""

from __future__ import annotations

import json
from decimal import Decimal

from trading.domain.chain import JSON

UNDEFINED = "—"
# Currencies whose amounts are grouped in lakhs and crores: 12,34,567.89.
LAKH_CURRENCIES = frozenset({"INR", "NPR", "PKR", "BDT", "LKR"})
# Decimals of a currency whose smallest coin is not its hundredth (ISO 4217, column "minor unit").
MINOR_UNITS = {"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "VND": 0, "XAF": 0, "XOF": 0}
MINOR_UNITS |= {"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}

# How a closed trade went, as people read it; links, CSV and JSON keep the keys.
OUTCOMES = {"win": "won", "loss": "lost", "breakeven": "even"}


def plain(value: Decimal) -> str:
    """Write a decimal exactly: no exponent, no trailing zeros, no negative zero (for JSON and CSV)."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def json_text(content: JSON) -> str:
    """Write a JSON value for people: letters of any script as they are."""
    return json.dumps(content, ensure_ascii=False)


def money(value: Decimal | None, currency: str) -> str:
    """Write money for people: grouped as its currency is, with its decimals at least, never rounded. None is a dash."""
    if value is None:
        return UNDEFINED
    whole, _, decimals = plain(abs(value)).partition(".")
    sign, decimals = "-" if value < 0 else "", decimals.ljust(minor_unit(currency), "0")
    return f"{sign}{grouped(whole, lakhs=currency in LAKH_CURRENCIES)}{'.' if decimals else ''}{decimals}"


def minor_unit(currency: str) -> int:
    """Return how many decimals amounts in a currency are written with: 2 of the rupee, 0 of the yen."""
    return MINOR_UNITS.get(currency, 2)


def count(number: int) -> str:
    """Write a whole number in a sentence about the desk, which is of no currency: grouped in lakhs and crores."""
    return f"{'-' if number < 0 else ''}{grouped(str(abs(number)), lakhs=True)}"


def ratio(value: float | None, *, decimals: int = 2) -> str:
    """Write a ratio for people; None is a dash."""
    return UNDEFINED if value is None else f"{round(value, decimals) + 0.0:.{decimals}f}"  # no negative zero


def duration(seconds: float | None) -> str:
    """Write seconds as h:mm:ss; None is a dash."""
    if seconds is None:
        return UNDEFINED
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def shortened(text: str, characters_max: int) -> str:
    """Return a text of at most so many characters, cut between words: half of a figure is another figure."""
    if len(text) <= characters_max:
        return text
    words = text[: characters_max - 1].rsplit(maxsplit=1)
    return f"{words[0]} …" if len(words) > 1 else f"{text[: characters_max - 1]}…"


def outcome(result: str) -> str:
    """Write a trade's result for people: won, lost or even of a closed trade, else its state as it is."""
    return OUTCOMES.get(result, result)


def grouped(digits: str, *, lakhs: bool) -> str:
    """Group whole digits by thousands, or by the last three and then by twos."""
    size = 2 if lakhs else 3
    head, groups = digits[:-3], [digits[-3:]]
    while head:
        head, group = head[:-size], head[-size:]
        groups.insert(0, group)
    return ",".join(groups)
