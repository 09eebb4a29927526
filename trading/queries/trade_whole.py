"""One trade whole: its figures, its fills as corrections have left them, the steps of its stop, its signals. Exact."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from trading.domain import values
from trading.models import Account
from trading.queries import facts
from trading.queries.signals import signal_value
from trading.queries.trades import find_trade, trade_value


class FillFacts(TypedDict):
    """One fill; ``pnl`` (gross) is that of an exit, None for an entry."""

    at: datetime
    side: str
    role: str
    price: Decimal
    quantity: Decimal
    charges: Decimal | None
    pnl: Decimal | None
    fill_id: str | None
    order_id: str | None


class StopMove(TypedDict):
    """One step of a trailing stop; ``moved_back`` says that it gave room again."""

    at: datetime
    stop_price: Decimal
    extreme_price: Decimal | None
    method: str
    moved_back: bool


class TradeWhole(TypedDict):
    """One trade with all that belongs to it, each list ascending by time."""

    trade: values.Trade
    fills: list[FillFacts]
    stops: list[StopMove]
    signals: list[values.Signal]


def trade_whole(account: Account, trade_id: str, *, strategy_id: str | None = None) -> TradeWhole:
    """Return the open trade of that id, else the newest, whole. Raises: UnknownTrade, AmbiguousTrade, InvalidValue."""
    trade = find_trade(account, trade_id, strategy_id=strategy_id)
    fills = sorted(facts.fills_with_pnl(trade), key=lambda pair: (pair[0].at, pair[0].sequence))
    signals = trade.signals.select_related("account", "strategy", "instrument__exchange", "trade")
    return {
        "trade": trade_value(trade),
        "fills": [
            {
                "at": fill.at,
                "side": fill.side,
                "role": fill.role,
                "price": fill.price,
                "quantity": fill.quantity,
                "charges": fill.charges,
                "pnl": pnl,
                "fill_id": fill.fill_id,
                "order_id": fill.order_id,
            }
            for fill, pnl in fills
        ],
        "stops": [
            {
                "at": change.at,
                "stop_price": change.stop_price,
                "extreme_price": change.extreme_price,
                "method": change.method,
                "moved_back": change.moved_back,
            }
            for change in trade.stop_changes.order_by("at", "pk")
        ],
        "signals": [signal_value(row) for row in signals.order_by("at", "pk")],
    }
