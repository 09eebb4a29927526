"""What schemathesis is told of the filled desk: what its examples are about there, and what leads to what.

The desk is `fuzzed_book`'s, the examples are those of the schema. The names are the schema's: parameters, operations.
"""

from __future__ import annotations

from trading.api.examples import TICKS

SCOPES = ("read", "record", "operate")
ARROW = "application/vnd.apache.arrow.stream"
HELD = {"trade_id": "held", "strategy_id": "ema_cross", "symbol": "RELIANCE"}
QUERIES = {"trade_id": "held", "source": "page-desk", "condition": "ema_fast"}
# Calls come in any order, so each has a trade of its own; what a field may hold beside the example is held as well.
BODIES = {
    "open_position": {"trade_id": "new", "fill_id": "new-1"},
    "add_fill": {
        "trade_id": "turned", "side": "BUY", "quantity": "20", "fill_id": "turned-1", "flip_to": "turned on",
    },
    "close_position": {"trade_id": "ended", "fill_id": "ended-1", "pnl": "20", "pnl_percent": "0.08"},
    "update_trailing_sl": {"trade_id": "stopped"},
    "flush": {"timeout": 0},
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
TICK_BODIES = {**TICKS, ARROW: "a table"}  # as which `fuzzing` sends one
