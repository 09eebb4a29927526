"""Writes the golden segments of the present format: `python -m tests.timeseries.golden.make`.

They are committed once for each released format and never written again: later code has to read them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.timeseries.spools import OPEN_NS, recorder
from timeseries.measurements import EXECUTIONS
from timeseries.spool.frames import FORMAT_VERSION

GOLDEN = Path(__file__).parent / f"format-{FORMAT_VERSION}"
EVERYTHING = {"bid": 10.5, "ask": 11.5, "last_quantity": 3, "volume": 7, "day_volume": 70, "oi": 0}


def fill(root: Path) -> None:
    """Record one of everything that the format can hold."""
    desk = recorder(root, source="golden, & co")
    desk.tick("RELIANCE", {"ltp": 2450.05, "day_volume": 100}, OPEN_NS)
    desk.tick("RELIANCE", {"ltp": 2450.1, "day_volume": 100}, OPEN_NS)
    desk.tick("M&M", {"open": 10, "high": 12.5, "low": 9.5, "close": 11, "volume": 4}, OPEN_NS + 60 * 10**9)
    desk.tick('टाटा = 1, "2"', {"price": 11, **EVERYTHING}, OPEN_NS - 10**9)
    desk.tick("NIFTY 50", {"close": 1e-5}, 1_700_000_000 * 10**9 + 123_456_789)
    desk.indicators("RELIANCE", {"EMA 20": 2449.123456789, "rsi": 0, "neg": -1e-300}, at=OPEN_NS, timeframe="5m")
    desk.indicators("RELIANCE", {"ema": 1}, at=OPEN_NS)
    desk.snapshot("ORB & co", "M&M", 11, 5, None, -0.5, at=OPEN_NS)
    desk.snapshot("ORB & co", "M&M", 11, 5, 2.5, None, at=OPEN_NS)
    desk.close()
    ledger = recorder(root, source="ledger", projecting=True)
    tags = {"symbol": "M&M", "strategy": "ORB & co"}
    ledger.project(
        EXECUTIONS, tags, {"trade_id": "T-1", "price": 11.0, "trade_pk": 2**60, "pnl": None}, time_ns=OPEN_NS
    )
    ledger.project(EXECUTIONS, {**tags, "account": "paper"}, {"side": "BUY", "trade_pk": 7}, time_ns=OPEN_NS)
    ledger.close()


def main() -> int:
    if GOLDEN.exists():
        print(f"{GOLDEN} stands: a released format is never written again.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        shutil.copytree(Path(folder) / "spool", GOLDEN, ignore=shutil.ignore_patterns("lock", "leases"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
