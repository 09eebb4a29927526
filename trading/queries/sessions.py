"""When exchanges trade, as the ledger's session rows say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from timeseries.stores.base import Session
from timeseries.values import parse_name
from trading.domain import sessions as domain
from trading.domain.sessions import Calendar, DaySession, SessionRow
from trading.models import Exchange, ExchangeSession, Instrument
from trading.queries.period import desk_zone

DEFAULT_GROUP = ""  # the exchange's own
# Ticks are accepted from 2000 on; bounds further out add no day that could hold one.
_FIRST_SECONDS, _LAST_SECONDS = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2100))
_NS = 10**9
NAMES_AT_ONCE = 500  # in one question: SQLite takes so many parameters
_FIELDS = tuple(field.name for field in fields(SessionRow))
_HOURS = tuple(f"sessions__{name}" for name in _FIELDS)


def calendar_of(exchange: str, group: str = DEFAULT_GROUP) -> Calendar:
    """Return the calendar of an exchange's session group; an unknown exchange never closes, in the desk's zone.

    It is read once as long as no row of reference changes.
    """
    # The code of the last seal is another as soon as any row of reference has changed, so it stands for all of them.
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:  # in every ledger call: the ORM would take ten times as long
        cursor.execute("SELECT mac FROM trading_seal ORDER BY sequence DESC LIMIT 1")
        last = cursor.fetchone()
    return _kept_calendar(str(last[0]) if last else "", exchange, group)


@lru_cache(maxsize=64)
def _kept_calendar(_seal: str, exchange: str, group: str) -> Calendar:
    # One statement for the exchange and its hours; an exchange without hours is one row whose kind is None.
    columns = Exchange.objects.filter(code=exchange).values_list("zone", "session_group", *_HOURS)
    rows = list(columns.order_by("sessions__first_date", "sessions__opens"))
    if not rows:
        return Calendar(desk_zone())
    zone, own_group = rows[0][:2]
    hours = [SessionRow(**dict(zip(_FIELDS, row[2:], strict=True))) for row in rows if row[2] is not None]
    return Calendar(ZoneInfo(zone), domain.rows_for(hours, group or own_group))


def groups_of(exchange: str) -> list[str]:
    """Return the session groups that an exchange has hours of, its own first."""
    own = Exchange.objects.filter(code=exchange).values_list("session_group", flat=True)
    groups = ExchangeSession.objects.filter(exchange__code=exchange).exclude(group=domain.EVERY_GROUP)
    named = {*groups.values_list("group", flat=True)}
    return sorted(named, key=lambda group: (group not in own, group))


def is_open(exchange: str, group: str, at: datetime) -> bool:
    """Tell whether any phase of the exchange's trading goes on at an aware instant; one that never closes is open."""
    return calendar_of(exchange, group).is_open(at)


def calendar_of_symbol(symbol: str) -> Calendar:
    """Return the calendar of an instrument; one that was never traded has its exchange's own group.

    Points may carry a name whose exchange nobody knows: it has the default exchange's.
    """
    [group] = _session_groups([parse_name(symbol, "symbol")]).values()
    return calendar_of(*group)


def calendars_of(symbols: Collection[str]) -> list[Calendar]:
    """Return the calendars of some instruments, each once."""
    return [calendar_of(*group) for group in sorted(set(_session_groups(symbols).values()))]


def _session_groups(symbols: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return the exchange and the session group of each symbol's calendar."""
    booked: dict[tuple[str, str], str] = {}
    codes = {symbol.partition(":")[0] for symbol in symbols if ":" in symbol}
    names = sorted({*symbols, *(symbol.partition(":")[2] for symbol in symbols if ":" in symbol)})
    for first in range(0, len(names), NAMES_AT_ONCE):
        named = Instrument.objects.filter(symbol__in=names[first : first + NAMES_AT_ONCE])
        rows = named.filter(exchange__code__in={settings.VELOX_EXCHANGE, *codes})
        for exchange, group, name in rows.values_list("exchange__code", "session_group", "symbol"):
            booked[exchange, name] = group
    exchanges = {*Exchange.objects.filter(code__in=codes).values_list("code", flat=True)} if codes else set()
    groups = {}
    for symbol in symbols:
        code, colon, rest = symbol.partition(":")
        # A name with a prefix that nobody knew at the time was booked on the default exchange (`is_named`).
        places = [(settings.VELOX_EXCHANGE, symbol)]
        if colon:
            places.insert(0, (code, rest))
        unbooked = (code if code in exchanges else settings.VELOX_EXCHANGE, DEFAULT_GROUP)
        groups[symbol] = next(((place[0], booked[place]) for place in places if place in booked), unbooked)
    return groups


def candle_sessions(symbol: str, start: int, stop: int) -> list[Session]:
    """Return every calendar day that has a part in ``start <= time < stop`` (ns UTC), as candles see it.

    Candles are counted from the open of the day's continuous trading; from midnight where there is none, and where a
    session runs over it. Volume starts anew with each session (`Calendar.volume_restarts`).
    """
    return _days_of(calendar_of_symbol(symbol), start, stop)


def candle_sessions_of(symbols: Collection[str], start: int, stop: int) -> dict[str, list[Session]]:
    """Return `candle_sessions` of each symbol; those of one calendar share one list."""
    lists: dict[tuple[str, str], list[Session]] = {}
    sessions = {}
    for symbol, group in _session_groups(symbols).items():
        if group not in lists:
            lists[group] = _days_of(calendar_of(*group), start, stop)
        sessions[symbol] = lists[group]
    return sessions


def _days_of(calendar: Calendar, start: int, stop: int) -> list[Session]:
    if start >= stop:
        return []
    seconds = [min(max(instant // _NS, _FIRST_SECONDS), _LAST_SECONDS) for instant in (start, stop - 1)]
    first, last = (calendar.day_of(datetime.fromtimestamp(at, UTC)) for at in seconds)
    sessions = []
    for day in domain.days_between(first, last):
        begins, ends = calendar.bounds(day)
        spans = calendar.open_spans(day)
        anchor = spans[0][0] if spans else begins
        restarts = tuple(_ns(restart) for restart in calendar.volume_restarts(day))
        sessions.append(Session(_ns(begins), _ns(ends), _ns(anchor), restarts))
    return sessions


def last_completed_session(now: datetime, *, exchange: str | None = None) -> DaySession:
    """Return the newest continuous trading of the (default) exchange that has closed by ``now``."""
    return calendar_of(exchange or settings.VELOX_EXCHANGE).last_completed(now)


def _ns(instant: datetime) -> int:
    return int(instant.timestamp()) * _NS
