"""Examples of the schema: a trade of RELIANCE from its signal to its exit, what the market did, what one asks then.

Sent in the order of `BODIES`, then asked with `PARAMETERS`, each is answered with 200 by any desk.
"""

from __future__ import annotations

TRADE = {"trade_id": "T1", "strategy_id": "ema_cross", "symbol": "RELIANCE"}
OPENED, LATER, CLOSED = "2024-03-15T09:00:00Z", "2024-03-15T09:10:00Z", "2024-03-15T09:30:00Z"
BODIES: dict[str, dict[str, str | int | dict[str, str]]] = {  # by the operation's name
    "record_signal": {
        "strategy_id": "ema_cross", "symbol": "RELIANCE", "at": OPENED, "conditions": {"spread": "0.4"},
        "decision": "SKIPPED", "reason": "spread too wide",
    },
    "open_position": {
        **TRADE, "entry_price": "2450.05", "quantity": "10", "entry_time": OPENED,
        "signal_conditions": {"ema_fast": "2451.05"}, "side": "LONG", "stop_price": "2438", "target_price": "2470",
        "charges": "1.5", "fill_id": "T1-1", "order_id": "order-1",
    },
    "cache_indicators": {"symbol": "RELIANCE", "values": {"rsi": "51.5"}, "at": OPENED, "timeframe": "5m"},
    "update_position_snapshot": {
        "strategy_id": "ema_cross", "symbol": "RELIANCE", "current_price": "2461", "quantity": "10", "pnl": "109.5",
        "pnl_percent": "0.45", "at": LATER,
    },
    "update_trailing_sl": {
        **TRADE, "stop_price": "2452", "extreme_price": "2466.10", "method": "ATR", "at": LATER,
    },
    "add_fill": {
        "trade_id": "T1", "strategy_id": "ema_cross", "side": "SELL", "price": "2461.20", "quantity": "4", "at": LATER,
        "fill_id": "T1-2", "charges": "1.5", "order_id": "order-2",
    },
    "close_position": {
        **TRADE, "exit_price": "2462.10", "exit_time": CLOSED, "exit_reason": "target", "charges": "1.5",
        "fill_id": "T1-3", "order_id": "order-3",
    },
    "flush": {"timeout": 30},
    "resend": {"since": OPENED},
}  # fmt: skip
TICK = {"symbol": "RELIANCE", "ltp": "2450.05", "timestamp": OPENED}
TICKS: dict[str, str | list[dict[str, str]]] = {  # by the form of the body
    "application/json": [TICK],
    "application/x-ndjson": f'{{"symbol": "RELIANCE", "ltp": "2450.05", "timestamp": "{OPENED}"}}\n',
    "text/csv": f"symbol,ltp,timestamp\nRELIANCE,2450.05,{OPENED}\n",
}
PARAMETERS: dict[str, str | int | list[str]] = {
    **TRADE, "symbols": ["RELIANCE"], "day": "2024-03-15", "first": "2024-03-15", "last": "2024-03-15", "at": OPENED,
    "start": "2024-03-15T03:45:00Z", "stop": "2024-03-15T10:00:00Z", "stream": "notebook", "sequence": 1,
    "cut": "strategy", "every": "1m",
}  # fmt: skip
