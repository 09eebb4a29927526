"""What each account and strategy realised today, holds open and risks: exact sums, for series and for `health`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple, TypedDict

from django.db.models import Sum

from trading.domain.money import from_units, to_units
from trading.domain.position import value_of
from trading.models import Account, DayTotal, Trade
from trading.newest import newest_points
from trading.queries.accounts import all_accounts
from trading.queries.columns import UnitsSum
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.period import desk_date
from trading.queries.trades import LONG, OPEN
from trading.queries.valuation import price_of

BYTES_MAX, ROW_BYTES = 2**22, 2**9

LabelValues = tuple[str, ...]  # account, currency, strategy; for a position its symbol behind them


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
    """What the ledger says of one account today: the P&L of each strategy that realised any (ints of 10^-8), trades
    closed, those of them whose charges are not known, and the open trades."""

    realised: list[tuple[LabelValues, int]]
    closed: int
    without_charges: int
    trades: list[TradeAtRisk]


@dataclass(slots=True)
class OpenSums:
    """The open trades of one strategy, added up; money as ints of 10^-8."""

    trades: int = 0
    unpriced: int = 0
    unstopped: int = 0
    pnl: int = 0
    risk: int = 0


@dataclass(slots=True)
class PositionSums:
    """The priced trades of one strategy in one symbol: P&L (int of 10^-8), the first opening, the age of the tick."""

    pnl: int = 0
    opened_at: float = 0.0
    tick_age_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class OpenTrades:
    """The open trades of all accounts, by strategy and by position."""

    strategies: dict[LabelValues, OpenSums] = field(default_factory=lambda: defaultdict(OpenSums))
    positions: dict[LabelValues, PositionSums] = field(default_factory=dict)


class StrategyStanding(TypedDict):
    """A strategy of an account as it stands now; P&L and risk are None where no open trade has a price.

    ``risk``: what its open trades would lose from their last prices to their stops.
    """

    account: str
    currency: str
    strategy: str
    realised_pnl: Decimal
    open_trades: int
    unrealised_pnl: Decimal | None
    risk: Decimal | None
    unpriced: int
    without_stop: int


_kept_books: KeptAnswers[Books] = KeptAnswers(
    BYTES_MAX, lambda books: ROW_BYTES * (1 + len(books.realised) + len(books.trades))
)


def books_of_today(now: datetime) -> list[tuple[Account, Books]]:
    """Return what the ledger says of each account today. Raises: DatabaseError."""
    day = desk_date(now)
    return [(account, _kept_books.of(account, day, partial(_books, account, day))) for account in all_accounts()]


def strategy_rows(*, now: datetime) -> list[StrategyStanding]:
    """Return each strategy that realised something today or holds something. Raises: DatabaseError."""
    books = books_of_today(now)
    realised = {names: pnl for _, kept in books for names, pnl in kept.realised}
    held = open_trades(books, now).strategies
    return [_row(names, realised.get(names, 0), held.get(names, OpenSums())) for names in sorted({*realised, *held})]


def _row(names: LabelValues, realised: int, sums: OpenSums) -> StrategyStanding:
    account, currency, strategy = names
    has_price = sums.trades > sums.unpriced
    return {
        "account": account,
        "currency": currency,
        "strategy": strategy,
        "realised_pnl": from_units(realised),
        "open_trades": sums.trades,
        "unrealised_pnl": from_units(sums.pnl) if has_price else None,
        "risk": from_units(sums.risk) if has_price else None,
        "unpriced": sums.unpriced,
        "without_stop": sums.unstopped,
    }


def open_trades(books: list[tuple[Account, Books]], now: datetime) -> OpenTrades:
    """Add up the open trades of all accounts at their last prices."""
    held = OpenTrades()
    for account, kept in books:
        symbols = [trade.symbol for trade in kept.trades]
        ticks = newest_points(account.code).known_ticks(symbols) if symbols else {}
        for trade in kept.trades:
            strategy = account.code, account.currency, trade.strategy
            sums = held.strategies[strategy]
            sums.trades += 1
            sums.unstopped += trade.stopped is None
            if trade.symbol not in ticks:
                sums.unpriced += 1
                continue
            price, at = price_of(ticks[trade.symbol])
            pnl = trade.earned(to_units(price))
            sums.pnl += pnl
            sums.risk += 0 if trade.stopped is None else max(0, pnl - trade.stopped)
            position = held.positions.setdefault((*strategy, trade.symbol), PositionSums(opened_at=trade.opened_at))
            position.pnl += pnl
            position.opened_at = min(position.opened_at, trade.opened_at)
            position.tick_age_seconds = max(0.0, (now - at).total_seconds())
    return held


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
        [((account.code, account.currency, strategy), gross - charges) for strategy, gross, charges, *_ in rows],
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
