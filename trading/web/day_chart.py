"""The curve of a day as the overview and the page of the day draw it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils import timezone

from trading.domain.drawing import Chart, Drawing, drawing
from trading.queries.day_record import DayCurve


def curve_drawing(curve: DayCurve, currency: str, day: date) -> Drawing | None:
    """Return the shapes of a day's curve, from 0 at its first opening; None without an exit."""
    if curve.starts_at is None:
        return None
    instants = [curve.starts_at, *(point.at for point in curve.points)]
    labels = [f"{timezone.localtime(at):%H:%M:%S}" if curve.is_timed else day.isoformat() for at in instants]
    span = (instants[-1] - instants[0]).total_seconds()
    places = [(at - instants[0]).total_seconds() / span for at in instants] if curve.is_timed and span else []
    values = [Decimal(0), *(point.pnl for point in curve.points)]
    return drawing(Chart("P&L through the day", labels, values, currency, is_line=True, places=places, is_step=True))
