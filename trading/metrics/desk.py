"""The day's P&L, open positions and open risk of every account and strategy, as series."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from trading.metrics import series
from trading.metrics.books import Books, books_of_today, open_trades
from trading.metrics.series import MetricReading
from trading.models import Account, JournalHead
from trading.queries.accounts import all_accounts
from trading.rows import fetch

POSITIONS_MAX = 100
UNITS = 10**8


def journals(*, now: datetime) -> Iterator[MetricReading]:
    """Yield the length of each account's journal."""
    heads = {head.account_id: head.sequence for head in fetch(JournalHead)}
    accounts = [account for account in all_accounts() if account.pk in heads]
    yield MetricReading(series.JOURNAL_ROWS, [((account.code,), heads[account.pk]) for account in accounts])


def desk(*, now: datetime) -> Iterator[MetricReading]:
    """Yield what each strategy realised today, what it holds open, and the largest positions.

    Sums are exact; Prometheus knows floats alone.
    """
    books = books_of_today(now)
    yield MetricReading(series.REALISED, [(names, pnl / UNITS) for _, kept in books for names, pnl in kept.realised])
    accounts = [((account.code, account.currency), kept) for account, kept in books]
    yield MetricReading(series.CLOSED, [(names, kept.closed) for names, kept in accounts])
    yield MetricReading(series.WITHOUT_CHARGES, [(names, kept.without_charges) for names, kept in accounts])
    yield from _open(books, now)


def _open(books: list[tuple[Account, Books]], now: datetime) -> Iterator[MetricReading]:
    held = open_trades(books, now)
    rows = held.strategies.items()
    yield MetricReading(series.OPEN_POSITIONS, [(strategy, sums.trades) for strategy, sums in rows])
    yield MetricReading(series.UNPRICED, [(strategy, sums.unpriced) for strategy, sums in rows])
    yield MetricReading(series.UNSTOPPED, [(strategy, sums.unstopped) for strategy, sums in rows])
    priced = [(strategy, sums) for strategy, sums in rows if sums.trades > sums.unpriced]
    yield MetricReading(series.UNREALISED, [(strategy, sums.pnl / UNITS) for strategy, sums in priced])
    yield MetricReading(series.OPEN_RISK, [(strategy, sums.risk / UNITS) for strategy, sums in priced])
    largest = sorted(held.positions.items(), key=lambda entry: (-abs(entry[1].pnl), entry[0]))[:POSITIONS_MAX]
    yield MetricReading(series.POSITION_PNL, [(names, sums.pnl / UNITS) for names, sums in largest])
    yield MetricReading(series.POSITION_OPENED, [(names, sums.opened_at) for names, sums in largest])
    yield MetricReading(series.POSITION_TICK_AGE, [(names, sums.tick_age_seconds) for names, sums in largest])
