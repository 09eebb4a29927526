"""The ends of a file's bars: what their stamps mean, and the end of each bar's period in place of its stamp.

A recorded bar is stamped at its end. Files differ: a daily bar has a date or a midnight, which stands for that whole
day; many exports stamp a bar at its start. The first is plain to see, the second is asked (`--stamp`) or recognised: a
day whose first stamp is the session's open and whose last is one step before its close is stamped at its starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.measurements import IntArray, Mask
from trading.domain.sessions import Calendar
from trading.errors import InvalidValue
from trading.feeds.ticks import Ticks
from trading.feeds.times import QUARTER, SECOND
from trading.feeds.volume import days_of

START, END, AUTO = MODES = ("start", "end", "auto")
DAY = "day"  # the stamp is the bar's day
DAY_NS = 86_400 * SECOND
UTC_ZONE = ZoneInfo("UTC")

CalendarOf = Callable[[str], Calendar]


@dataclass(frozen=True, slots=True)
class StampReading:
    """The meaning of the stamps of a symbol's bars in one file, and the evidence for it."""

    symbol: str
    stamp: str
    evidence: str


@dataclass(frozen=True, slots=True)
class _Bars:
    """The stamps of one symbol's bars, ascending, each once; ``day`` is each one's date (ordinal) on the exchange."""

    stamp: IntArray
    day: IntArray
    calendar: Calendar


def with_ends(
    ticks: Ticks, is_date: Mask, *, mode: str, zone: ZoneInfo, calendar_of: CalendarOf, name: str
) -> tuple[Ticks, tuple[StampReading, ...]]:
    """Return the ticks with each bar's time at its end; ticks of last prices stay as they are.

    Args:
        is_date: which stamps are a date without a time of day.
        zone: the desk's; dates are its own.
        name: the file's.

    Raises: InvalidValue, for one bar alone that is said to be stamped at its start.
    """
    if np.isnan(ticks.open).all():
        return ticks, ()
    time, readings = ticks.time.copy(), []
    order = np.argsort(ticks.symbol, kind="stable")
    bounds = np.searchsorted(ticks.symbol[order], np.arange(len(ticks.symbols) + 1)).tolist()
    for symbol, start, stop in zip(ticks.symbols, bounds, bounds[1:], strict=False):
        if start == stop:
            continue
        rows, calendar = order[start:stop], calendar_of(symbol)
        dated = is_date[rows]
        time[rows[dated]] = _closes(calendar, days_of(ticks.time[rows[dated]], zone))
        reading = StampReading(symbol, DAY, "a date stands for its day")
        if not dated.all():
            timed = rows[~dated]
            reading, time[timed] = _read(symbol, ticks.time[timed], calendar, mode=mode, zone=zone, name=name)
        readings.append(reading)
    return replace(ticks, time=time), tuple(readings)


def _read(
    symbol: str, time: IntArray, calendar: Calendar, *, mode: str, zone: ZoneInfo, name: str
) -> tuple[StampReading, IntArray]:
    """Return what the stamps of one symbol's bars mean, and their ends. Raises: InvalidValue."""
    midnights = next((place for place in (zone, calendar.zone, UTC_ZONE) if _are_midnights(time, place)), None)
    if mode != END and midnights is not None:
        ends = _closes(calendar, days_of(time, midnights))
        return StampReading(symbol, DAY, "a midnight stands for its day"), ends
    stamps = np.unique(time)
    bars = _Bars(stamps, days_of(stamps, calendar.zone), calendar)
    days = days_of(time, calendar.zone)
    is_one_a_day = len(np.unique(bars.day)) == len(stamps)
    sessions = [_session(calendar, day) for day in bars.day.tolist()] if is_one_a_day and mode == AUTO else []
    openings = [session and session[0] for session in sessions]
    if is_one_a_day and (mode == START or (len(openings) > 1 and openings == stamps.tolist())):
        if len(stamps) == 1:
            raise InvalidValue(
                f"{name} has one bar of {symbol}: how long it lasts is not known.",
                field="stamp",
                hint="Give it the time of its end, and say --stamp end.",
            )
        return StampReading(symbol, DAY, "one bar a day, stamped at its start"), _closes(calendar, days)
    evidence = "as asked (--stamp start)" if mode == START else "" if mode == END or is_one_a_day else _starts(bars)
    if evidence:
        ends = time + _step(bars)
        closes = _closes(calendar, days)
        return StampReading(symbol, START, evidence), np.where(time < closes, np.minimum(ends, closes), ends)
    return StampReading(symbol, END, "as asked (--stamp end)" if mode == END else "nothing says otherwise"), time


def _are_midnights(time: IntArray, zone: ZoneInfo) -> bool:
    """Tell whether each instant is the first of a day in the zone."""
    if (time % QUARTER).any():
        return False
    walls = (datetime.fromtimestamp(instant // SECOND, UTC).astimezone(zone) for instant in np.unique(time).tolist())
    return all(wall.time() == datetime.min.time() for wall in walls)


def _starts(bars: _Bars) -> str:
    """Return in words why the bars are stamped at their starts; empty where nothing says so."""
    step = _step(bars)
    days, first = np.unique(bars.day, return_index=True)
    last = np.append(first[1:], len(bars.day)) - 1
    starting = ending = 0
    for day, begin, end in zip(days.tolist(), bars.stamp[first].tolist(), bars.stamp[last].tolist(), strict=True):
        session = _session(bars.calendar, day)
        if session is not None:
            starting += begin == session[0] and session[1] - step <= end < session[1]
            ending += end == session[1] or begin == session[0] + step
    return f"first at the open, last a step before the close, on {starting} days" if starting and not ending else ""


def _step(bars: _Bars) -> int:
    """Return the commonest distance (ns) between neighbours of a day, the shortest of equally common ones."""
    within = bars.day[1:] == bars.day[:-1]
    steps, count = np.unique(np.diff(bars.stamp)[within], return_counts=True)
    return int(steps[count.argmax()])


def _closes(calendar: Calendar, days: IntArray) -> IntArray:
    """Return when each day (ordinal) ends: at the close of its trading, else at the next midnight."""
    unique, places = np.unique(days, return_inverse=True)
    ends = []
    for day in unique.tolist():
        session = _session(calendar, day)
        midnight = calendar.bounds(date.fromordinal(day))[1]
        ends.append(int(midnight.timestamp()) * SECOND if session is None else session[1])
    return np.array(ends, dtype=np.int64)[places]


def _session(calendar: Calendar, day: int) -> tuple[int, int] | None:
    """Return when the continuous session of a day (ordinal) opens and closes, in ns UTC; None where there is none."""
    session = calendar.continuous(date.fromordinal(day))
    if session is None:
        return None
    opens, closes = (int(at.timestamp()) * SECOND for at in (session.opens_at, session.closes_at))
    return opens, closes
