"""What trades went through between opening and close, walked over the stored ticks; and which were not measured yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import numpy as np
import pyarrow as pa
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from trading.domain.excursions import (
    PATH_FIELDS,
    PathExtremes,
    PricePath,
    TickPrices,
    TickTimes,
    numbers,
    path_prices,
)
from trading.domain.feed_gaps import Gap, gaps, mark
from trading.domain.money import to_units
from trading.domain.position import in_risks
from trading.domain.sessions import days_between
from trading.domain.shapes import TradeExcursions
from trading.models import Account, Correction, Trade
from trading.queries import facts
from trading.queries.day_only import timed
from trading.queries.instruments import is_named, shown_symbol
from trading.queries.sessions import calendar_of_symbol
from trading.queries.trades import CLOSED

_NOT_MEASURED: TradeExcursions = {
    "mae": None, "mae_price": None, "mae_r": None, "mae_at": None,
    "mfe": None, "mfe_price": None, "mfe_r": None, "mfe_at": None,
    "given_back": None, "ticks": None, "gap": None,
}  # fmt: skip
FIELDS = tuple(_NOT_MEASURED)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS_AT_ONCE = 8  # a reading of one day costs more than its ticks do


class TickReader(Protocol):
    """Where ticks come from: `timeseries.reader.Reader`."""

    def ticks(
        self, symbol: str, start: int, stop: int, *, account: str, fields: tuple[str, ...] | None = None
    ) -> pa.Table: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One trade as it was walked; ``quiet_seconds`` is the longest gap that it was open in."""

    trade_pk: int
    excursion: PathExtremes
    quiet_seconds: float | None


@dataclass(frozen=True, slots=True)
class SymbolMeasured:
    """One symbol: its trades, and the gaps of each day that was read."""

    symbol: str
    trades: list[Measured]
    gaps: dict[date, list[Gap]]


def unmeasured(account: Account, *, rebuild: bool = False) -> QuerySet[Trade]:
    """Return the closed trades that were never measured or were corrected since; all of them to ``rebuild``.

    Those whose times are known to the day only are left out: nobody knows which ticks they saw.
    """
    rows = Trade.objects.filter(account=account, state=CLOSED).select_related("strategy", "instrument__exchange")
    closed = timed(rows)
    if rebuild:
        return closed
    since = Correction.objects.filter(trade=OuterRef("pk"), recorded_at__gt=OuterRef("excursion__measured_at"))
    return closed.filter(Q(excursion__isnull=True) | Exists(since))


def closed_within(account_code: str, symbol: str, start: datetime, stop: datetime) -> QuerySet[Trade]:
    """Return the trades of a symbol that closed at ``start <= closed_at < stop``."""
    closed = Trade.objects.filter(account__code=account_code, state=CLOSED, closed_at__gte=start, closed_at__lt=stop)
    return closed.filter(is_named(symbol, of="instrument"))


def accounts_unmeasured() -> list[str]:
    """Return the codes of the accounts that have such trades, but for corrections of charges: an excursion has none."""
    fresh = Exists(timed(Trade.objects.filter(account=OuterRef("pk"), state=CLOSED, excursion__isnull=True)))
    since = Correction.objects.filter(account=OuterRef("pk"), recorded_at__gt=F("trade__excursion__measured_at"))
    corrected = Exists(since.exclude(kind=Correction.Kind.CHARGES).filter(trade__state=CLOSED))
    return list(Account.objects.filter(fresh | corrected).values_list("code", flat=True))


def symbol_of(trade: Trade) -> str:
    return shown_symbol(trade.instrument.exchange.code, trade.instrument.symbol)


