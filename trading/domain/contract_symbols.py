"""The contract that the symbol of a future or an option on an Indian exchange proves. Pure.

The forms: `BANKNIFTY26DECFUT` (year, month), `RELIANCE26NOV1500PE` (year, month, strike), `NIFTY26N2624500CE` (year;
month 1 to 9, O, N or D; day; strike), `USDINR26N27FUT`, and `NIFTY08SEP2623900PE` (day, month, year, strike) where
the strike would be above a million otherwise. Neither lot nor multiplier is in a symbol, and of a monthly one not the
day.

Brokers' files name contracts in words as well, with the day of expiry: `OPT TATASTEEL 29 Sep 2026 207.5 CE` and
`FUT WIPRO 28 Apr 2026` (Dhan), `OPTSTK ICICIBANK Sep 29 2026 1550.00 CE (BT)` and `BSXOPT SENSEX Aug 27 2026 77600.00
CE (BT)` (Angel One), `NIFTY 19650 CE 15 FEB 24` (Upstox). `symbol_of` is the exchange's symbol of such a contract.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

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
_DATED_FORMS = (_DATED, _DAY_FIRST)
# An underlying has digits before its letters at most (360ONE), these apart: else NIFTY2410421500CE (4 January 2024,
# strike 21500) could be one of NIFTY24 (21 April 2010, strike 500) as well. Another one is tried where this gives none.
_UNDERLYING = re.compile(r"\d{0,3}[A-Z][A-Z&\-]*|NIFTYNXT50|NIFTYMID50|SENSEX50|FTSE100|S&P500")
_ANY_UNDERLYING = re.compile(r"\d{0,3}[A-Z][A-Z0-9&\-]*")
_NAMES_OF_MONTHS = {number: name for name, number in MONTHS.items()}
_LETTERS_OF_MONTHS = {number: letter for letter, number in _DAY_CODES.items()}
_KIND_FIRST = re.compile(
    rf"(?:FUT|(?P<option>OPT|OPTSTK|OPTIDX|BSXOPT)) (?P<underlying>{_UNDERLYING.pattern}) "
    r"(?:(?P<day>\d\d?) (?P<month>[A-Z]{3})|(?P<first_month>[A-Z]{3}) (?P<second_day>\d\d?)) (?P<year>\d{4})"
    r"(?(option) (?P<strike>\d+(?:\.\d+)?) (?P<right>CE|PE))(?: \([A-Z]+\))?"
)
_KIND_INSIDE = re.compile(
    rf"(?P<underlying>{_UNDERLYING.pattern}) (?:FUT|(?P<strike>\d+(?:\.\d+)?) (?P<right>CE|PE)) "
    r"(?P<day>\d\d?) (?P<month>[A-Z]{3}) (?P<year>\d\d)"
)
# Of these alone weekly options are listed, on these weekdays (Monday 0) from these days of expiry on; exchange
# circulars moved NSE's from Thursday to Tuesday and BSE's to Thursday with the expiries of September 2025.
_WEEKLY_FROM = {
    "NIFTY": ((date(2019, 2, 11), 3), (date(2025, 9, 1), 1)),
    "SENSEX": ((date(2023, 5, 15), 4), (date(2025, 1, 1), 1), (date(2025, 9, 1), 3)),
}
# These had weekly options until the last of them expired in November 2024, on weekdays that changed often.
_FORMERLY_WEEKLY = frozenset({"BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "BANKEX"})
_LAST_FORMER_WEEK = date(2024, 11, 20)
_DAYS_BEFORE_HOLIDAY_MAX = 4


@dataclass(frozen=True, slots=True)
class Contract:
    """The terms that a symbol proves: ``kind`` FUTURE or OPTION; ``expiry`` and ``strike`` None where it has none."""

    kind: str
    underlying: str
    expiry: date | None = None
    strike: Decimal | None = None


@lru_cache(maxsize=4096)  # a file repeats its symbols
def contract_of(symbol: str) -> Contract | None:
    """Return the contract that a symbol names, None where it is no future or option, or can be read as two."""
    for form in (_UNDERLYING, _ANY_UNDERLYING):
        readings: set[Contract | None] = set()
        for place in range(1, len(symbol)):
            underlying, rest = symbol[:place], symbol[place:]
            if form.fullmatch(underlying):
                readings |= {_monthly(underlying, rest), *(_dated(underlying, rest, each) for each in _DATED_FORMS)}
        readings.discard(None)
        if readings:
            return readings.pop() if len(readings) == 1 else None
    return None


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


def expires_by(symbol: str) -> date | None:
    """Return the day by whose end a contract of this symbol has expired: its own, or the last of its month."""
    contract = contract_of(symbol)
    if contract is None or contract.expiry is not None:
        return None if contract is None else contract.expiry
    match = _MONTHLY.fullmatch(symbol.removeprefix(contract.underlying))
    if match is None:
        return None
    months = (_CENTURY + int(match["year"])) * 12 + MONTHS[match["month"]]  # of the month after it
    return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ContractInWords:
    """A contract as a broker's file describes it, with its day of expiry; ``right`` CE or PE, None of a future."""

    contract: Contract
    expiry: date
    right: str | None


