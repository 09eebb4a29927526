"""A small book for schemathesis: trades to ask about, to fill, to turn, to close and to stop.

`python -m tests.trading.fuzzed_book` fills the data folder and prints what only the filled desk knows: a token of each
scope, a place in each list of pages, a plan of charges.
"""

from __future__ import annotations

import json
from datetime import datetime

from tests import page_desk
from tests.trading.fuzz_examples import HELD, SCOPES
from velox_site.desk import DataManager  # it sets Django up for what follows

from trading.api.cursors import text_of  # isort: skip
from trading.api.examples import OPENED  # isort: skip
from trading.operations.open_position import open_position  # isort: skip
from trading.queries.charge_estimates import shipped_schedule  # isort: skip
from trading.queries.signals import signals_page  # isort: skip
from trading.queries.trades import trades_page  # isort: skip


def fill() -> dict[str, object]:
    """Fill the folder; return what schemathesis asks with."""
    page_desk.trades(3)
    page_desk.open_trade()
    page_desk.skipped(2)
    page_desk.ticks(minutes=5)
    at = datetime.fromisoformat(OPENED)
    for trade_id, side in (("turned", "SHORT"), ("ended", "LONG"), ("stopped", "LONG")):
        names = {**HELD, "trade_id": trade_id}
        open_position("main", **names, entry_price="2460.10", quantity=10, entry_time=at, side=side)
    ledger = DataManager(source="fuzz").ledger
    places = {"/trades": ledger.read(trades_page, limit=1)[1], "/signals": ledger.read(signals_page, limit=1)[1]}
    return {
        "secrets": [page_desk.token(scope, scope) for scope in SCOPES],
        "plan": shipped_schedule().plans()[0],
        "places": {path: text_of(place, "main") for path, place in places.items()},
    }


if __name__ == "__main__":
    print(json.dumps(fill()))
