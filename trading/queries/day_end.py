"""When a trading day of an account is over, so that its report can be published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings

from trading.domain.sessions import Calendar
from trading.errors import InvalidValue
from trading.models import Account
from trading.queries.exposure import held_over
from trading.queries.sessions import DEFAULT_GROUP, calendar_of
from trading.queries.statistics import Cut


@dataclass(frozen=True, slots=True)
class DayEnd:
    """``session_at``: the last close of the day's continuous trading on the exchanges where the account held something
    (the end of the date on one that has no session that day); ``date_at``: the end of the date on all of them, after
    which no fill can belong to the day. Both UTC."""

    session_at: datetime
    date_at: datetime


def end_of_day(account: Account, day: date, *, now: datetime) -> DayEnd:
    """Return when the day ends for the account; where it held nothing, on the default exchange.

    Raises: InvalidValue for a day that has begun on none of those exchanges by ``now``.
    """
    markets = {one.market for one in held_over(Cut(account), day, day)}
    calendars = [
        calendar_of(exchange, group) for exchange, group in markets or {(settings.VELOX_EXCHANGE, DEFAULT_GROUP)}
    ]
    if min(calendar.bounds(day)[0] for calendar in calendars) > now:
        raise InvalidValue(f"{day} has not begun.", field="date", hint="Give today or a day before it.")
    return DayEnd(
        max(_close(calendar, day) for calendar in calendars), max(calendar.bounds(day)[1] for calendar in calendars)
    )


def _close(calendar: Calendar, day: date) -> datetime:
    spans = calendar.open_spans(day)
    return spans[-1][1] if spans else calendar.bounds(day)[1]
