"""When a trading day of an account is over, so that its report can be published."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings

from trading.errors import InvalidValue
from trading.models import Account
from trading.queries.exposure import Market, held_over
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
    """Return when the day ends for the account.

    Raises: InvalidValue as `end_on`.
    """
    return end_on({held.market for held in held_over(Cut(account), day, day)}, day, now=now)


def end_on(markets: Collection[Market], day: date, *, now: datetime) -> DayEnd:
    """Return when the day ends on these markets; without any, on the default exchange.

    Raises: InvalidValue for a day that has begun on none of them by ``now``.
    """
    calendars = [calendar_of(*market) for market in markets or {(settings.VELOX_EXCHANGE, DEFAULT_GROUP)}]
    dates = [calendar.bounds(day) for calendar in calendars]
    if min(begins for begins, _ in dates) > now:
        raise InvalidValue(f"{day} has not begun.", field="date", hint="Give today or a day before it.")
    sessions = [calendar.open_spans(day) for calendar in calendars]
    closes = [spans[-1][1] if spans else ends for spans, (_, ends) in zip(sessions, dates, strict=True)]
    return DayEnd(max(closes), max(ends for _, ends in dates))
