"""The one parser of names, times and numbers. It reads no clock and knows no settings."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from timeseries.errors import InvalidValue

NAME_BYTES_MAX = 64
ID_BYTES_MAX = 128
FIRST_YEAR = 2000
FIRST_NS = 946_684_800 * 10**9  # 2000-01-01T00:00:00Z
AHEAD_NS = 24 * 3600 * 10**9
DAYS_TO_2000 = FIRST_NS // (86_400 * 10**9) + 1  # from 1970; a day later, so that it holds in every zone
MICROSECOND = timedelta(microseconds=1)
EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
# The power of ten that brings a count of seconds, milli-, micro- or nanoseconds since 1970 to nanoseconds. Instants of
# one unit read as another lie before 1974 or after the year 5000.
MAGNITUDES = ((10**11, 9), (10**14, 6), (10**17, 3), (2**63, 0))
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (the naive zero that naive readings are counted from)

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Cc is control characters (tab and newline among them), Zl and Zp are the other line breaks.
_REFUSED_CATEGORIES = {"Cc", "Zl", "Zp"}


# What a caller may pass as an amount or an instant; numpy's scalars count.
Number = int | float | str | Decimal | np.integer | np.floating
Instant = datetime | int | np.datetime64 | np.integer  # naive datetimes are wall times, integers ns UTC
# What a parser takes and refuses unless it is a name, a number or an instant. A tick's dict holds these.
Input = Number | Instant | date | bytes | None | Mapping[str, "Input"] | Sequence["Input"] | npt.NDArray[np.generic]
TickDict = Mapping[str, Input]


ParseSymbol = Callable[[Input], str]  # raises InvalidValue for what no point may be recorded under


def any_symbol(name: Input) -> str:
    """Return a symbol, for which any name will do. Raises: InvalidValue."""
    return parse_name(name, "symbol")


def parse_name(name: Input, field: str, max_bytes: int = NAME_BYTES_MAX) -> str:
    """Return the name in NFC, else exactly as given: inner spaces and any script are kept.

    Raises:
        InvalidValue: not text, empty, outer space, control characters, line breaks, lone surrogates, a backslash, or
            more than ``max_bytes`` in UTF-8.
    """
    if not isinstance(name, str):
        raise _refuse(field, f"must be text, not {type(name).__name__}")
    if not name:
        raise _refuse(field, "must not be empty")
    name = unicodedata.normalize("NFC", name)
    if name != name.strip():
        raise _refuse(field, "must not begin or end with space")
    if any(unicodedata.category(letter) in _REFUSED_CATEGORIES for letter in name):
        raise _refuse(field, "must not hold control characters or line breaks")
    if "\\" in name:
        raise _refuse(field, "must not hold a backslash")
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise _refuse(field, "must not hold lone surrogates") from None
    if size > max_bytes:
        raise _refuse(field, f"must have at most {max_bytes} bytes in UTF-8, this has {size}")
    return str(name)


def parse_timeframe(timeframe: Input) -> str:
    """Return the timeframe of indicators, for which any name will do; "" is none. Raises InvalidValue."""
    return "" if isinstance(timeframe, str) and not timeframe else parse_name(timeframe, "timeframe")


def parse_word(word: Input, field: str, words: tuple[str, ...]) -> str:
    """Return the word where it is one of these. Raises InvalidValue."""
    if word not in words:
        raise _refuse(field, f"must be one of {', '.join(words)}")
    return str(word)


def parse_time(moment: Input, zone: ZoneInfo, now_ns: int, field: str) -> int:
    """Return ns UTC of a datetime (naive = a wall time of ``zone``) or of integer ns UTC, exactly as given.

    Raises:
        InvalidValue: another type, a naive time that the zone skips or repeats, a year before 2000, or more than
            24 h after ``now_ns``.
    """
    if isinstance(moment, datetime):
        instant = _instant(moment, zone, field)
    elif isinstance(moment, np.datetime64):
        if np.isnat(moment):
            raise _refuse(field, "must not be NaT")
        whole = moment.astype("datetime64[us]")
        naive = whole.astype(datetime)
        if not isinstance(naive, datetime):
            raise _refuse(field, "is beyond the years of the calendar")
        finer = int((moment.astype("datetime64[ns]") - whole.astype("datetime64[ns]")).astype(np.int64))
        instant = _instant(naive, zone, field) + finer
    elif isinstance(moment, int | np.integer) and not isinstance(moment, bool):
        instant = int(moment)
        if instant < FIRST_NS:
            raise _too_old(field)
    else:
        raise _refuse(field, f"must be a datetime or integer nanoseconds, not {type(moment).__name__}")
    if instant > now_ns + AHEAD_NS:
        raise InvalidValue(
            f"{field} is more than 24 hours ahead of the clock.", field=field, code="time_in_future"
        ) from None
    return instant


def no_nat(moment: datetime, field: str) -> datetime:
    """Return the datetime. Raises InvalidValue for pandas' NaT, which is a datetime by its class and has no year."""
    if isinstance(moment.year, float):
        raise _refuse(field, "must not be NaT")
    return moment


def ns_by_magnitude(count: int) -> int:
    """Return in ns a count of s, ms, µs or ns since 1970, whose magnitude tells its unit."""
    power: int = next((power for bound, power in MAGNITUDES if count < bound), 0)
    return int(count * 10**power)


