"""One day of one account as the overview shows it: from day totals and counts, so it stays fast over years."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from operator import attrgetter

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from trading.domain import figures, flags
from trading.domain.shapes import OutcomeFigures
from trading.domain.statistics import Outcomes
from trading.models import Account, DayTotal, Realisation, Signal, Trade
from trading.queries.columns import UnitsSum, text
from trading.queries.kept_statements import ACCOUNT, FirstValues, KeptModels, PlainQuery, PlainRow, Slot
from trading.queries.opening_sales import candidates
from trading.queries.trade_list import related
from trading.queries.trades import VOID

_MONEY = ("gross_pnl", "charges", "gross_profit", "gross_loss")
_COUNTS = ("wins", "losses", "breakevens", "trades_without_charges")


@dataclass(frozen=True, slots=True)
class SignalCounts:
    """How many signals of a day were taken and how many skipped."""

    taken: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest days with trades before and after a day; None where there is none."""

    before: date | None
    after: date | None


@dataclass(frozen=True, slots=True)
class DayOverview:
    """A day's figures and signals, and the days beside it."""

    figures: OutcomeFigures
    signals: SignalCounts
    neighbours: Neighbours
    may_have_opening_sales: bool


def day_figures(account: Account, day: date) -> OutcomeFigures:
    """Return the figures that the day's sums can tell; zeros where nothing was realised."""
    return _figures_of(_SUMS.of(account, day=day))


def day_overview(account: Account, day: date) -> DayOverview:
    """Return the figures of a day, its signals, and the nearest days on which a trade was opened or something was
    realised."""
    start, stop = day_bounds(day)
    of_day, count = _OVERVIEW.of(account, day=day, start=start, stop=stop), len(_MONEY) + len(_COUNTS)
    sums, row = of_day[:count], of_day[count:]
    before, after = ([day for day in days if day is not None] for days in (row[2:4], row[4:6]))
    return DayOverview(
        _figures_of(sums),
        SignalCounts(taken=row[0] or 0, skipped=row[1] or 0),
        Neighbours(max(before, default=None), min(after, default=None)),
        may_have_opening_sales=bool(row[6]),
    )


@lru_cache(maxsize=16)
def _newest(latest: int, slips: int) -> KeptModels[Trade]:
    """Return what asks for a day's newest trades and those that are likely slips, at most so many of each."""

    def build() -> QuerySet[Trade]:
        # A union, each half by an index of its own; and no account beside it, or SQLite would read all of the account's
        # trades in the order that is asked for.
        opened = Trade.objects.filter(account=ACCOUNT, opened_at__gte=Slot("start"), opened_at__lt=Slot("stop"))
        closed = Realisation.objects.filter(account=ACCOUNT, day=Slot("day"), closes=True).order_by()
        of_day = opened.order_by().values_list("pk").union(closed.values_list("trade"))
        newest = Trade.objects.filter(pk__in=of_day).order_by("-opened_at", "-pk").values("pk")
        words = Q()
        for flag in flags.SLIPS:
            words |= Q(words__contains=f'"{flag}"')
        odd = newest.exclude(state=VOID).alias(words=text("flags")).filter(words)
        return related(Trade.objects.filter(Q(pk__in=newest[:latest]) | Q(pk__in=odd[:slips])).order_by())

    return KeptModels(build)


def _sums() -> tuple[PlainQuery, ...]:
    """Return the sums of a day's totals, of money and then of counts."""
    totals = DayTotal.objects.filter(account=ACCOUNT, day=Slot("day")).order_by().values("account")
    sums = {name: UnitsSum(name) for name in _MONEY} | {name: Sum(name) for name in _COUNTS}
    return tuple(totals.annotate(total=total).values("total") for total in sums.values())


def _figures_of(sums: PlainRow) -> OutcomeFigures:
    row = {name: total or 0 for name, total in zip((*_MONEY, *_COUNTS), sums, strict=True)}
    outcomes = Outcomes(row["wins"], row["losses"], row["breakevens"], row["gross_profit"], row["gross_loss"])
    return figures.outcome_figures(
        outcomes, gross=row["gross_pnl"], charges=row["charges"], unknown=row["trades_without_charges"]
    )


def _beside_figures() -> tuple[PlainQuery, ...]:
    """Return what a day's overview shows beside its figures: signals taken and skipped; the last day before it on which
    a trade was opened, and on which something was realised; the first ones after it; sales that may be of holdings."""
    day, start, stop = Slot("day"), Slot("start"), Slot("stop")
    signals = Signal.objects.filter(account=ACCOUNT, at__gte=start, at__lt=stop).order_by().values("account")
    opened = Trade.objects.filter(account=ACCOUNT).exclude(state=VOID).values("trading_day")
    realised = DayTotal.objects.filter(account=ACCOUNT).values("day")
    return (
        *(signals.filter(decision=word).annotate(n=Count("pk")).values("n") for word in ("TAKEN", "SKIPPED")),
        # In the order of an index and one row each: a MIN or MAX over the days would read every trade.
        opened.filter(opened_at__lt=start, trading_day__lt=day).order_by("-opened_at"),
        realised.filter(day__lt=day).order_by("-day"),
        opened.filter(opened_at__gte=stop, trading_day__gt=day).order_by("opened_at"),
        realised.filter(day__gt=day).order_by("day"),
        candidates(ACCOUNT, day).order_by().values("account").annotate(n=Count("pk")).values("n"),
    )


_SUMS, _OVERVIEW = FirstValues(_sums), FirstValues(lambda: (*_sums(), *_beside_figures()))


def day_trades(account: Account, day: date, *, latest: int, slips: int) -> tuple[list[Trade], list[Trade]]:
    """Return trades opened at the desk or closed on a day, the newest opening first: so many of all, and so many of
    those that have a flag which is likely a slip (`flags.SLIPS`)."""
    start, stop = day_bounds(day)
    rows = _newest(latest, slips).of(account, day=day, start=start, stop=stop)
    rows.sort(key=attrgetter("opened_at", "pk"), reverse=True)
    return rows[:latest], [row for row in rows if row.state != VOID and flags.slips(row.flags)][:slips]


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first instant of a day at the desk and that of the next."""
    zone = timezone.get_default_timezone()
    return datetime.combine(day, time.min, zone), datetime.combine(day + timedelta(days=1), time.min, zone)
