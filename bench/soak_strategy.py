"""The strategy of the soak, in a process of its own: `python -m bench.soak_strategy SECONDS`.

Its first line is OPEN, once all of its positions are; its second and last are its figures in JSON.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime

from velox_site.desk import DataManager

TICKS_PER_SECOND, SYMBOLS, POSITIONS = 5_000, 200, 30
PAUSE_SECONDS = 0.005


def main(seconds: float) -> dict[str, float]:
    """Record ticks at a steady rate with thirty positions open, one of whose stops is moved each second."""
    names = [f"SOAK{number:03d}" for number in range(SYMBOLS)]
    refused = offered = writes = writes_refused = 0
    with DataManager(source="soak") as dm:
        for number in range(POSITIONS):
            dm.open_position(f"T{number}", "soak", names[number], 100, 10, datetime.now().astimezone(), stop_price=90)
        print("OPEN", flush=True)
        began = now = time.monotonic()
        while (now := time.monotonic()) - began < seconds:
            for number in range(offered, int((now - began) * TICKS_PER_SECOND)):
                price = 100 + number // SYMBOLS % 100 / 20
                tick = {"ltp": price, "volume": 10.0, "bid": price - 0.05, "ask": price + 0.05, "oi": 5.0}
                refused += not dm.process_tick(names[number % SYMBOLS], tick)
                offered += 1
            if writes < now - began:
                number = writes % POSITIONS
                stop = 90 + writes // POSITIONS % 100 / 20
                writes_refused += not dm.update_trailing_sl(f"T{number}", "soak", names[number], stop, 105, "soak")
                writes += 1
            time.sleep(PAUSE_SECONDS)
        spent = time.monotonic() - began
    return {
        "ticks per second": offered / spent,
        "ticks refused": refused,
        "ledger writes": writes,
        "ledger writes refused": writes_refused,
    }


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]))))
