"""What schemathesis is told of the filled desk: values that the schema's fields may have there, and what leads to what.

The desk is `fuzzed_book`'s. The names are those of the schema: parameters, bodies, operations.
"""

from __future__ import annotations

import json

SCOPES = ("read", "record", "operate")
ARROW = "application/vnd.apache.arrow.stream"
AT, LATER = "2024-03-15T09:00:00Z", "2024-03-15T09:30:00Z"
OF_HELD = {"trade_id": "held", "strategy_id": "ema_cross", "symbol": "RELIANCE"}
TICK = {"symbol": "RELIANCE", "ltp": "2450.05", "timestamp": AT}
QUERIES = {
    **OF_HELD, "symbols": ["RELIANCE"], "source": "page-desk", "condition": "ema_fast", "day": "2024-03-15",
    "first": "2024-03-15", "last": "2024-03-15", "at": AT, "start": "2024-03-15T03:45:00Z",
    "stop": "2024-03-15T04:00:00Z", "stream": "fuzz", "sequence": 1,
}  # fmt: skip
BODIES = {
    "OpeningBody": {
        **OF_HELD, "trade_id": "new", "entry_price": "2460.10", "quantity": "10", "entry_time": AT, "fill_id": "new-1",
        "signal_conditions": {"ema_fast": "2451.05"}, "stop_price": "2448", "target_price": "2480", "charges": "1.5",
        "order_id": "order-1",
    },
    "FillBody": {
        "trade_id": "turned", "strategy_id": "ema_cross", "side": "BUY", "price": "2461.20", "quantity": "20",
        "at": LATER, "fill_id": "turned-1", "charges": "1.5", "order_id": "order-2", "flip_to": "turned on",
    },
    "ClosingBody": {
        **OF_HELD, "trade_id": "ended", "exit_price": "2462.10", "exit_time": LATER, "pnl": "20", "pnl_percent": "0.08",
        "exit_reason": "target", "charges": "1.5", "fill_id": "ended-1", "order_id": "order-3",
    },
    "StopBody": {
        **OF_HELD, "trade_id": "stopped", "stop_price": "2452", "extreme_price": "2466.10", "method": "ATR",
        "at": LATER,
    },
    "SignalBody": {
        "strategy_id": "ema_cross", "symbol": "RELIANCE", "at": AT, "conditions": {"spread": "0.4"},
        "decision": "SKIPPED", "reason": "spread too wide",
    },
    "IndicatorsBody": {"symbol": "RELIANCE", "values": {"rsi": "51.5"}, "at": AT, "timeframe": "5m"},
    "SnapshotBody": {
        "strategy_id": "ema_cross", "symbol": "RELIANCE", "current_price": "2461", "quantity": "800", "pnl": "720",
        "pnl_percent": "0.04", "at": AT,
    },
    "FlushBody": {"timeout": 0},
    "ResendBody": {"since": AT},
}  # fmt: skip
# Calls whose answers lead to others, by the operation's name, with what of the answer they are asked.
OF_ANSWER = {"trade_id": "$response.body#/trade_id", "strategy_id": "$response.body#/strategy_id"}
NEXT_PAGE = {"after": "$response.body#/next"}
LINKS = {
    "open_position": {"trade": OF_ANSWER, "whole_trade": OF_ANSWER},
    "add_fill": {"whole_trade": OF_ANSWER},
    "close_position": {"trade": OF_ANSWER},
    "trades": {"trades": NEXT_PAGE},
    "signals": {"signals": NEXT_PAGE},
}
TICK_BODIES = {
    "application/json": [TICK],
    "application/x-ndjson": json.dumps(TICK),
    ARROW: "a table",  # as which `fuzzing` sends one
    "text/csv": "symbol,ltp,timestamp\nRELIANCE,2450.05,2024-03-15T09:00:01Z\n",
}
