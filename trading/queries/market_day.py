"""What a strategy must know of a symbol before it trades it on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, datetime

from trading.errors import InvalidValue
from trading.models import Instrument
from trading.queries.instruments import find_instrument
from trading.queries.period import instant_of
from trading.queries.sessions import calendar_of_symbol


@dataclass(frozen=True, slots=True)
class MarketDay:
    """One symbol on one trading day, in UTC: the day's bounds, its continuous session (None on a closed day; the whole
    day on an exchange that never closes), and whether the instrument can be traded (an index cannot)."""

    symbol: str
    day: date
    starts_at: datetime
    ends_at: datetime
    opens_at: datetime | None
    closes_at: datetime | None
    is_tradable: bool


def market_day(symbol: str, at: datetime) -> MarketDay:
    """Return the trading day of an instant; a naive one is in the desk's zone. Raises: InvalidValue."""
    at = instant_of(at, "at")
    if not MINYEAR < at.year < MAXYEAR:
        raise InvalidValue(f"at is {at}.", field="at", hint="Give a time whose day has a day before and after it.")
    calendar = calendar_of_symbol(symbol)
    day = calendar.day_of(at)
    starts_at, ends_at = calendar.bounds(day)
    session = calendar.session_at(at) or calendar.continuous(day)
    opens_at, closes_at = (session.opens_at, session.closes_at) if session else (None, None)
    if not calendar.rows:
        opens_at, closes_at = starts_at, ends_at
    instrument = find_instrument(symbol)
    is_tradable = instrument is None or instrument.kind != Instrument.Kind.INDEX
    return MarketDay(symbol, day, starts_at, ends_at, opens_at, closes_at, is_tradable)
