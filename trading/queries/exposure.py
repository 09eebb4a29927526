"""When the trades of an account were in the market: one stretch per trade and day, ending with the day's trading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from trading.domain.sessions import Calendar, days_between
from trading.models import Instrument, Strategy, Trade
from trading.models.trade import OVERNIGHT
from trading.queries import as_known
from trading.queries.columns import instant_of, text
from trading.queries.instruments import shown_symbol
from trading.queries.sessions import calendar_of
from trading.queries.statistics import Cut, retold_of
from trading.queries.trades import CLOSED, OPEN

Span = tuple[datetime, datetime]
Market = tuple[str, str]  # the codes of an exchange and of its session group
HeldRow = tuple[str, str, Market, datetime, datetime | None]
_DAY = timedelta(days=1)


class Held(NamedTuple):
    """What of one trade lies in one day; a trade that was opened but held for no time is there with an empty span."""

    strategy_id: str
    symbol: str
    market: Market
    day: date
    span: Span


@dataclass(slots=True)
class _Days:
    """A calendar that works out each day once: trades share them by the thousand."""

    calendar: Calendar
    _known: dict[date, tuple[Span, list[Span]]]

    def of(self, day: date) -> tuple[Span, list[Span]]:
        """Return the date's midnights, and when its exchange trades between them."""
        if day not in self._known:
            self._known[day] = self.calendar.bounds(day), self.calendar.open_spans(day)
        return self._known[day]


def held_over(
    cut: Cut, first: date, last: date, *, now: datetime | None = None, is_open: bool | None = None
) -> Iterator[Held]:
    """Return what of each trade of the cut lies in each day of first..last, in no order; ``is_open`` takes those alone
    that are open still, or that are closed.

    A trade that stays open counts until the day's continuous trading ends, or until ``now``.
    """
    return held_by_day(touching(cut, first, last, is_open), first, last, now=now)


def held_by_day(trades: Iterable[HeldRow], first: date, last: date, *, now: datetime | None = None) -> Iterator[Held]:
    """Yield what of each of some trades, whichever they are, lies in each day of first..last."""
    calendars: dict[Market, _Days] = {}
    for strategy_id, symbol, market, opened_at, closed_at in trades:
        days = calendars.get(market)
        if days is None:
            days = calendars[market] = _Days(calendar_of(*market), {})
        opening = days.calendar.day_of(opened_at)
        if closed_at is not None and opening >= first and closed_at < days.of(opening)[0][1]:
            if opening <= last:  # opened and closed within one day, as most are
                yield Held(strategy_id, symbol, market, opening, (opened_at, closed_at))
            continue
        begins = max(first, opening)
        ends = last if closed_at is None else min(last, days.calendar.day_of(closed_at))
        for day in days_between(begins, ends):
            for span in _held(days, day, opened_at, closed_at):
                start, stop = span[0], min(span[1], now) if now is not None and closed_at is None else span[1]
                yield Held(strategy_id, symbol, market, day, (start, max(start, stop)))


def touching(cut: Cut, first: date, last: date, is_open: bool | None = None) -> Iterator[HeldRow]:
    """Yield the trades of the cut that may have been held in the days, and a few others about them: of closed trades
    all that ended since the day before, in UTC, and began by the end of the last of them (`held_over`)."""
    if cut.known_at is not None:
        for known_trade in retold_of(cut, cut.known_at):
            ends = known_trade.opened_at, known_trade.closed_at
            yield known_trade.strategy_id, *named(known_trade.trade.instrument), *ends
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    instruments = {instrument.pk: named(instrument) for instrument in Instrument.objects.select_related("exchange")}
    for strategy, instrument, opened_at, closed_at in _rows_touching(cut, first, last, is_open):
        ended = None if closed_at is None else instant_of(closed_at)
        yield strategies[strategy], *instruments[instrument], instant_of(opened_at), ended


def _rows_touching(
    cut: Cut, first: date, last: date, is_open: bool | None
) -> QuerySet[Trade, tuple[int, int, str, str | None]]:
    """Return strategy, instrument, opening and closing of the trades that may have been held in the days.

    A day may be any of years, so each part goes by an index of its own: what is open, what was opened about the days,
    and what was carried into them.
    """
    # No zone is a day away from UTC: this is wide enough in every one of them, and `_held` decides.
    since, until = (datetime.combine(day, time(), UTC) for day in (first - _DAY, last + 2 * _DAY))
    rows = Trade.objects.filter(**cut.lookups()).order_by()
    rows = rows if cut.known_at is None else rows.filter(as_known.untouched(cut.known_at))
    columns = ("strategy_id", "instrument_id", text("opened_at"), text("closed_at"))
    still_open = rows.filter(state=OPEN).values_list(*columns)
    if is_open:
        return still_open
    closed = rows.filter(state=CLOSED)
    opened_then = closed.filter(opened_at__gte=since, opened_at__lt=until).values_list(*columns)
    carried_in = closed.filter(OVERNIGHT, opened_at__lt=since, closed_at__gte=since).values_list(*columns)
    if is_open is not None:
        return opened_then.union(carried_in, all=True)
    return still_open.union(opened_then, carried_in, all=True)


def named(instrument: Instrument) -> tuple[str, Market]:
    """Return an instrument's name as callers know it, and where it is traded."""
    exchange = instrument.exchange.code
    return shown_symbol(exchange, instrument.symbol), (exchange, instrument.session_group)


def _held(days: _Days, day: date, opened_at: datetime, closed_at: datetime | None) -> list[Span]:
    """Return what of a trade lies in the day: a trade carried in starts with the day's trading, one carried on ends
    with it. Opened or closed in the day, it was held from or until then, whatever the exchange did."""
    (midnight, next_midnight), spans = days.of(day)
    if opened_at >= next_midnight or (closed_at is not None and closed_at < midnight):
        return []
    opens_today, closes_today = opened_at >= midnight, closed_at is not None and closed_at < next_midnight
    start = opened_at if opens_today else spans[0][0] if spans else midnight
    stop = closed_at if closes_today and closed_at is not None else spans[-1][1] if spans else midnight
    held = [(max(start, opens), min(stop, closes)) for opens, closes in spans if opens < stop and start < closes]
    if not held:
        return [(start, max(start, stop))] if opens_today or start < stop else []
    if opens_today:
        held[0] = (start, held[0][1])
    if closes_today:
        held[-1] = (held[-1][0], stop)
    return held
