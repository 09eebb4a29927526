"""The day's P&L, open positions and open risk of every account and strategy, as series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from django.db.models import Sum

from trading.metrics import series
from trading.metrics.series import MetricReading
from trading.models import Account, DayTotal, JournalHead, Trade
from trading.newest import newest_points
from trading.queries.accounts import all_accounts
from trading.queries.columns import UnitsSum
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.period import desk_date
from trading.queries.trades import OPEN
from trading.queries.valuation import earned, price_of
from trading.rows import fetch

POSITIONS_MAX = 100
BYTES_MAX, ROW_BYTES = 2**22, 2**9


class RealisedDay(NamedTuple):
    """What one strategy realised on a day, money as an int of 10^-8; ``unknown``: closed trades without charges."""

    strategy: str
    gross: int
    charges: int
    closed: int
    unknown: int


class TradeAtRisk(NamedTuple):
    """One open trade, as far as its P&L and risk follow from it."""

    strategy: str
    exchange: str
    symbol: str
    side: str
    quantity: Decimal
    cost: Decimal
    multiplier: Decimal
    stop: Decimal | None
    opened_at: datetime

    def earned(self, price: Decimal) -> Decimal:
        """Return what closing at the price would bring, before charges."""
        return earned(self.side, self.quantity, self.cost, self.multiplier, price)


class Books(NamedTuple):
    """What the ledger says of one account today."""

    days: list[RealisedDay]
    trades: list[TradeAtRisk]


@dataclass(slots=True)
class _OpenSums:
    """The open trades of one strategy, added up."""

    trades: int = 0
    unpriced: int = 0
    unstopped: int = 0
    pnl: Decimal = Decimal(0)
    risk: Decimal = Decimal(0)


_kept_books: KeptAnswers[Books] = KeptAnswers(
    BYTES_MAX, lambda books: ROW_BYTES * (1 + len(books.days) + len(books.trades))
)


def journals(*, now: datetime) -> Iterator[MetricReading]:
    """Yield the length of each account's journal."""
    heads = {head.account_id: head.sequence for head in fetch(JournalHead)}
    accounts = [account for account in all_accounts() if account.pk in heads]
    yield MetricReading(series.JOURNAL_ROWS, [((account.code,), heads[account.pk]) for account in accounts])


def desk(*, now: datetime) -> Iterator[MetricReading]:
    """Yield what each strategy realised today, what it holds open, and the largest positions.

    Sums are exact; Prometheus knows floats alone.
    """
    day = desk_date(now)
    books = [(account, _kept_books.of(account, day, partial(_books, account, day))) for account in all_accounts()]
    realised = [((account.code, account.currency, row.strategy), row) for account, kept in books for row in kept.days]
    yield MetricReading(series.REALISED, [(strategy, (row.gross - row.charges) / 10**8) for strategy, row in realised])
    accounts = [((account.code, account.currency), kept) for account, kept in books]
    yield MetricReading(series.CLOSED, [(names, sum(row.closed for row in kept.days)) for names, kept in accounts])
    yield MetricReading(
        series.WITHOUT_CHARGES, [(names, sum(row.unknown for row in kept.days)) for names, kept in accounts]
    )
    yield from _open(books, now)


def _books(account: Account, day: date) -> Books:
    sums = DayTotal.objects.filter(account=account, day=day).order_by().values_list("strategy__code")
    columns = "gross_pnl", "charges"
    counts = "trades_closed", "trades_without_charges"
    days = sums.annotate(
        **{f"sum_{name}": UnitsSum(name) for name in columns}, **{f"sum_{name}": Sum(name) for name in counts}
    )
    open_trades = Trade.objects.filter(account=account, state=OPEN).order_by().values_list(
        "strategy__code", "instrument__exchange__code", "instrument__symbol", "side",
        "open_quantity", "open_cost", "instrument__multiplier", "stop_price", "opened_at",
    )  # fmt: skip
    return Books([RealisedDay(*row) for row in days], [TradeAtRisk(*row) for row in open_trades])


def _open(books: list[tuple[Account, Books]], now: datetime) -> Iterator[MetricReading]:
    strategies: dict[tuple[str, ...], _OpenSums] = defaultdict(_OpenSums)
    pnls: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    ages: dict[tuple[str, ...], float] = {}
    opened: dict[tuple[str, ...], float] = {}
    for account, kept in books:
        symbols = [shown_symbol(trade.exchange, trade.symbol) for trade in kept.trades]
        ticks = newest_points(account.code).known_ticks(symbols) if symbols else {}
        for trade, symbol in zip(kept.trades, symbols, strict=True):
            strategy = account.code, account.currency, trade.strategy
            sums = strategies[strategy]
            sums.trades += 1
            sums.unstopped += trade.stop is None
            if symbol not in ticks:
                sums.unpriced += 1
                continue
            price, at = price_of(ticks[symbol])
            pnl = trade.earned(price)
            sums.pnl += pnl
            sums.risk += Decimal(0) if trade.stop is None else max(Decimal(0), pnl - trade.earned(trade.stop))
            pnls[*strategy, symbol] += pnl
            ages[*strategy, symbol] = max(0.0, (now - at).total_seconds())
            since = trade.opened_at.timestamp()
            opened[*strategy, symbol] = min(since, opened.get((*strategy, symbol), since))
    rows = strategies.items()
    yield MetricReading(series.OPEN_POSITIONS, [(strategy, sums.trades) for strategy, sums in rows])
    yield MetricReading(series.UNPRICED, [(strategy, sums.unpriced) for strategy, sums in rows])
    yield MetricReading(series.UNSTOPPED, [(strategy, sums.unstopped) for strategy, sums in rows])
    priced = [(strategy, sums) for strategy, sums in rows if sums.trades > sums.unpriced]
    yield MetricReading(series.UNREALISED, [(strategy, float(sums.pnl)) for strategy, sums in priced])
    yield MetricReading(series.OPEN_RISK, [(strategy, float(sums.risk)) for strategy, sums in priced])
    largest = sorted(pnls.items(), key=lambda entry: (-abs(entry[1]), entry[0]))[:POSITIONS_MAX]
    yield MetricReading(series.POSITION_PNL, [(position, float(pnl)) for position, pnl in largest])
    yield MetricReading(series.POSITION_OPENED, [(position, opened[position]) for position, _ in largest])
    yield MetricReading(series.POSITION_TICK_AGE, [(position, ages[position]) for position, _ in largest])
