"""A strategy that records as fast as it can: `python -m tests.timeseries.outage_recorder TICKS`.

It tells its memory ten times on the way, then lives on until its input ends: a desk in the evening of an outage.
"""

from __future__ import annotations

import json
import os
import sys
import time

from tests.timeseries.outage import FIRST_NS, STEP_NS, SYMBOLS, memory
from velox_site.desk import DataManager


def main(ticks: int) -> None:
    with DataManager() as dm:
        record, tick, started, refused = dm.process_tick, {"ltp": 0.0, "timestamp": 0}, time.perf_counter(), 0
        for number in range(ticks):
            tick["ltp"], tick["timestamp"] = number + 1.0, FIRST_NS + number * STEP_NS
            refused += not record(SYMBOLS[number % len(SYMBOLS)], tick)
            if (number + 1) % (ticks // 10) == 0:
                seconds = time.perf_counter() - started
                tell = {"recorded": number + 1 - refused, "refused": refused, "seconds": seconds, **memory(os.getpid())}
                print(json.dumps(tell), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