def wall_offset_us(naive: datetime, zone: ZoneInfo) -> int | None:
    """Return the zone's offset from UTC in µs at this wall time; None where the zone skips or repeats it."""
    first = naive.replace(tzinfo=zone, fold=0).utcoffset()
    second = naive.replace(tzinfo=zone, fold=1).utcoffset()
    return None if first != second or first is None else first // MICROSECOND


def _instant(moment: datetime, zone: ZoneInfo, field: str) -> int:
    if no_nat(moment, field).year < FIRST_YEAR:
        raise _too_old(field)
    naive = moment.replace(tzinfo=None)
    offset = moment.utcoffset()
    if offset is None:
        microseconds = wall_offset_us(naive, zone)
        if microseconds is None:
            raise _refuse(
                field,
                f"is a wall time that {zone.key} skips or repeats",
                "Give it with its UTC offset, as datetime.now().astimezone() has it.",
            )
    else:
        microseconds = offset // MICROSECOND
    # pandas' timestamps are datetimes that also count the nanoseconds below the microsecond.
    finer = int(getattr(moment, "nanosecond", 0))
    return ((naive - EPOCH) // MICROSECOND - microseconds) * 1000 + finer


def day_end(day: date, zone: ZoneInfo) -> int:
    """Return the first instant (ns UTC) after a day of the zone."""
    midnight = datetime.combine(day + timedelta(days=1), time(), zone)
    return (midnight.astimezone(UTC) - EPOCH_UTC) // MICROSECOND * 1000


class WallDay(NamedTuple):
    """A day of the zone through which its offset from UTC holds; the zone skips and repeats none of its wall times."""

    start: datetime  # naive midnight
    start_ns: int  # the same instant in ns UTC


NO_DAY = WallDay(EPOCH, 2**63)  # no time that is accepted falls in it: its instants lie beyond all


@lru_cache(maxsize=4096)
def wall_day(zone: ZoneInfo, day: date) -> WallDay | None:
    """Return a day of the zone with its first instant; None where the offset changes within it or it is too old."""
    if not FIRST_YEAR <= day.year < 9999:
        return None
    first = datetime(day.year, day.month, day.day)  # noqa: DTZ001
    offsets = {wall_offset_us(first + timedelta(minutes=30 * half), zone) for half in range(49)}
    offset = offsets.pop()
    if offsets or offset is None:
        return None
    return WallDay(first, ((first - EPOCH) // MICROSECOND - offset) * 1000)


def parse_number(number: Input, field: str, what: str = "number") -> float:
    """Return the float64 whose shortest decimal form is the number.

    Accepts int, float, Decimal, text of a plain or scientific number, and numpy's scalars (a float32 by its own
    shortest form). ``what`` begins the error's code: ``price_not_finite``.

    Raises:
        InvalidValue: a bool, another type, NaN, infinity, or a number that no float64 stands for.
    """
    if isinstance(number, bool | np.bool_):
        raise _refuse(field, "must be a number, not a bool")
    if isinstance(number, float | np.floating) and not math.isfinite(number):
        raise _not_finite(field, what)
    if isinstance(number, float):
        return float(number)
    if isinstance(number, np.floating):
        exact = Decimal(str(number))
    elif isinstance(number, int | np.integer):
        exact = Decimal(int(number))
    elif isinstance(number, Decimal):
        if not number.is_finite():
            raise _not_finite(field, what)
        exact = number
    elif isinstance(number, str):
        exact = _decimal(number, field, what)
    else:
        raise _refuse(field, f"must be a number, not {type(number).__name__}")
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = math.inf
    if not math.isfinite(nearest) or Decimal(repr(nearest)) != exact:
        raise _refuse(field, "has more digits than a 64-bit float can hold exactly")
    return nearest


def _decimal(text: str, field: str, what: str) -> Decimal:
    if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        raise _not_finite(field, what)
    if len(text) > 400 or not _NUMBER.fullmatch(text):
        raise _refuse(field, "must be a number such as 2450.05")
    return Decimal(text)


def _not_finite(field: str, what: str) -> InvalidValue:
    hint = "Give a finite number."
    return InvalidValue(f"{field} must be finite.", field=field, hint=hint, code=f"{what}_not_finite")


def _too_old(field: str) -> InvalidValue:
    hint = "Integers count nanoseconds since 1970 UTC."
    return InvalidValue(f"{field} is before the year 2000.", field=field, hint=hint, code="time_too_old")


def _refuse(field: str, reason: str, hint: str = "") -> InvalidValue:
    return InvalidValue(f"{field} {reason}.", field=field, hint=hint)


def utc(instant_ns: int) -> datetime:
    """Return the datetime of ns UTC, to the microsecond below."""
    return datetime.fromtimestamp(instant_ns // 10**9, UTC) + timedelta(microseconds=instant_ns % 10**9 // 1000)


def day_of(instant_ns: int, zone: ZoneInfo) -> date:
    """Return the date in the zone of ns UTC. Raises ValueError, OverflowError beyond the years of the calendar."""
    return datetime.fromtimestamp(instant_ns // 10**9, zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return the instant (ns UTC) at which a date of the zone begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 10**9


def instant_text(moment: datetime, timespec: str = "auto") -> str:
    """Write an aware datetime as ISO text in UTC with Z; ``timespec`` as `datetime.isoformat` takes it."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