def measure(
    reader: TickReader, account_code: str, symbol: str, trades: Sequence[Trade], days: Iterable[date] = ()
) -> SymbolMeasured:
    """Return what trades of one symbol went through; gaps of the days that they were open on, and of ``days``.

    A trade that is open still is walked to the end of its last fill's day, or of ``days``.

    Raises: StoreUnavailable.
    """
    calendar = calendar_of_symbol(symbol)
    paths, held, read_days = {}, {}, set(days)
    for trade in trades:
        fills = facts.fills_of(trade)
        booked = list(zip((ns(fill.at) for fill in fills), facts.executions(fills), strict=True))
        paths[trade.pk] = PricePath(trade.side, to_units(trade.instrument.multiplier), booked)
        closed_at = trade.closed_at
        held[trade.pk] = ns(trade.opened_at), np.iinfo(np.int64).max if closed_at is None else ns(closed_at)
        read_days |= set(days_between(calendar.day_of(trade.opened_at), calendar.day_of(closed_at or trade.opened_at)))
    gaps_by_day: dict[date, list[Gap]] = {}
    for days_at_once in _near(sorted(read_days)):
        bounds = {day: [ns(bound) for bound in calendar.bounds(day)] for day in days_at_once}
        start, stop = bounds[days_at_once[0]][0], bounds[days_at_once[-1]][1]
        ticks = path_prices(reader.ticks(symbol, start, stop, account=account_code, fields=PATH_FIELDS))
        for day, (start, stop) in bounds.items():
            of_day = slice(*np.searchsorted(ticks[0], (start, stop)).tolist())
            times, lows, highs = ticks[0][of_day], ticks[1][of_day], ticks[2][of_day]
            spans = calendar.open_spans(day) if calendar.rows else []  # what never closes may be quiet at any hour
            gaps_by_day[day] = [gap for span in spans for gap in gaps(times, *map(ns, span))]
            for pk, (opened_ns, closed_ns) in held.items():
                if opened_ns < stop and start <= closed_ns:
                    within = times[: np.searchsorted(times, closed_ns, side="right")]
                    paths[pk].add(within, lows[: len(within)], highs[: len(within)])
    all_gaps = [gap for of_day in gaps_by_day.values() for gap in of_day]
    measured = [
        Measured(pk, path.result(), max((gap.seconds for gap in all_gaps if gap.touches(*held[pk])), default=None))
        for pk, path in paths.items()
    ]
    return SymbolMeasured(symbol, measured, gaps_by_day)


def _near(days: Sequence[date]) -> Iterator[list[date]]:
    """Yield ascending days in runs of at most `_DAYS_AT_ONCE` on the calendar."""
    run: list[date] = []
    for day in days:
        if run and (day - run[0]).days >= _DAYS_AT_ONCE:
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def fields_of(trade: Trade) -> TradeExcursions:
    """Return `FIELDS` of a trade whose excursion is loaded, each None where it was not measured."""
    excursion = getattr(trade, "excursion", None)
    if excursion is None:
        return _NOT_MEASURED.copy()
    return {
        "mae": excursion.mae,
        "mae_price": excursion.mae_price,
        "mae_r": in_risks(excursion.mae, trade.initial_risk),
        "mae_at": excursion.mae_at,
        "mfe": excursion.mfe,
        "mfe_price": excursion.mfe_price,
        "mfe_r": in_risks(excursion.mfe, trade.initial_risk),
        "mfe_at": excursion.mfe_at,
        "given_back": excursion.mfe - trade.realised_pnl,
        "ticks": excursion.ticks,
        "gap": mark(excursion.quiet_seconds),
    }


def ticks_of(table: pa.Table) -> tuple[TickTimes, TickPrices]:
    """Return the instants of a reading's ticks (ns UTC, as the exchange gave them), ascending, and their prices."""
    times = table.column("exchange_time").cast(pa.int64()).to_numpy()
    order = np.argsort(times, kind="stable")
    return times[order], numbers(table, "close")[order]


def ns(at: datetime) -> int:
    """Return an aware instant as ns UTC, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def instant(at: int) -> datetime:
    """Return ns UTC as an aware datetime, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at // 1000)