def contract_in_words(text: str) -> ContractInWords | None:
    """Return the contract that a description names, None where it is none of the forms above."""
    words = " ".join(text.upper().split())
    match = _KIND_FIRST.fullmatch(words) or _KIND_INSIDE.fullmatch(words)
    terms = {} if match is None else {name: term for name, term in match.groupdict().items() if term}
    month = terms.get("month") or terms.get("first_month", "")
    if month not in MONTHS:
        return None
    year = int(terms["year"]) + (_CENTURY if len(terms["year"]) == 2 else 0)
    try:
        expiry = date(year, MONTHS[month], int(terms.get("day") or terms["second_day"]))
    except ValueError:
        return None
    strike = Decimal(terms["strike"]) if "strike" in terms else None
    return in_words(terms["underlying"], expiry, strike, terms.get("right"))


def in_words(underlying: str, expiry: date, strike: Decimal | None, right: str | None) -> ContractInWords | None:
    """Return a contract whose terms stand apart in a file; None for a strike of 0, or strike and right at odds."""
    if (strike is None) != (right is None) or (strike is not None and strike <= 0):
        return None
    kind = FUTURE if right is None else OPTION
    return ContractInWords(Contract(kind, underlying, expiry, strike), expiry, right)


def symbol_of(words: ContractInWords) -> str | None:
    """Return the symbol of a contract on NSE or BSE; None where it does not follow from the day of expiry.

    Futures and the month's last options are named by the month, weekly options by their day.
    """
    contract, expiry = words.contract, words.expiry
    year = f"{expiry.year % 100:02}"
    if words.right is None:
        return f"{contract.underlying}{year}{_NAMES_OF_MONTHS[expiry.month]}FUT"
    is_monthly = _is_monthly(contract.underlying, expiry)
    if is_monthly is None or contract.strike is None:
        return None
    strike = f"{contract.strike.normalize():f}"
    when = _NAMES_OF_MONTHS[expiry.month] if is_monthly else f"{_LETTERS_OF_MONTHS[expiry.month]}{expiry.day:02}"
    return f"{contract.underlying}{year}{when}{strike}{words.right}"


def _is_monthly(underlying: str, expiry: date) -> bool | None:
    """Say whether an option's expiry is its month's last; None where the weekdays of that time are not settled.

    Where the weekday is a holiday the expiry moves to the trading day before it, and keeps its place in the month.
    """
    if underlying in _FORMERLY_WEEKLY and expiry <= _LAST_FORMER_WEEK:
        return None
    if underlying not in _WEEKLY_FROM:
        return True
    weekdays = [weekday for first, weekday in _WEEKLY_FROM[underlying] if first <= expiry]
    if not weekdays:
        return None
    moved = (weekdays[-1] - expiry.weekday()) % 7
    regular = expiry + timedelta(days=moved)
    return None if moved > _DAYS_BEFORE_HOLIDAY_MAX else (regular + timedelta(days=7)).month != regular.month
