"""Statistics by strategy and by day over 100,000 trades: day totals against naive ORM queries over the trades."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from time import process_time
from typing import Any

from django.core.management import call_command
from django.db import transaction
from django.db.models import Avg, BigIntegerField, Count, F, Q, Sum
from django.db.models.functions import Cast, Coalesce, TruncDate

from bench.harness import Pair, Row
from trading.domain.shapes import PartTotals
from trading.models import Account, DayTotal, Exchange, Instrument, Strategy, Trade
from trading.queries.accounts import get_account
from trading.queries.period import desk_zone
from trading.queries.statistics import totals_by

TRADES, STRATEGIES, DAYS = 100_000, 5, 250
FIRST = date(2024, 1, 1)
LAST = FIRST + timedelta(days=DAYS - 1)
SCALE = 10**8


@contextmanager
def prepare() -> Iterator[Pair]:
    """Both sides answer with the same figures, a row per strategy and a row per day, compared before the race."""
    call_command("migrate", verbosity=0)
    with transaction.atomic():
        fill()
        ours, theirs = totals(), naive()
        assert len(ours) == len(theirs) == STRATEGIES + DAYS
        for mine, row in zip(ours, theirs, strict=True):
            assert mine.keys() == row.keys()
            for name, figure in row.items():
                assert mine[name] == figure or abs(float(mine[name]) - float(figure)) < 1e-6, (row, name)
        yield Pair(lambda: _trades(totals()), lambda: _swept(_trades(naive())), process_time)
        transaction.set_rollback(True)


def totals() -> list[PartTotals]:
    account = get_account("main")
    return [*totals_by(account, FIRST, LAST, "strategy"), *totals_by(account, FIRST, LAST, "day")]


def naive() -> list[dict[str, Any]]:
    """What one writes first: group the trades, by the date of their close, and let the database do the rest."""
    gross, charges = Cast("realised_pnl", BigIntegerField()), Cast("charges", BigIntegerField())
    start, stop = (datetime.combine(day, time.min, desk_zone()) for day in (FIRST, LAST + timedelta(days=1)))
    rows = Trade.objects.filter(account__code="main", state="CLOSED", closed_at__gte=start, closed_at__lt=stop)
    netted = rows.annotate(gross=gross, known=Coalesce(charges, 0), net=F("gross") - F("known"))
    by_strategy = _aggregated(netted.values(strategy_code=F("strategy__code"))).order_by("strategy_code")
    by_day = _aggregated(netted.annotate(day=TruncDate("closed_at")).values("day")).order_by("day")
    return [
        *({"key": row["strategy_code"], **_figures(row)} for row in by_strategy),
        *({"key": row["day"].isoformat(), **_figures(row)} for row in by_day),
    ]


def _swept(trades: int) -> int:
    """Sweep up the hundred thousand pieces of memory that SQLite's sorter has just freed, on the naive side's time.

    The C library puts that off to whoever asks for memory next: ours took 10 ms instead of 3 for it (measured by a call
    of either kind between the two sides, which makes both differences vanish).
    """
    sweep = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if sweep is not None:
        sweep(0)
    return trades


def _aggregated(rows: Any) -> Any:
    won, lost = Q(net__gt=0), Q(net__lt=0)
    return rows.annotate(
        trades=Count("pk"),
        wins=Count("pk", filter=won),
        losses=Count("pk", filter=lost),
        gross_pnl=Sum("gross"),
        charges_known=Sum("known"),
        without_charges=Count("pk", filter=Q(charges=None)),
        profit=Sum("net", filter=won, default=0),
        loss=Sum("net", filter=lost, default=0),
        avg_win=Avg("net", filter=won),
        avg_loss=Avg("net", filter=lost),
        expectancy=Avg("net"),
    )


def _trades(rows: list[dict[str, Any]]) -> int:
    return sum(row["total_trades"] for row in rows)


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    net, loss = row["gross_pnl"] - row["charges_known"], -row["loss"]
    return {
        "total_trades": row["trades"],
        "winning_trades": row["wins"],
        "losing_trades": row["losses"],
        "breakeven_trades": row["trades"] - row["wins"] - row["losses"],
        "win_rate": 100 * row["wins"] / row["trades"],
        "total_pnl": Decimal(net) / SCALE,
        "gross_pnl": Decimal(row["gross_pnl"]) / SCALE,
        "charges": Decimal(row["charges_known"]) / SCALE,
        "trades_without_charges": row["without_charges"],
        "profit_factor": row["profit"] / loss if loss else None,
        "avg_win": Decimal(row["avg_win"] or 0) / SCALE,
        "avg_loss": Decimal(row["avg_loss"] or 0) / SCALE,
        "payoff_ratio": -row["avg_win"] / row["avg_loss"] if row["avg_win"] and row["avg_loss"] else None,
        "expectancy": Decimal(row["expectancy"]) / SCALE,
        "expectancy_ratio": -row["expectancy"] / row["avg_loss"] if row["avg_loss"] else None,
    }


def fill() -> None:
    """Write the trades and the day totals that their fills would have left, into the account `main`."""
    chance = random.Random(20210412)
    account, exchange = Account.objects.get(code="main"), Exchange.objects.get(code="NSE")
    instrument = Instrument.objects.create(exchange=exchange, symbol="BENCH", currency="INR")
    strategies = [Strategy.objects.create(code=f"bench {number}") for number in range(STRATEGIES)]
    totals: dict[tuple[int, date], DayTotal] = {}
    trades = []
    for number in range(TRADES):
        day = FIRST + timedelta(days=number // STRATEGIES % DAYS)
        strategy = strategies[number % STRATEGIES]
        pnl = Decimal(chance.randrange(-100_000, 120_000)) / 100
        trades.append(_trade(account, strategy, instrument, number, day, pnl))
        key = (strategy.pk, day)
        if key not in totals:
            totals[key] = _empty_total(account, strategy, instrument, day)
        _count(totals[key], pnl)
    Trade.objects.bulk_create(trades, batch_size=5000)
    DayTotal.objects.bulk_create(totals.values(), batch_size=1000)


def _trade(account: Account, strategy: Strategy, instrument: Instrument, number: int, day: date, pnl: Decimal) -> Trade:
    opened_at = datetime(day.year, day.month, day.day, 4, tzinfo=UTC) + timedelta(seconds=number % 20_000)
    return Trade(
        account=account,
        strategy=strategy,
        instrument=instrument,
        trade_id=str(number),
        trading_day=day,
        side="LONG",
        state="CLOSED",
        opened_at=opened_at,
        closed_at=opened_at + timedelta(minutes=7),
        recorded_at=opened_at,
        open_quantity=Decimal(0),
        open_cost=Decimal(0),
        entry_quantity=Decimal(10),
        entry_value=Decimal(25_000),
        realised_pnl=pnl,
    )


def _empty_total(account: Account, strategy: Strategy, instrument: Instrument, day: date) -> DayTotal:
    zero = Decimal(0)
    return DayTotal(
        account=account,
        strategy=strategy,
        instrument=instrument,
        day=day,
        gross_pnl=zero,
        charges=zero,
        gross_profit=zero,
        gross_loss=zero,
    )


def _count(total: DayTotal, pnl: Decimal) -> None:
    total.gross_pnl += pnl
    total.trades_closed += 1
    total.trades_without_charges += 1
    total.wins += pnl > 0
    total.losses += pnl < 0
    total.breakevens += pnl == 0
    total.gross_profit += max(pnl, Decimal(0))
    total.gross_loss += min(pnl, Decimal(0))


ROWS = [
    Row(
        "statistics",
        f"figures by strategy and by day over {TRADES:,} trades, against ORM queries over the trades",
        prepare,
        mark=40,
        stretch=200,
        unit="trades per second",
        settings={"trades": f"{TRADES:,}", "strategies": str(STRATEGIES), "days": str(DAYS)},
    ),
]
