"""A trade's life as Arrow tables, from the ledger itself: exact, and there as soon as the call returned."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from trading.models import Account, Trade
from trading.queries import facts
from trading.queries.trades import find_trade

INSTANT = pa.timestamp("ns", "UTC")
EXECUTIONS = pa.schema(
    [
        ("time", INSTANT),
        ("trade_id", pa.string()),
        ("strategy", pa.string()),
        ("symbol", pa.string()),
        ("side", pa.string()),
        ("role", pa.string()),
        ("price", pa.float64()),
        ("quantity", pa.float64()),
        ("charges", pa.float64()),
        ("pnl", pa.float64()),
        ("fill_id", pa.string()),
        ("order_id", pa.string()),
    ]
)
STOPS = pa.schema(
    [
        ("time", INSTANT),
        ("trade_id", pa.string()),
        ("strategy", pa.string()),
        ("symbol", pa.string()),
        ("stop_price", pa.float64()),
        ("extreme_price", pa.float64()),
        ("method", pa.string()),
        ("moved_back", pa.bool_()),
    ]
)


def executions(account: Account, trade_id: str, *, strategy_id: str | None = None) -> pa.Table:
    """Return a trade's fills as they are right, ascending; ``pnl`` (gross) is that of an exit, null for an entry.

    Columns: time (ns UTC), trade_id, strategy, symbol, side (BUY, SELL), role (ENTRY, EXIT, SPLIT), price, quantity,
    charges, pnl, fill_id, order_id. Numbers are floats for analysis; exact ones: `manage.py trade_export --fills`.

    Raises: UnknownTrade, AmbiguousTrade.
    """
    trade = find_trade(account, trade_id, strategy_id=strategy_id)
    rows = [
        {
            **_of(trade),
            "time": fill.at,
            "side": fill.side,
            "role": fill.role,
            "price": _float(fill.price),
            "quantity": _float(fill.quantity),
            "charges": _float(fill.charges),
            "pnl": _float(pnl),
            "fill_id": fill.fill_id,
            "order_id": fill.order_id,
        }
        for fill, pnl in sorted(facts.fills_with_pnl(trade), key=lambda pair: (pair[0].at, pair[0].sequence))
    ]
    return pa.Table.from_pylist(rows, schema=EXECUTIONS)


def stops(account: Account, trade_id: str, *, strategy_id: str | None = None) -> pa.Table:
    """Return a trade's stop changes, ascending.

    Columns: time (ns UTC), trade_id, strategy, symbol, stop_price, extreme_price, method, moved_back.

    Raises: UnknownTrade, AmbiguousTrade.
    """
    trade = find_trade(account, trade_id, strategy_id=strategy_id)
    rows = [
        {
            **_of(trade),
            "time": change.at,
            "stop_price": _float(change.stop_price),
            "extreme_price": _float(change.extreme_price),
            "method": change.method,
            "moved_back": change.moved_back,
        }
        for change in trade.stop_changes.order_by("at", "pk")
    ]
    return pa.Table.from_pylist(rows, schema=STOPS)


def _of(trade: Trade) -> dict[str, Any]:
    return {"trade_id": trade.trade_id, "strategy": trade.strategy.code, "symbol": trade.instrument.symbol}


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
