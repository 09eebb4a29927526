"""Recording ticks: one call, its latency beside a running pump, and fifty thousand rows at once."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bench import reference
from bench.harness import Figures, Pair, Row
from timeseries.recording.recorder import Recorder

ZONE = ZoneInfo("Asia/Kolkata")
OPEN = datetime(2021, 4, 12, 9, 15)
CALLS, REFERENCE_CALLS, ROWS_AT_ONCE = 20_000, 1_500, 50_000
LATENCY_CALLS = 50_000

# What the companion does beside a recorder: ship, sync.
PUMP = """
import sys, time
from pathlib import Path
from zoneinfo import ZoneInfo
from timeseries.shipping.pump import Pump
from timeseries.spool.folder import Spool
from timeseries.stores.delta.store import DeltaStore
folder = Path(sys.argv[1])
spool = Spool(folder / "spool")
pump = Pump(spool, DeltaStore(folder / "delta", zone=ZoneInfo("Asia/Kolkata")))
print("pumping", flush=True)
while True:
    for lane in spool.lanes():
        lane.sync()
    pump.run_once()
    time.sleep(0.2)
"""


def feed(size: int) -> list[dict[str, Any]]:
    """Return ticks of five fields. Every round records them under another symbol, so that none repeats an instant."""
    return [
        {
            "ltp": 1900.05 + number % 400 / 20,
            "volume": 1_000_000.0 + number,
            "bid": 1900.0,
            "ask": 1900.1,
            "oi": 5.0,
            "timestamp": OPEN + timedelta(milliseconds=100 * number),
        }
        for number in range(size)
    ]


def symbols() -> Iterator[str]:
    return (f"SYMBOL {number}" for number in count())


@contextmanager
def recording() -> Iterator[tuple[Path, Recorder]]:
    with tempfile.TemporaryDirectory(prefix="velox-bench-") as folder:
        recorder = Recorder(Path(folder) / "spool", source="bench", account="main", zone=ZONE)
        try:
            yield Path(folder), recorder
        finally:
            recorder.close()


def recorded(recorder: Recorder, before: int) -> int:
    """Return how many ticks stand in the file that did not before."""
    return recorder.issued()["ticks"] - before


@contextmanager
def one_call() -> Iterator[Pair]:
    ticks, names = feed(CALLS), symbols()
    with recording() as (_, recorder), reference.redis_cache() as cache:

        def ours() -> int:
            before, record, symbol = recorder.issued().get("ticks", 0), recorder.tick, next(names)
            for tick in ticks:
                record(symbol, tick)
            return recorder.issued()["ticks"] - before

        yield Pair(ours, lambda: reference.process_tick(cache, "RELIANCE", ticks[:REFERENCE_CALLS]))


@contextmanager
def latency() -> Iterator[Figures]:
    ticks, names = feed(LATENCY_CALLS), symbols()
    with recording() as (folder, recorder), pumping(folder):

        def measure() -> dict[str, float]:
            record, clock, symbol = recorder.tick, time.perf_counter_ns, next(names)
            taken = []
            for tick in ticks:
                started = clock()
                record(symbol, tick)
                taken.append(clock() - started)
            taken.sort()
            shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
            return {name: taken[int(share * len(taken))] / 1000 for name, share in shares.items()}

        yield Figures(measure, {"p50": 2.5, "p99": 6.0, "p99.9": 50.0}, "µs")


@contextmanager
def pumping(folder: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", PUMP, str(folder)], stdout=subprocess.PIPE, text=True) as pump:
        assert pump.stdout is not None
        assert pump.stdout.readline() == "pumping\n"
        try:
            yield
        finally:
            pump.kill()


@contextmanager
def many_at_once(*, columns: bool) -> Iterator[Pair]:
    ticks, names = feed(ROWS_AT_ONCE), symbols()
    given: Any = {name: [tick[name] for tick in ticks] for name in ticks[0]} if columns else ticks
    with recording() as (_, recorder):

        def ours() -> int:
            return recorder.ticks(given, symbol=next(names)).accepted

        yield Pair(ours, lambda: reference.process_ticks("RELIANCE", ticks[:5_000]))


ROWS = [
    Row(
        "tick",
        "process_tick, one call, survives SIGKILL: against Point, five fields, to_line_protocol and cache.set",
        one_call,
        mark=60,
        stretch=100,
        unit="ticks per second",
    ),
    Row("tick-latency", "process_tick while the pump runs", latency),
    Row(
        "ticks",
        "process_ticks, 50,000 rows in columns: against a Point loop",
        lambda: many_at_once(columns=True),
        mark=10,
        stretch=20,
        unit="rows per second",
    ),
    Row(
        "ticks-rows",
        "process_ticks, 50,000 rows as dicts: against a Point loop",
        lambda: many_at_once(columns=False),
        mark=5,
        stretch=10,
        unit="rows per second",
    ),
]
