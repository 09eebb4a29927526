"""When exchanges trade, as the ledger's session rows say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from timeseries.stores.base import Session
from timeseries.values import parse_name
from trading.domain import sessions as domain
from trading.domain.sessions import Calendar, DaySession, SessionRow
from trading.models import Exchange, ExchangeSession, Instrument
from trading.queries.instruments import is_named
from trading.queries.period import desk_zone

DEFAULT_GROUP = ""  # the exchange's own
# Ticks are accepted from 2000 on; bounds further out add no day that could hold one.
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
_NS = 10**9


def calendar_of(exchange: str, group: str = DEFAULT_GROUP) -> Calendar:
    """Return the calendar of an exchange's session group; an unknown exchange never closes, in the desk's zone."""
    known = Exchange.objects.filter(code=exchange).values_list("zone", "session_group").first()
    if known is None:
        return Calendar(desk_zone())
    zone, own_group = known
    return Calendar(ZoneInfo(zone), domain.rows_for(_rows(exchange), group or own_group))


def groups_of(exchange: str) -> list[str]:
    """Return the session groups that an exchange has hours of, its own first."""
    own = Exchange.objects.filter(code=exchange).values_list("session_group", flat=True)
    groups = ExchangeSession.objects.filter(exchange__code=exchange).exclude(group=domain.EVERY_GROUP)
    named = {*groups.values_list("group", flat=True)}
    return sorted(named, key=lambda group: (group not in own, group))


def is_open(exchange: str, group: str, at: datetime) -> bool:
    """Tell whether any phase of the exchange's trading goes on at an aware instant; one that never closes is open."""
    return _kept_calendar(_state_of_references(), exchange, group).is_open(at)


@lru_cache(maxsize=64)
def _kept_calendar(_state: str, exchange: str, group: str) -> Calendar:
    return calendar_of(exchange, group)


def _state_of_references() -> str:
    """Return the code of the last seal: it is another as soon as any row of reference has changed."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:  # in every ledger call: the ORM would take ten times as long
        cursor.execute("SELECT mac FROM trading_seal ORDER BY sequence DESC LIMIT 1")
        last = cursor.fetchone()
    return str(last[0]) if last else ""


def calendar_of_symbol(symbol: str) -> Calendar:
    """Return the calendar of an instrument; one that was never traded has its exchange's own group.

    Points may carry a name whose exchange nobody knows: it has the default exchange's.
    """
    code, colon, _ = parse_name(symbol, "symbol").partition(":")
    known = Instrument.objects.filter(is_named(symbol)).values_list("exchange__code", "session_group", "symbol")
    if known:
        exchange, group, _ = min(known, key=lambda instrument: ":" in instrument[2])
        return calendar_of(exchange, group)
    is_known = bool(colon) and Exchange.objects.filter(code=code).exists()
    return calendar_of(code if is_known else settings.VELOX_EXCHANGE)


def candle_sessions(symbol: str, start: int, stop: int) -> list[Session]:
    """Return every calendar day that has a part in ``start <= time < stop`` (ns UTC), as candles see it.

    Candles are counted from the open of the day's continuous trading; from midnight where there is none, and where a
    session runs over it. Volume starts anew with each session (`Calendar.volume_restarts`).
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
            opens_day_before=row.opens_day_before,
        )


def _clipped(calendar: Calendar, instant: int) -> date:
    seconds = min(max(instant // _NS, _seconds(_FIRST_DAY)), _seconds(_LAST_DAY))
    return calendar.day_of(datetime.fromtimestamp(seconds, UTC))


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _session(calendar: Calendar, day: date) -> Session:
    start, stop = calendar.bounds(day)
    spans = calendar.open_spans(day)
    anchor = spans[0][0] if spans else start
    restarts = tuple(_ns(restart) for restart in calendar.volume_restarts(day))
    return Session(_ns(start), _ns(stop), _ns(anchor), restarts)


def _ns(instant: datetime) -> int:
    return int(instant.timestamp()) * _NS
