"""Months of an account, day by day and week by week, from day totals: three questions however many days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from trading.domain.cuts import month_of, week_of
from trading.domain.heat import strength
from trading.domain.shapes import PartTotals
from trading.models import Account
from trading.queries.day_notes import days_with_note
from trading.queries.statistics import totals_by

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """One square; ``totals`` is None where nothing was realised. ``strength`` is 1 to 3 by how large the P&L is beside
    the largest of the days shown, 0 without one."""

    day: date
    is_in_month: bool
    totals: PartTotals | None
    strength: int
    has_note: bool


@dataclass(frozen=True, slots=True)
class CalendarWeek:
    """One ISO week, Monday to Sunday, whatever month its days are of; ``totals`` are those of all seven."""

    key: str
    days: tuple[CalendarDay, ...]
    totals: PartTotals | None


@dataclass(frozen=True, slots=True)
class CalendarMonth:
    """One month; the first and the last week may reach into its neighbours, ``totals`` does not."""

    first: date
    weeks: tuple[CalendarWeek, ...]
    totals: PartTotals | None


def months(account: Account, newest: date, count: int) -> list[CalendarMonth]:
    """Return ``count`` months, that of ``newest`` first and each before it after it."""
    firsts = [first_before(newest, number) for number in range(count)]
    first, last = _monday(firsts[-1]), _monday(next_month(firsts[0]) - timedelta(days=1)) + timedelta(days=6)
    by = {cut: {row["key"]: row for row in totals_by(account, first, last, cut)} for cut in ("day", "week", "month")}
    noted = days_with_note(account, first, last)
    largest = max((abs(row["total_pnl"]) for row in by["day"].values()), default=Decimal(0))

    def square(day: date, month: date) -> CalendarDay:
        totals = by["day"].get(day.isoformat())
        depth = strength(None if totals is None else totals["total_pnl"], largest)
        return CalendarDay(day, (day.year, day.month) == (month.year, month.month), totals, depth, day in noted)

    return [
        CalendarMonth(
            month,
            tuple(
                CalendarWeek(
                    week_of(monday),
                    tuple(square(monday + timedelta(days=number), month) for number in range(7)),
                    by["week"].get(week_of(monday)),
                )
                for monday in _mondays(month)
            ),
            by["month"].get(month_of(month)),
        )
        for month in firsts
    ]


def first_before(day: date, months: int) -> date:
    """Return the first day of the month that is so many before a day's."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _mondays(month: date) -> Sequence[date]:
    first, end = _monday(month), next_month(month)
    return [first + number * _WEEK for number in range((end - first + timedelta(days=6)) // _WEEK)]
