"""Measure trades and feeds from ticks, and keep what was found. Derived: no fact changes, so the journal has no row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db.models import Exists, OuterRef

from trading.domain.excursions import Extreme
from trading.domain.money import from_units
from trading.models import Account, Correction, Excursion, FeedGap, Trade
from trading.queries.accounts import get_account
from trading.queries.excursions import Measured, SymbolMeasured, TickReader, instant, measure, symbol_of, unmeasured
from trading.transactions import writing

NAMED_MAX = 500  # SQLite takes no more than some thousand parameters


@dataclass(frozen=True, slots=True)
class Kept:
    """How many trades were measured, and how many gaps found on the days that were read."""

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
    """Measure closed trades that were not, or were corrected since; with ``rebuild`` those too that were.

    ``trades`` narrows it; ``days`` are (symbol, day) whose feeds are looked at for gaps, traded or not. One symbol is
    one transaction.

    Raises: UnknownAccount, StoreUnavailable, LedgerBusy, LedgerNotReady.
    """
    account = get_account(account_code)
    wanted = unmeasured(account, rebuild=rebuild).order_by("pk")
    if trades is not None and len(trades) <= NAMED_MAX:
        wanted = wanted.filter(pk__in=[trade.pk for trade in trades])
    found = list(wanted[:limit] if limit is not None else wanted)
    if trades is not None:
        chosen = {trade.pk for trade in trades}
        found = [trade for trade in found if trade.pk in chosen]
    by_symbol: dict[str, tuple[list[Trade], set[date]]] = {}
    for trade in found:
        by_symbol.setdefault(symbol_of(trade), ([], set()))[0].append(trade)
    for symbol, day in days:
        by_symbol.setdefault(symbol, ([], set()))[1].add(day)
    gaps = 0
    for symbol, (held, also) in sorted(by_symbol.items()):
        made = measure(reader, account.code, symbol, held, also)
        _keep(account, made)
        gaps += sum(len(of_day) for of_day in made.gaps.values())
    return Kept(len(found), gaps)


def _keep(account: Account, made: SymbolMeasured) -> None:
    """Write what is new; what was found before stays as it is, with the time at which it became known."""
    now = datetime.now(UTC)
    with writing():
        # An account may have been cleared while its ticks were read.
        there = set(Trade.objects.filter(pk__in=[one.trade_pk for one in made.trades]).values_list("pk", flat=True))
        known = _known(there)
        rows = [_row(one, now) for one in made.trades if one.trade_pk in there]
        rows = [row for row in rows if known.get(row.trade_id) != _figures(row)]
        Excursion.objects.filter(trade_id__in=[row.trade_id for row in rows]).delete()
        Excursion.objects.bulk_create(rows, batch_size=500)
        for day, gaps in made.gaps.items():
            _keep_gaps(account, made.symbol, day, {(instant(gap.start), instant(gap.stop)) for gap in gaps})


def _keep_gaps(account: Account, symbol: str, day: date, found: set[tuple[datetime, datetime]]) -> None:
    rows = FeedGap.objects.filter(account=account, symbol=symbol, day=day)
    if set(rows.values_list("starts_at", "ends_at")) != found:
        rows.delete()
        FeedGap.objects.bulk_create(
            FeedGap(account=account, symbol=symbol, day=day, starts_at=starts_at, ends_at=ends_at)
            for starts_at, ends_at in sorted(found)
        )


def _known(trade_pks: set[int]) -> dict[int, dict[str, object]]:
    """Return what was measured of trades; not of those that were corrected since, which are told anew either way."""
    rows = Excursion.objects.filter(trade_id__in=trade_pks)
    since = Correction.objects.filter(trade=OuterRef("trade"), recorded_at__gt=OuterRef("measured_at"))
    return {row.trade_id: _figures(row) for row in rows.exclude(Exists(since))}


def _figures(row: Excursion) -> dict[str, object]:
    names = (field.attname for field in Excursion._meta.concrete_fields)
    return {name: getattr(row, name) for name in names if name not in _APART}


_APART = frozenset({"id", "measured_at"})


def _row(one: Measured, now: datetime) -> Excursion:
    found = one.excursion
    return Excursion(
        trade_id=one.trade_pk,
        **_end("mae", found.mae),
        **_end("mfe", found.mfe),
        ticks=found.ticks,
        quiet_seconds=one.quiet_seconds,
        measured_at=now,
    )


def _end(name: str, extreme: Extreme) -> dict[str, object]:
    return {
        name: from_units(extreme.pnl),
        f"{name}_price": from_units(extreme.price),
        f"{name}_at": instant(extreme.at),
    }
