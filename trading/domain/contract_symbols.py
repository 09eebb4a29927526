"""The contract that the symbol of a future or an option on an Indian exchange proves. Pure.

The forms: `BANKNIFTY26DECFUT` (year, month), `RELIANCE26NOV1500PE` (year, month, strike), `NIFTY26N2624500CE` (year;
month 1 to 9, O, N or D; day; strike), `USDINR26N27FUT`, and `NIFTY08SEP2623900PE` (day, month, year, strike) where
the strike would be above a million otherwise. Neither lot nor multiplier is in a symbol, and of a monthly one not the
day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

FUTURE, OPTION = "FUTURE", "OPTION"
MONTHS = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6,
    "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
_DAY_CODES = {**{str(number): number for number in range(1, 10)}, "O": 10, "N": 11, "D": 12}
_STRIKE_MAX = 1_000_000
_CENTURY = 2000

_END = r"(?:FUT|(?P<strike>\d+(?:\.\d+)?)(?:CE|PE))"
_MONTHLY = re.compile(rf"(?P<year>\d\d)(?P<month>{'|'.join(MONTHS)}){_END}")
_DATED = re.compile(rf"(?P<year>\d\d)(?P<month>[1-9OND])(?P<day>\d\d){_END}")
_DAY_FIRST = re.compile(rf"(?P<day>\d\d)(?P<month>{'|'.join(MONTHS)})(?P<year>\d\d)(?P<strike>\d+(?:\.\d+)?)(?:CE|PE)")
_UNDERLYING = re.compile(r"[A-Z][A-Z0-9&\-]*")


@dataclass(frozen=True, slots=True)
class Contract:
    """The terms that a symbol proves: ``kind`` FUTURE or OPTION; ``expiry`` and ``strike`` None where it has none."""

    kind: str
    underlying: str
    expiry: date | None = None
    strike: Decimal | None = None


def contract_of(symbol: str) -> Contract | None:
    """Return the contract that a symbol names, None where it is no future or option, or can be read as two."""
    readings: set[Contract | None] = set()
    for place in range(1, len(symbol)):
        underlying, rest = symbol[:place], symbol[place:]
        if _UNDERLYING.fullmatch(underlying):
            readings |= {_monthly(underlying, rest), *(_dated(underlying, rest, form) for form in (_DATED, _DAY_FIRST))}
    readings.discard(None)
    return readings.pop() if len(readings) == 1 else None


def _monthly(underlying: str, rest: str) -> Contract | None:
    match = _MONTHLY.fullmatch(rest)
    if match is None:
        return None
    strike = None if match["strike"] is None else Decimal(match["strike"])
    if strike is not None and not 0 < strike < _STRIKE_MAX:
        return None
    return Contract(FUTURE if strike is None else OPTION, underlying, None, strike)


def _dated(underlying: str, rest: str, form: re.Pattern[str]) -> Contract | None:
    match = form.fullmatch(rest)
    if match is None:
        return None
    strike = None if match["strike"] is None else Decimal(match["strike"])
    if strike is not None and (not strike or (form is _DAY_FIRST and _monthly(underlying, rest) is not None)):
        return None
    month = {**_DAY_CODES, **MONTHS}[match["month"]]
    try:
        expiry = date(_CENTURY + int(match["year"]), month, int(match["day"]))
    except ValueError:
        return None
    return Contract(FUTURE if strike is None else OPTION, underlying, expiry, strike)
