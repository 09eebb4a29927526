"""When exchanges trade, as the ledger's session rows say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries.stores.base import Session
from trading.domain import sessions as domain
from trading.domain.sessions import Calendar, DaySession, SessionRow
from trading.models import Exchange, ExchangeSession, Instrument
from trading.queries.instruments import split_symbol
from trading.queries.period import desk_zone

DEFAULT_GROUP = "equity"
# Ticks are accepted from 2000 on; bounds further out add no day that could hold one.
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
_NS = 10**9


def calendar_of(exchange: str, group: str = DEFAULT_GROUP) -> Calendar:
    """Return the calendar of an exchange's session group; an unknown exchange never closes, in the desk's zone."""
    zone = Exchange.objects.filter(code=exchange).values_list("zone", flat=True).first()
    if zone is None:
        return Calendar(desk_zone())
    return Calendar(ZoneInfo(zone), domain.rows_for(_rows(exchange), group))


def calendar_of_symbol(symbol: str) -> Calendar:
    """Return the calendar of an instrument; one that was never traded has its exchange's default group."""
    code, name = split_symbol(symbol)
    group = Instrument.objects.filter(exchange__code=code, symbol=name).values_list("session_group", flat=True).first()
    return calendar_of(code, group or DEFAULT_GROUP)


def trading_day_of(instant: datetime, exchange: str | None = None) -> date:
    """Return the trading day of an aware instant: its date in the exchange's zone, open or closed."""
    zone = Exchange.objects.filter(code=exchange or settings.VELOX_EXCHANGE).values_list("zone", flat=True).first()
    return domain.trading_day(instant, ZoneInfo(zone) if zone else desk_zone())


def continuous_session(exchange: str, day: date, *, group: str = DEFAULT_GROUP) -> tuple[datetime, datetime] | None:
    """Return opening and close of the day's continuous trading in UTC, None where there is none.

    Where it is interrupted: the first opening and the last close.
    """
    session = calendar_of(exchange, group).continuous(day)
    return None if session is None else (session.opens_at, session.closes_at)


def candle_sessions(symbol: str, start: int, stop: int) -> list[Session]:
    """Return every calendar day that has a part in ``start <= time < stop`` (ns UTC), as candles see it.

    Candles are counted from the open of the day's continuous trading, from midnight where there is none.
    """
    calendar = calendar_of_symbol(symbol)
    if start >= stop:
        return []
    first, last = _clipped(calendar, start), _clipped(calendar, stop - 1)
    return [_session(calendar, day) for day in domain.days_between(first, last)]


def last_completed_session(now: datetime, *, exchange: str | None = None) -> DaySession:
    """Return the newest continuous trading of the (default) exchange that has closed by ``now``."""
    return calendar_of(exchange or settings.VELOX_EXCHANGE).last_completed(now)


def _rows(exchange: str) -> Iterable[SessionRow]:
    for row in ExchangeSession.objects.filter(exchange__code=exchange):
        yield SessionRow(
            kind=row.kind,
            group=row.group,
            first_date=row.first_date,
            last_date=row.last_date,
            weekdays=row.weekdays,
            phase=row.phase,
            opens=row.opens,
            closes=row.closes,
            note=row.note,
        )


def _clipped(calendar: Calendar, instant: int) -> date:
    seconds = min(max(instant // _NS, _seconds(_FIRST_DAY)), _seconds(_LAST_DAY))
    return calendar.day_of(datetime.fromtimestamp(seconds, UTC))


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _session(calendar: Calendar, day: date) -> Session:
    start, stop = calendar.bounds(day)
    continuous = calendar.continuous(day)
    return Session(_ns(start), _ns(stop), _ns(continuous.opens_at if continuous else start))


def _ns(instant: datetime) -> int:
    return int(instant.timestamp()) * _NS
