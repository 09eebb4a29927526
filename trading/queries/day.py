"""One day of one account as the overview shows it: from day totals and counts, so it stays fast over years."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Q, QuerySet, Sum, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from trading.domain import figures, flags
from trading.domain.shapes import OutcomeFigures
from trading.domain.statistics import Outcomes
from trading.models import Account, DayTotal, Realisation, Signal, Trade
from trading.queries.accounts import first_values
from trading.queries.columns import UnitsSum
from trading.queries.trade_list import related
from trading.queries.trades import VOID

_MONEY = ("gross_pnl", "charges", "gross_profit", "gross_loss")
_COUNTS = ("wins", "losses", "breakevens", "trades_without_charges")


@dataclass(frozen=True, slots=True)
class SignalCounts:
    taken: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest days with trades before and after a day; None where there is none."""

    before: date | None
    after: date | None


def day_figures(account: Account, day: date) -> OutcomeFigures:
    """Return the figures that the day's sums can tell; zeros where nothing was realised."""
    sums = {name: UnitsSum(name) for name in _MONEY} | {name: Sum(name) for name in _COUNTS}
    # The aliases carry a prefix: an aggregate may not be called like a field of the model.
    day_sums = DayTotal.objects.filter(account=account, day=day).aggregate(**{f"sum_{k}": v for k, v in sums.items()})
    of = {name: day_sums[f"sum_{name}"] or 0 for name in sums}
    outcomes = Outcomes(of["wins"], of["losses"], of["breakevens"], of["gross_profit"], of["gross_loss"])
    return figures.outcome_figures(
        outcomes, gross=of["gross_pnl"], charges=of["charges"], unknown=of["trades_without_charges"]
    )


def trades_of_day(account: Account, day: date) -> QuerySet[Trade]:
    """Return the trades opened at the desk or closed on a day, the newest opening first."""
    start, stop = day_bounds(day)
    closed = Realisation.objects.filter(account=account, day=day, closes=True).values("trade")
    rows = Trade.objects.filter(account=account)
    rows = rows.filter(Q(opened_at__gte=start, opened_at__lt=stop) | Q(pk__in=closed))
    return related(rows).order_by("-opened_at", "-pk")


def slips_of_day(account: Account, day: date) -> QuerySet[Trade]:
    """Return those of `trades_of_day` that have a flag which is likely a slip (`flags.SLIPS`)."""
    words = Q()
    for flag in flags.SLIPS:
        words |= Q(words__contains=f'"{flag}"')
    return trades_of_day(account, day).exclude(state=VOID).annotate(words=Cast("flags", TextField())).filter(words)


def signal_counts(account: Account, day: date) -> SignalCounts:
    """Return how many signals of the day were taken and how many skipped."""
    start, stop = day_bounds(day)
    rows = Signal.objects.filter(account=account, at__gte=start, at__lt=stop)
    counts = dict(rows.values_list("decision").annotate(n=Count("pk")).order_by())
    return SignalCounts(taken=counts.get("TAKEN", 0), skipped=counts.get("SKIPPED", 0))


def neighbours(account: Account, day: date) -> Neighbours:
    """Return the nearest days before and after on which a trade was opened or something was realised."""
    opened = Trade.objects.filter(account=account).exclude(state=VOID).values("trading_day")
    realised = DayTotal.objects.filter(account=account).values("day")
    start, stop = day_bounds(day)
    # In the order of an index and one row each: a MIN or MAX over the days would read every trade.
    days = first_values(
        account,
        opened.filter(opened_at__lt=start, trading_day__lt=day).order_by("-opened_at"),
        realised.filter(day__lt=day).order_by("-day"),
        opened.filter(opened_at__gte=stop, trading_day__gt=day).order_by("opened_at"),
        realised.filter(day__gt=day).order_by("day"),
    )
    return Neighbours(
        before=max((day for day in days[:2] if day), default=None),
        after=min((day for day in days[2:] if day), default=None),
    )


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first instant of a day at the desk and that of the next."""
    zone = timezone.get_default_timezone()
    return datetime.combine(day, time.min, zone), datetime.combine(day + timedelta(days=1), time.min, zone)
