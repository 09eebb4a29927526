"""The strategy that 200 people watch, in a process of its own: `python -m bench.viewers_strategy SECONDS`.

A line of JSON for each stop it moves, with its text and when; the last line is p99 of `process_tick` in µs.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime

from velox_site.desk import DataManager

TICKS_PER_SECOND, SYMBOLS = 1_000, 50
PAUSE_SECONDS = 0.005


def main(seconds: float) -> None:
    names = [f"SEEN{number:02d}" for number in range(SYMBOLS)]
    taken: list[int] = []
    with DataManager(source="viewers") as dm:
        trade_id = f"V{time.time_ns()}"
        dm.open_position(trade_id, "viewers", names[0], 100, 10, datetime.now().astimezone(), stop_price="50.00")
        began, stops = time.monotonic(), 0
        while (now := time.monotonic()) - began < seconds:
            for number in range(len(taken), int((now - began) * TICKS_PER_SECOND)):
                tick = {"ltp": 100.0, "volume": 10.0, "bid": 99.95, "ask": 100.05}
                started = time.perf_counter_ns()
                dm.process_tick(names[number % SYMBOLS], tick)
                taken.append(time.perf_counter_ns() - started)
            if stops + 1 < now - began:
                stops += 1
                stop = f"{50 + stops * 0.05:.2f}"
                # Told before the call: an event may be there before it returns.
                print(json.dumps({"stop": stop, "at": time.time()}), flush=True)
                dm.update_trailing_sl(trade_id, "viewers", names[0], float(stop), 101, "viewers")
            time.sleep(PAUSE_SECONDS)
        dm.close_position(trade_id, "viewers", names[0], 100, datetime.now().astimezone())
    print(json.dumps({"p99": sorted(taken)[int(0.99 * len(taken))] / 1000}), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
