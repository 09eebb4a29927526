"""What the pages show of one day that follows from the ledger alone: read anew once the ledger has moved."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count

from trading.domain import flags
from trading.domain.drawing import Drawing
from trading.models import Account, Realisation, Signal, Trade
from trading.queries.daily_summary import latest_day
from trading.queries.day import DayOverview, day_overview, day_trades
from trading.queries.day_record import DayCurve, DayRecord, day_curve, day_record
from trading.queries.kept import STOP, KeptAnswers, LedgerMark
from trading.queries.kept_statements import ACCOUNT, FirstValues, PlainQuery, Slot
from trading.queries.signal_list import day_signals
from trading.queries.standing_stops import standing_stops
from trading.queries.trade_list import TradeRow, trade_rows
from trading.queries.trades import VOID
from trading.web.day_chart import curve_drawing

BYTES_MAX = 32 * 2**20
ROW_BYTES = 2**11  # a row of a list with its objects, a point of a curve and its share of the SVG
NEVER = datetime.max.replace(tzinfo=UTC)
_numbers = count()


@dataclass(frozen=True, slots=True, eq=False)
class DayFacts:
    """What no stop of a trade can change of one day: its figures, curve and newest signals (at most as many as were
    asked for, and whether there are more). Two readings are never equal: rows of the ORM are by their keys alone."""

    overview: DayOverview
    curve: DayCurve
    chart: Drawing | None
    signals: list[Signal]
    has_more_signals: bool

    @property
    def nbytes(self) -> int:
        """About as many bytes as it holds."""
        return ROW_BYTES * (1 + len(self.signals) + len(self.curve.points))


@dataclass(frozen=True, slots=True, eq=False)
class DayTrades:
    """The newest trades of one day (at most as many as were asked for, and whether there are more), and those that are
    likely slips. Two readings are never equal; ``number`` is the same of two that differ in nothing but stops."""

    trades: list[TradeRow]
    has_more_trades: bool
    slips: list[TradeRow]
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def nbytes(self) -> int:
        """About as many bytes as it holds."""
        return ROW_BYTES * (1 + len(self.trades) + len(self.slips))


@dataclass(frozen=True, slots=True)
class LatestDay:
    """The latest day that has data, and when the first of it was traded: later than now where it was booked ahead."""

    day: date
    begins_at: datetime


def kept_facts(account: Account, day: date, *, signals: int, mark: LedgerMark | None = None) -> DayFacts:
    """Return the figures of one day of an account, with at most so many of its newest signals."""

    def read() -> DayFacts:
        newest = day_signals(account, day, latest=signals + 1)
        curve = day_curve(account, day)
        return DayFacts(
            overview=day_overview(account, day),
            curve=curve,
            chart=curve_drawing(curve, account.currency, day),
            signals=newest[:signals],
            has_more_signals=len(newest) > signals,
        )

    return _facts.of(account, (day, signals), read, mark=mark)


def kept_trades(account: Account, day: date, *, trades: int, slips: int, mark: LedgerMark | None = None) -> DayTrades:
    """Return at most so many of the newest trades of one day of an account, and of those that are likely slips."""

    def read() -> DayTrades:
        latest, odd = day_trades(account, day, latest=trades + 1, slips=slips)
        return DayTrades(trade_rows(latest[:trades]), len(latest) > trades, trade_rows(odd))

    return _trades.of(account, (day, trades, slips), read, mark=mark)


def kept_record(account: Account, day: date, *, now: datetime) -> DayRecord:
    """Return all that is kept of a day (`day_record`), which is the same at any later time once the day is over.

    Raises: InvalidValue for a day that has not begun by ``now``.
    """
    # In no zone does a date end more than a day after it has in UTC.
    if datetime.combine(day + timedelta(days=2), time(), UTC) > now:
        return day_record(account, day, now=now)
    return _records.of(account, day, lambda: day_record(account, day, now=now))


def kept_latest_day(account: Account, *, now: datetime, mark: LedgerMark | None = None) -> date | None:
    """Return the newest trading day that has data by ``now`` (`latest_day`)."""
    newest = _latest_days.of(account, "latest day", lambda: _latest(account), mark=mark)
    if newest is None:
        return None
    return newest.day if newest.begins_at <= now else latest_day(account, now=now)


def _latest(account: Account) -> LatestDay | None:
    day = latest_day(account, now=NEVER)
    if day is None:
        return None
    # No zone is a day away from UTC: openings are asked for by instants, as an index has them.
    since, until = (datetime.combine(day + timedelta(days=days), time(), UTC) for days in (-1, 2))
    instants = _BEGINNINGS.of(account, day=day, since=since, until=until)
    return LatestDay(day, min(at for at in instants if at is not None))


def _beginnings() -> tuple[PlainQuery, ...]:
    """Return when the first trade of a day was opened, and when its first exit was filled."""
    day, since, until = Slot("day"), Slot("since"), Slot("until")
    opened = Trade.objects.filter(account=ACCOUNT, opened_at__gte=since, opened_at__lt=until, trading_day=day)
    exits = Realisation.objects.filter(account=ACCOUNT, day=day)
    return opened.exclude(state=VOID).order_by("opened_at").values("opened_at"), exits.order_by("at").values("at")


_BEGINNINGS = FirstValues(_beginnings)


def _after_stops(kept: DayTrades, moved: Collection[int]) -> DayTrades | None:
    """Return a day's trades with the stops that stand now; None where one has become a likely slip, or is none now."""
    stops, slips = standing_stops(moved), {row.pk for row in kept.slips}
    if any(bool(flags.slips(stop.flags)) != (pk in slips) for pk, stop in stops.items()):
        return None
    is_flagged = False

    def restopped(row: TradeRow) -> TradeRow:
        nonlocal is_flagged
        if (stop := stops.get(row.pk)) is None:
            return row
        is_flagged = is_flagged or row.trade.flags != stop.flags
        return replace(row, trade=replace(row.trade, stop_price=stop.price, flags=stop.flags))

    trades, odd = [restopped(row) for row in kept.trades], [restopped(row) for row in kept.slips]
    return replace(kept, trades=trades, slips=odd, number=next(_numbers) if is_flagged else kept.number)


STOPS = frozenset({STOP})
_facts: KeptAnswers[DayFacts] = KeptAnswers(BYTES_MAX, lambda kept: kept.nbytes, beside=STOPS)
_trades: KeptAnswers[DayTrades] = KeptAnswers(BYTES_MAX, lambda kept: kept.nbytes, after_stops=_after_stops)
_records: KeptAnswers[DayRecord] = KeptAnswers(BYTES_MAX, lambda kept: ROW_BYTES * (1 + len(kept.curve.points)))
_latest_days: KeptAnswers[LatestDay | None] = KeptAnswers(2**20, beside=STOPS)
