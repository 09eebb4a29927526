"""The recorder beside which the companion is measured: `python -m bench.companion_feed RATE SECONDS [columns]`.

It records RATE ticks a second of 200 symbols, one call each, or ``columns``: 20,000 in a call. Its line is how many
were accepted in how many seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from velox_site.desk import DataManager

SYMBOLS, AT_ONCE = 200, 20_000
PAUSE_SECONDS = 0.005
NAMES = [f"FEED{number:03d}" for number in range(SYMBOLS)]


def main(rate: float, seconds: float, *, columns: bool) -> dict[str, float]:
    accepted = offered = 0
    with DataManager(source="feed") as dm:
        began = now = time.monotonic()
        while (now := time.monotonic()) - began < seconds:
            due = int((now - began) * rate)
            if columns and due - offered >= AT_ONCE:
                accepted += dm.process_ticks(block(offered)).accepted
                offered += AT_ONCE
            elif not columns:
                accepted += sum(
                    dm.process_tick(NAMES[number % SYMBOLS], tick(number)) for number in range(offered, due)
                )
                offered = due
            time.sleep(PAUSE_SECONDS)
        return {"accepted": accepted, "offered": offered, "seconds": time.monotonic() - began}


def tick(number: int) -> dict[str, float]:
    price = 100 + number // SYMBOLS % 100 / 20
    return {"ltp": price, "volume": 10.0, "bid": price - 0.05, "ask": price + 0.05, "oi": 5.0}


def block(first: int) -> dict[str, Any]:
    numbers = np.arange(first, first + AT_ONCE)
    price = 100 + numbers // SYMBOLS % 100 / 20
    symbols = np.array(NAMES, dtype=object)[numbers % SYMBOLS]
    timestamp = time.time_ns() + np.arange(AT_ONCE) * 1000
    return {"symbol": symbols, "timestamp": timestamp, "ltp": price, "bid": price - 0.05, "ask": price + 0.05}


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]), float(sys.argv[2]), columns="columns" in sys.argv)))
