"""Measuring trades and feeds from ticks. The figures are derived: no fact changes, so the journal has no row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from operator import attrgetter

from django.db.models import Exists, OuterRef

from trading.domain.money import from_units
from trading.models import Account, Correction, Excursion, FeedGap, Trade
from trading.progress import tell
from trading.queries.accounts import get_account
from trading.queries.excursions import Measured, SymbolMeasured, TickReader, instant, measure, symbol_of, unmeasured
from trading.transactions import writing

STAGE = "symbols measured"
FIGURES = ("trade_id", "mae", "mae_price", "mae_at", "mfe", "mfe_price", "mfe_at", "ticks", "quiet_seconds")
NAMED_MAX = 500  # SQLite takes no more than some thousand parameters


@dataclass(frozen=True, slots=True)
class Kept:
    """The number of trades that were measured, and of gaps on the days that were read."""

    trades: int
    gaps: int


def measure_excursions(
    account_code: str,
    reader: TickReader,
    *,
    trades: Sequence[Trade] | None = None,
    days: Iterable[tuple[str, date]] = (),
    rebuild: bool = False,
    limit: int | None = None,
) -> Kept:
    """Measure the closed trades that are new or were corrected since they were measured; with ``rebuild`` all of them.

    ``trades`` narrows it; ``days`` are (symbol, day) whose feeds are looked at for gaps, traded or not. One symbol is
    one transaction.

    Raises: UnknownAccount, StoreUnavailable, LedgerBusy, LedgerNotReady.
    """
    account = get_account(account_code)
    rows = unmeasured(account, rebuild=rebuild).order_by("pk")
    if trades is not None and len(trades) <= NAMED_MAX:
        rows = rows.filter(pk__in=[trade.pk for trade in trades])
    waiting = list(rows[:limit] if limit is not None else rows)
    if trades is not None:
        pks = {trade.pk for trade in trades}
        waiting = [trade for trade in waiting if trade.pk in pks]
    by_symbol: dict[str, tuple[list[Trade], set[date]]] = {}
    for trade in waiting:
        by_symbol.setdefault(symbol_of(trade), ([], set()))[0].append(trade)
    for symbol, day in days:
        by_symbol.setdefault(symbol, ([], set()))[1].add(day)
    gaps = 0
    for place, (symbol, (held, also)) in enumerate(sorted(by_symbol.items())):
        tell(STAGE, place, len(by_symbol))
        measured = measure(reader, account.code, symbol, held, also)
        _keep(account, measured)
        gaps += sum(len(of_day) for of_day in measured.gaps.values())
    return Kept(len(waiting), gaps)


def _keep(account: Account, measured: SymbolMeasured) -> None:
    """Write the rows that changed; the others stay, with the time at which they became known."""
    now = datetime.now(UTC)
    with writing():
        # An account may have been cleared while its ticks were read.
        pks = {row.trade_pk for row in measured.trades}
        pks = set(Trade.objects.filter(pk__in=pks).values_list("pk", flat=True))
        # What was measured of a trade before its last correction is written anew, also where it is the same.
        corrected = Correction.objects.filter(trade=OuterRef("trade"), recorded_at__gt=OuterRef("measured_at"))
        before = Excursion.objects.filter(trade_id__in=pks).exclude(Exists(corrected))
        figures = attrgetter(*FIGURES)
        figures_before = {row.trade_id: figures(row) for row in before}
        rows = [_row(trade, now) for trade in measured.trades if trade.trade_pk in pks]
        rows = [row for row in rows if figures_before.get(row.trade_id) != figures(row)]
        Excursion.objects.filter(trade_id__in=[row.trade_id for row in rows]).delete()
        Excursion.objects.bulk_create(rows, batch_size=500)
        for day, gaps in measured.gaps.items():
            ends = {(instant(gap.start), instant(gap.stop)) for gap in gaps}
            of_day = FeedGap.objects.filter(account=account, symbol=measured.symbol, day=day)
            if set(of_day.values_list("starts_at", "ends_at")) != ends:
                of_day.delete()
                FeedGap.objects.bulk_create(
                    FeedGap(account=account, symbol=measured.symbol, day=day, starts_at=starts_at, ends_at=ends_at)
                    for starts_at, ends_at in sorted(ends)
                )


def _row(measured: Measured, now: datetime) -> Excursion:
    mae, mfe = measured.excursion.mae, measured.excursion.mfe
    return Excursion(
        trade_id=measured.trade_pk,
        mae=from_units(mae.pnl),
        mae_price=from_units(mae.price),
        mae_at=instant(mae.at),
        mfe=from_units(mfe.pnl),
        mfe_price=from_units(mfe.price),
        mfe_at=instant(mfe.at),
        ticks=measured.excursion.ticks,
        quiet_seconds=measured.quiet_seconds,
        measured_at=now,
    )
