"""What a caller means by a period: `days=30`, or two bounds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries.values import no_nat
from trading.errors import InvalidValue
from trading.models import Account

EARLIEST = date(2000, 1, 1)  # nothing is recorded before


def desk_zone() -> ZoneInfo:
    return ZoneInfo(settings.TIME_ZONE)


def desk_date(now: datetime) -> date:
    """Return the date at the desk at an aware instant."""
    return now.astimezone(desk_zone()).date()


def date_in(instant: datetime, zone: str) -> date:
    """Return the date of an aware instant in a zone."""
    return instant.astimezone(ZoneInfo(zone)).date()


def account_date(account: Account, now: datetime) -> date:
    """Return the date of an account at an aware instant, in its own zone."""
    return date_in(now, account.zone)


def newest_date(account: Account, now: datetime) -> date:
    """Return the later of the account's date and the desk's: no day of the account has come after it."""
    return max(account_date(account, now), desk_date(now))


def end_of(day: date) -> datetime:
    """Return the first instant after a day at the desk."""
    return datetime.combine(day + timedelta(days=1), time.min, desk_zone())


def last_days(days: int, *, now: datetime) -> tuple[date, date]:
    """Return the first and the last of so many calendar days that end today, inclusive."""
    today = desk_date(now)
    reach = min(days - 1, (today - EARLIEST).days)
    return today - timedelta(days=reach), today


def check_days(days: int | None) -> None:
    """Raise InvalidValue unless ``days`` is None or an int of at least 1 (a bool is neither)."""
    if days is None:
        return
    if isinstance(days, bool) or not isinstance(days, int) or days < 1:
        raise InvalidValue(f"days is {days!r}.", field="days", hint="Give an integer of at least 1, or None for all.")


def parse_day(value: date | datetime | str) -> date:
    """Return the day that a caller names: a date, a datetime (its date at the desk) or ISO text.

    Raises: InvalidValue.
    """
    try:
        day = _day(value)
    except OverflowError:
        day = date.max
    if not 1 < day.year < date.max.year:  # the first and the last have no room for a zone, or for the day beside them
        raise InvalidValue(f"date is {day}.", field="date", hint="Give a date of the years that people trade in.")
    return day


def _day(value: date | datetime | str) -> date:
    if isinstance(value, datetime):
        return desk_date(value) if no_nat(value, "date").tzinfo is not None else value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"date is {value!r}.", field="date", hint="Give a date as YYYY-MM-DD.") from error


def parse_moment(text: str) -> datetime:
    """Return the instant that a text in ISO form names; without an offset it is at the desk. Raises: InvalidValue."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidValue(f"at is {text!r}.", field="at", hint="Give a time such as 2024-03-15 09:31:05.") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=desk_zone())


def bounds(start: datetime | None, stop: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Return two bounds as aware UTC; naive ones are in the desk's zone, None is open.

    Raises: InvalidValue for anything that is not a datetime, and for a start after its stop.
    """
    first, last = _instant(start, "start"), _instant(stop, "stop")
    if first is not None and last is not None and first > last:
        raise InvalidValue(f"start {start} lies after stop {stop}.", field="start", hint="Give start <= stop.")
    return first, last


def _instant(value: datetime | None, field: str) -> datetime | None:
    return None if value is None else instant_of(value, field)


def instant_of(moment: datetime, field: str) -> datetime:
    """Return a datetime as aware UTC; a naive one is in the desk's zone. Raises: InvalidValue for anything else."""
    if not isinstance(moment, datetime):
        raise InvalidValue(f"{field} is {moment!r}.", field=field, hint="Give a datetime.")
    aware = moment if no_nat(moment, field).tzinfo is not None else moment.replace(tzinfo=desk_zone())
    try:
        return aware.astimezone(UTC)
    except OverflowError:  # the first and the last day of the calendar have no room for an offset
        return aware.replace(tzinfo=UTC)
