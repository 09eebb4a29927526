"""Open positions with the last price seen: unrealised P&L from exact cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.db.models import QuerySet

from trading.domain import position
from trading.domain.money import from_units, to_units
from trading.domain.values import Position
from trading.models import Account, Trade
from trading.queries.instruments import plain_name, shown_symbol
from trading.queries.kept_statements import ACCOUNT, KeptModels
from trading.queries.trades import LONG, OPEN, sum_of, trade_values

# Symbols to the newest tick of all processes of each that has one (see `Telemetry.latest_ticks`): asked once for all.
LastTicks = Callable[[Iterable[str]], Mapping[str, Mapping[str, Any]]]
TradePosition = tuple[Trade, Position]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_positions(account: Account, last_ticks: LastTicks) -> list[Position]:
    """Return one position per open trade, the oldest first."""
    return [position for _, position in priced(open_trade_positions(account), last_ticks)]


def open_trade_positions(account: Account) -> list[TradePosition]:
    """Return each open trade and its position as the ledger alone tells it, without a price, the oldest first."""
    rows = open_trades(account)
    return [(row, Position(**trade.as_dict())) for row, trade in zip(rows, trade_values(rows), strict=True)]


def priced(trades: Sequence[TradePosition], last_ticks: LastTicks) -> list[tuple[int, Position]]:
    """Return the primary key and the position of each open trade at its last price, in their order."""
    ticks = last_ticks({_symbol(row) for row, _ in trades}) if trades else {}
    return [(row.pk, _valued(position, [row], ticks)) for row, position in trades]


def position_of(account: Account, strategy_id: str, symbol: str, last_ticks: LastTicks) -> Position:
    """Return the sum of a strategy's open trades in one symbol; flat (side None, quantity 0) where none is open."""
    name = plain_name(symbol)
    rows = [row for row in open_trades(account) if row.strategy.code == strategy_id and _symbol(row) == name]
    summed = sum_of(account.code, strategy_id, symbol, trade_values(rows))
    return _valued(summed, rows, last_ticks({_symbol(rows[0])}) if rows else {})


def _open() -> QuerySet[Trade]:
    rows = Trade.objects.filter(account=ACCOUNT, state=OPEN)
    # In no order: asked for one, SQLite reads every trade by opening in place of the few that are open.
    return rows.select_related("account", "strategy", "instrument__exchange").order_by()


_OPEN = KeptModels(_open)


def open_trades(account: Account) -> list[Trade]:
    """Return the trades that are open, the oldest first, with what a position needs."""
    return sorted(_OPEN.of(account), key=attrgetter("opened_at", "pk"))


def _symbol(row: Trade) -> str:
    return shown_symbol(row.instrument.exchange.code, row.instrument.symbol)


def _valued(held: Position, rows: list[Trade], ticks: Mapping[str, Mapping[str, Any]]) -> Position:
    tick = ticks.get(_symbol(rows[0])) if rows else None
    if tick is None:
        return held
    price, at = price_of(tick)
    return replace(held, last_price=price, last_price_at=at, unrealised_pnl=unrealised(rows, price))


def unrealised(rows: Iterable[Trade], price: Decimal) -> Decimal:
    """Return what closing all of these trades at the price would bring, before charges."""
    return sum(
        (earned(row.side, row.open_quantity, row.open_cost, row.instrument.multiplier, price) for row in rows),
        Decimal(0),
    )


def earned(side: str, quantity: Decimal, cost: Decimal, multiplier: Decimal, price: Decimal) -> Decimal:
    """Return what closing a quantity that cost so much would bring at the price, before charges."""
    worth = position.value_of(to_units(price), to_units(quantity), to_units(multiplier))
    return from_units(worth - to_units(cost) if side == LONG else to_units(cost) - worth)


def in_risks_now(held: Position) -> Decimal | None:
    """Return what an open trade would have earned if closed at the last price, after known charges, in units of its
    initial risk, to two decimals; None where no stop was given or no price is known."""
    if held.unrealised_pnl is None:
        return None
    return position.in_risks(held.realised_pnl + held.unrealised_pnl - (held.charges or 0), held.initial_risk)


def distance_to_stop(held: Position) -> Decimal | None:
    """Return by how much the last price is better than the stop, per unit; below 0 where it has passed it, None where
    one of them is not known."""
    if held.last_price is None or held.stop_price is None:
        return None
    return held.last_price - held.stop_price if held.side == LONG else held.stop_price - held.last_price


def price_of(tick: Mapping[str, Any]) -> tuple[Decimal, datetime]:
    """Return a newest tick's price and its time."""
    at = _EPOCH + timedelta(microseconds=tick["exchange_time"] // 1000)
    return Decimal(repr(float(tick["close"]))), at
