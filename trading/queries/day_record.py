"""All that is kept of one trading day of one account: what it brought, when, what was published, what was missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trading.domain import figures
from trading.domain.shapes import DaySummary, FeedGapRow
from trading.models import Account, DayNote, Realisation
from trading.queries.columns import instant_of, text, units
from trading.queries.daily_summary import Published, canonical, day_report, published_of
from trading.queries.day_notes import notes_of
from trading.queries.excursion_report import gaps_of
from trading.queries.period import date_in


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The day's realised P&L after known charges once an exit was filled."""

    at: datetime
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class DayCurve:
    """The day's P&L exit by exit, from its first opening on; without ``is_timed`` the instants only keep the order."""

    starts_at: datetime | None
    points: list[CurvePoint]
    is_timed: bool


@dataclass(frozen=True, slots=True)
class DayRecord:
    """One day; ``agrees`` tells whether the newest published version is what the trades say now, None without any."""

    summary: DaySummary
    published: list[Published]
    agrees: bool | None
    curve: DayCurve
    gaps: list[FeedGapRow]
    notes: list[DayNote]


def day_record(account: Account, day: date, *, now: datetime) -> DayRecord:
    """Return the record of a day.

    Raises: InvalidValue for a day that has not begun by ``now``.
    """
    summary, _ = day_report(account, day, now=now)
    published = published_of(account, day)
    return DayRecord(
        summary=summary,
        published=published,
        agrees=published[0].body == canonical(summary) if published else None,
        curve=day_curve(account, day),
        gaps=gaps_of(account, day, day),
        notes=notes_of(account, day),
    )


def day_curve(account: Account, day: date) -> DayCurve:
    """Return the curve of a day; its last point is the day's P&L after known charges."""
    rows = Realisation.objects.filter(account=account, day=day).order_by("at", "pk")
    columns = (text("at"), units("pnl"), units("charges"), text("trade__opened_at"), "fill__is_day_only")
    starts, points, total, is_timed = [], [], 0, True
    zone = "trade__instrument__exchange__zone"
    for at_text, pnl, charges, opened_text, is_day_only, zone_name in rows.values_list(*columns, zone):
        at, opened_at = instant_of(at_text), instant_of(opened_text)
        total += pnl - (charges or 0)
        points.append(CurvePoint(at, figures.to_money(total) or Decimal(0)))
        starts.append(opened_at if date_in(opened_at, zone_name) == day else at)
        is_timed = is_timed and not is_day_only
    return DayCurve(min(starts, default=None), points, is_timed)
