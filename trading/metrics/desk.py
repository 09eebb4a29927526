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

from trading.domain.money import to_units
from trading.domain.position import value_of
from trading.metrics import series
from trading.metrics.series import LabelledNumber, MetricReading
from trading.models import Account, DayTotal, JournalHead, Trade
from trading.newest import newest_points
from trading.queries.accounts import all_accounts
from trading.queries.columns import UnitsSum
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.period import desk_date
from trading.queries.trades import LONG, OPEN
from trading.queries.valuation import price_of
from trading.rows import fetch

POSITIONS_MAX = 100
BYTES_MAX, ROW_BYTES = 2**22, 2**9


class TradeAtRisk(NamedTuple):
    """One open trade, as far as its P&L and risk follow from it; money, quantity and multiplier as ints of 10^-8."""

    strategy: str
    symbol: str
    side: str
    quantity: int
    cost: int
    multiplier: int
    stopped: int | None  # what its stop would bring
    opened_at: float

    def earned(self, price: int) -> int:
        """Return what closing at the price would bring, before charges."""
        worth = value_of(price, self.quantity, self.multiplier)
        return worth - self.cost if self.side == LONG else self.cost - worth


class Books(NamedTuple):
    """What the ledger says of one account today: the P&L of each strategy that realised any, trades closed, those of
    them whose charges are not known, and the open trades."""

    realised: list[LabelledNumber]
    closed: int
    without_charges: int
    trades: list[TradeAtRisk]


@dataclass(slots=True)
class _OpenSums:
    """The open trades of one strategy, added up."""

    trades: int = 0
    unpriced: int = 0
    unstopped: int = 0
    pnl: int = 0
    risk: int = 0


_kept_books: KeptAnswers[Books] = KeptAnswers(
    BYTES_MAX, lambda books: ROW_BYTES * (1 + len(books.realised) + len(books.trades))
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
    yield MetricReading(series.REALISED, [sample for _, kept in books for sample in kept.realised])
    accounts = [((account.code, account.currency), kept) for account, kept in books]
    yield MetricReading(series.CLOSED, [(names, kept.closed) for names, kept in accounts])
    yield MetricReading(series.WITHOUT_CHARGES, [(names, kept.without_charges) for names, kept in accounts])
    yield from _open(books, now)


def _books(account: Account, day: date) -> Books:
    sums = DayTotal.objects.filter(account=account, day=day).order_by().values_list("strategy__code")
    days = sums.annotate(
        earned=UnitsSum("gross_pnl"),
        paid=UnitsSum("charges"),
        closed=Sum("trades_closed"),
        unknown=Sum("trades_without_charges"),
    )
    open_trades = Trade.objects.filter(account=account, state=OPEN).order_by().values_list(
        "strategy__code", "instrument__exchange__code", "instrument__symbol", "side",
        "open_quantity", "open_cost", "instrument__multiplier", "stop_price", "opened_at",
    )  # fmt: skip
    rows = list(days)
    return Books(
        [
            ((account.code, account.currency, strategy), (gross - charges) / 10**8)
            for strategy, gross, charges, *_ in rows
        ],
        sum(row[3] for row in rows),
        sum(row[4] for row in rows),
        [_at_risk(*row) for row in open_trades],
    )


def _at_risk(
    strategy: str,
    exchange: str,
    symbol: str,
    side: str,
    quantity: Decimal,
    cost: Decimal,
    multiplier: Decimal,
    stop: Decimal | None,
    opened_at: datetime,
) -> TradeAtRisk:
    units = to_units(quantity), to_units(cost), to_units(multiplier)
    trade = TradeAtRisk(strategy, shown_symbol(exchange, symbol), side, *units, None, opened_at.timestamp())
    return trade if stop is None else trade._replace(stopped=trade.earned(to_units(stop)))


def _open(books: list[tuple[Account, Books]], now: datetime) -> Iterator[MetricReading]:
    strategies: dict[tuple[str, ...], _OpenSums] = defaultdict(_OpenSums)
    pnls: dict[tuple[str, ...], int] = defaultdict(int)
    ages: dict[tuple[str, ...], float] = {}
    opened: dict[tuple[str, ...], float] = {}
    for account, kept in books:
        symbols = [trade.symbol for trade in kept.trades]
        ticks = newest_points(account.code).known_ticks(symbols) if symbols else {}
        for trade in kept.trades:
            strategy = account.code, account.currency, trade.strategy
            sums = strategies[strategy]
            sums.trades += 1
            sums.unstopped += trade.stopped is None
            if trade.symbol not in ticks:
                sums.unpriced += 1
                continue
            price, at = price_of(ticks[trade.symbol])
            pnl, position = trade.earned(to_units(price)), (*strategy, trade.symbol)
            sums.pnl += pnl
            sums.risk += 0 if trade.stopped is None else max(0, pnl - trade.stopped)
            pnls[position] += pnl
            ages[position] = max(0.0, (now - at).total_seconds())
            opened[position] = min(trade.opened_at, opened.get(position, trade.opened_at))
    rows = strategies.items()
    yield MetricReading(series.OPEN_POSITIONS, [(strategy, sums.trades) for strategy, sums in rows])
    yield MetricReading(series.UNPRICED, [(strategy, sums.unpriced) for strategy, sums in rows])
    yield MetricReading(series.UNSTOPPED, [(strategy, sums.unstopped) for strategy, sums in rows])
    priced = [(strategy, sums) for strategy, sums in rows if sums.trades > sums.unpriced]
    yield MetricReading(series.UNREALISED, [(strategy, sums.pnl / 10**8) for strategy, sums in priced])
    yield MetricReading(series.OPEN_RISK, [(strategy, sums.risk / 10**8) for strategy, sums in priced])
    largest = sorted(pnls.items(), key=lambda entry: (-abs(entry[1]), entry[0]))[:POSITIONS_MAX]
    yield MetricReading(series.POSITION_PNL, [(position, pnl / 10**8) for position, pnl in largest])
    yield MetricReading(series.POSITION_OPENED, [(position, opened[position]) for position, _ in largest])
    yield MetricReading(series.POSITION_TICK_AGE, [(position, ages[position]) for position, _ in largest])
