"""Hours of an exchange: from dated rows to the phases of a day. Plain Python: the rows and the clock are arguments.

A row says that a phase runs from one wall time to another on some days of the week between two dates. Three kinds:
REGULAR rows hold for the normal week, a HOLIDAY row takes a date's phases away, SPECIAL rows give a date phases of
its own (and win over both).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

REGULAR, HOLIDAY, SPECIAL = "REGULAR", "HOLIDAY", "SPECIAL"
CONTINUOUS = "continuous"
PHASES = ("pre_open", CONTINUOUS, "closing_auction", "post_close")
EVERY_GROUP = ""
PREVIOUS = "previous "  # before the time at which a phase opens on the evening before its day
EVERY_DAY = "1234567"
_RESTART_DAYS_MAX = 14  # no exchange stays closed for longer

Rules = dict[str, Any]  # of the data file: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One dated row; ``group`` "" holds for every session group of the exchange, ``last_date`` None means still in
    force.

    ``weekdays`` are ISO days ("12345"); ``phase``, ``opens`` and ``closes`` are empty on a HOLIDAY. Wall time of the
    exchange; a phase with ``opens_day_before`` in place of ``opens`` opens at that time on the evening before its day.
    """

    kind: str
    first_date: date
    last_date: date | None
    group: str = EVERY_GROUP
    weekdays: str = EVERY_DAY
    phase: str = ""
    opens: time | None = None
    closes: time | None = None
    note: str = ""
    opens_day_before: time | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of one day, in UTC, half-open."""

    name: str
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class DaySession:
    """The continuous trading of one day, in UTC; where it is interrupted, from the first opening to the last close.

    It may open on the evening before its day.
    """

    day: date
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of one session group. Without rows the exchange never closes: every day trades, from midnight to
    midnight."""

    zone: ZoneInfo
    rows: tuple[SessionRow, ...] = ()
    _dated: dict[date, list[SessionRow]] = field(init=False, repr=False, compare=False)
    _regular: tuple[SessionRow, ...] = field(init=False, repr=False, compare=False)
    _runs_over_midnight: bool = field(init=False, repr=False, compare=False)
    _phases: dict[date, list[Phase]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        dated: dict[date, list[SessionRow]] = {}
        for row in self.rows:
            if row.kind != REGULAR:
                for day in days_between(row.first_date, row.last_date or row.first_date):
                    dated.setdefault(day, []).append(row)
        object.__setattr__(self, "_dated", dated)
        object.__setattr__(self, "_regular", tuple(row for row in self.rows if row.kind == REGULAR))
        over = any(row.opens_day_before is not None for row in self.rows)
        object.__setattr__(self, "_runs_over_midnight", over)

    def __hash__(self) -> int:
        # What is kept by calendar is asked for by every strategy of a report: to hash years of rows takes milliseconds.
        return hash((self.zone, len(self.rows), self.rows[-1:]))

    def phases(self, day: date) -> list[Phase]:
        """Return the day's phases in order; empty on a closed day and on an exchange that never closes."""
        # Reports ask for the same days again and again, and a calendar outlives them.
        if day not in self._phases:
            self._phases[day] = self._phases_of(day)
        return self._phases[day]

    def _phases_of(self, day: date) -> list[Phase]:
        dated, weekday = self._dated.get(day), str(day.isoweekday())
        if dated:
            rows = [row for row in dated if row.kind == SPECIAL]
        else:
            in_force = (row for row in self._regular if row.first_date <= day <= (row.last_date or day))
            rows = [row for row in in_force if weekday in row.weekdays]
        phases = []
        for row in rows:
            evening, opens = row.opens_day_before, row.opens or time()
            opens_at = self._at(day, opens) if evening is None else self._at(day - timedelta(days=1), evening)
            phases.append(Phase(row.phase, opens_at, self._at(day, row.closes or time())))
        return sorted(phases, key=lambda phase: phase.opens_at)

    def dated_rows(self, day: date) -> list[SessionRow]:
        """Return the rows of a date that make it another day than usual: its holiday and its special sessions."""
        return list(self._dated.get(day, ()))

    def continuous(self, day: date) -> DaySession | None:
        """Return the day's continuous trading, None where there is none."""
        open_phases = [phase for phase in self.phases(day) if phase.name == CONTINUOUS]
        if not open_phases:
            return None
        return DaySession(day, open_phases[0].opens_at, max(phase.closes_at for phase in open_phases))

    def open_spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return when the exchange trades between the date's midnights, in order, in UTC: the whole date where it never
        closes; a session that runs over midnight is on both dates."""
        if not self.rows:
            return [self.bounds(day)]
        sessions = self._sessions_touching(day)
        if not self._runs_over_midnight:  # times of the day's own clock: no midnight cuts them
            spans = [(session.opens_at, session.closes_at) for session in sessions]
            return [(opens_at, closes_at) for opens_at, closes_at in spans if opens_at < closes_at]
        midnight, next_midnight = self.bounds(day)
        within = [(max(session.opens_at, midnight), min(session.closes_at, next_midnight)) for session in sessions]
        return [(opens_at, closes_at) for opens_at, closes_at in within if opens_at < closes_at]

    def session_at(self, instant: datetime) -> DaySession | None:
        """Return the continuous trading that is on at an aware instant, None where the exchange is closed."""
        sessions = self._sessions_touching(self.day_of(instant))
        return next((session for session in sessions if session.opens_at <= instant < session.closes_at), None)

    def volume_restarts(self, day: date) -> list[datetime]:
        """Return when the volume of the day starts anew, as far as it matters between the date's midnights: the last
        time at or before the first midnight, then those before the second.

        It starts with each session that opens on the evening before its day, and otherwise at midnight.
        """
        midnight, next_midnight = self.bounds(day)
        restarts = [restart for restart in (self._restart(day), self._restart(day + timedelta(days=1))) if restart]
        back = day
        while not restarts or restarts[0] > midnight:
            back -= timedelta(days=1)
            if (day - back).days > _RESTART_DAYS_MAX:
                restarts.insert(0, midnight)
            elif restart := self._restart(back):
                restarts.insert(0, restart)
        return [restart for restart in restarts if restart < next_midnight]

    def is_open(self, at: datetime) -> bool:
        """Tell whether a phase goes on at an aware instant, both its ends included."""
        today = self.day_of(at)
        days = (today - timedelta(days=1), today, today + timedelta(days=1))  # a session may begin the evening before
        return not self.rows or any(
            phase.opens_at <= at <= phase.closes_at for day in days for phase in self.phases(day)
        )

    def is_trading_day(self, day: date) -> bool:
        """Tell whether the exchange trades continuously on the day."""
        return not self.rows or self.continuous(day) is not None

    def trading_days(self, first: date, last: date) -> list[date]:
        """Return the days of first..last, both inclusive, on which the exchange trades."""
        return list(_trading_days(self, first, last))

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """Return the day's first instant and the next day's, in UTC."""
        return self._at(day, time()), self._at(day + timedelta(days=1), time())

    def day_of(self, instant: datetime) -> date:
        """Return the trading day of an instant: its date in the exchange's zone, open or closed."""
        return trading_day(instant, self.zone)

    def last_completed(self, now: datetime, *, days_back_max: int = 30) -> DaySession:
        """Return the newest continuous trading that has closed by ``now``; yesterday's day where an exchange never
        closes."""
        today = self.day_of(now)
        for back in range(days_back_max):
            session = self.continuous(today - timedelta(days=back))
            if session is not None and session.closes_at <= now:
                return session
        yesterday = today - timedelta(days=1)
        return DaySession(yesterday, *self.bounds(yesterday))

    def _restart(self, day: date) -> datetime | None:
        """Return when the volume of this day starts; None where the exchange is closed and none of it does."""
        midnight, phases = self._at(day, time()), self.phases(day)
        if phases:
            return min(phases[0].opens_at, midnight)
        return None if self._runs_over_midnight else midnight

    def _sessions_touching(self, day: date) -> list[DaySession]:
        days = [day, day + timedelta(days=1)] if self._runs_over_midnight else [day]
        return [session for session in map(self.continuous, days) if session is not None]

    def _at(self, day: date, wall: time) -> datetime:
        return datetime.combine(day, wall, self.zone).astimezone(UTC)


def trading_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the date of an aware instant in the exchange's zone."""
    return instant.astimezone(zone).date()


@lru_cache(maxsize=64)  # every strategy and symbol of a report asks for the same
def _trading_days(calendar: Calendar, first: date, last: date) -> tuple[date, ...]:
    return tuple(day for day in days_between(first, last) if calendar.is_trading_day(day))


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the dates of first..last, both inclusive."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def rows_for(rows: Iterable[SessionRow], group: str) -> tuple[SessionRow, ...]:
    """Return the rows of one session group. A group that has no rows of its own has none: it never closes."""
    of_group = tuple(row for row in rows if row.group in (group, EVERY_GROUP))
    return of_group if any(row.group == group for row in of_group) else ()


@dataclass(frozen=True, slots=True)
class ExchangeHours:
    """One exchange of the data file: its code, name, zone and rows, and the session group of an instrument that names
    none."""

    code: str
    name: str
    zone: str
    rows: tuple[SessionRow, ...]
    session_group: str = EVERY_GROUP


def parse_hours(text: str) -> list[ExchangeHours]:
    """Read the data file (its own `about` says how it is laid out).

    Raises: ValueError, naming the exchange, where something is missing or not a date, a time or a known phase.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or not isinstance(content.get("exchanges"), dict):
        raise ValueError("there are no exchanges in the file of exchange sessions")
    hours = []
    for code, exchange in content["exchanges"].items():
        try:
            ZoneInfo(exchange["zone"])
            group = next(iter(exchange["groups"]), EVERY_GROUP)
            hours.append(
                ExchangeHours(code, exchange["name"], exchange["zone"], tuple(_rows(content, exchange)), group)
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{code}: {error!r} is wrong or missing in the file of exchange sessions") from error
    return hours


def _rows(content: Rules, exchange: Rules) -> Iterator[SessionRow]:
    regular = content["regular"]
    for group, rule in [(group, rule) for group, name in exchange["groups"].items() for rule in regular[name]]:
        first, until = date.fromisoformat(rule["from"]), rule["until"]
        last = date.fromisoformat(until) if until else None
        if not rule["weekdays"] or set(rule["weekdays"]) - set(EVERY_DAY):
            raise ValueError(f"weekdays {rule['weekdays']!r}")
        terms: Rules = {"group": group, "first_date": first, "last_date": last, "weekdays": rule["weekdays"]}
        for phase in _phases(rule["phases"]):
            yield SessionRow(kind=REGULAR, **terms, **phase)
    for day, note in content["holidays"][exchange["holidays"]].items():
        on = date.fromisoformat(day)
        yield SessionRow(kind=HOLIDAY, first_date=on, last_date=on, note=note)
    special = {**content["special"][exchange["special"]], **exchange.get("own_special", {})}
    for day, rule in special.items():
        on = date.fromisoformat(day)
        for phase in _phases(rule["phases"]):
            yield SessionRow(kind=SPECIAL, first_date=on, last_date=on, note=rule["note"], **phase)


def _phases(phases: Sequence[Sequence[str]]) -> Iterator[Rules]:
    """Yield the fields of a `SessionRow` that each phase tells. Raises: ValueError."""
    for name, opens, closes in phases:
        if name not in PHASES:
            raise ValueError(f"phase {name!r}")
        over_midnight = opens.startswith(PREVIOUS)
        first, last = time.fromisoformat(opens.removeprefix(PREVIOUS)), time.fromisoformat(closes)
        if first < last if over_midnight else first >= last:
            raise ValueError(f"{name} {opens}-{closes}")
        opens_on = "opens_day_before" if over_midnight else "opens"
        yield {"phase": name, opens_on: first, "closes": last}
