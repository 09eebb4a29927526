"""A desk with a broker, a worker and a server of InfluxDB: what the server has, counted there, and how soon."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from influxdb_client import Point
from influxdb_client.client.write_api import SYNCHRONOUS

from bench.faults import redis
from bench.harness import Figures, Pair, Row
from bench.influx_server import Server, a_server, server_name
from bench.reference import FIELDS
from timeseries import presence
from timeseries.stores.influx.server import InfluxServer

ROOT = Path(__file__).resolve().parent.parent
TICKS, SLICE, REFERENCE_POINTS, REFERENCE_BATCH = 400_000, 20_000, 60_000, 5_000
LATENCY_CALLS, PROBES = 50_000, 5
# A strategy's process: for each line, a symbol and a number, it records so many ticks of five fields and answers with
# what was accepted, the shares of its calls' times in µs, and when the last call returned.
STRATEGY = """
import json, sys, time
from velox_site.desk import DataManager
dm, clock = DataManager(), time.perf_counter_ns
for line in sys.stdin:
    symbol, number = line.split()
    taken, accepted = [], 0
    for n in range(int(number)):
        tick = {"ltp": 1900.05 + n % 400 / 20, "volume": 1.0 + n, "bid": 1900.0, "ask": 1900.1, "oi": 5.0}
        started = clock()
        accepted += dm.process_tick(symbol, tick)
        taken.append(clock() - started)
    returned_at = time.monotonic()
    taken.sort()
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    percentiles = {name: taken[int(share * len(taken))] / 1000 for name, share in shares.items()}
    print(json.dumps({"accepted": accepted, "returned_at": returned_at, **percentiles}), flush=True)
"""


@dataclass(frozen=True)
class Desk:
    server: Server
    strategy: subprocess.Popen[str]

    def record(self, symbol: str, number: int) -> dict[str, Any]:
        """Have the strategy record so many ticks and return its answer."""
        assert self.strategy.stdin is not None
        assert self.strategy.stdout is not None
        self.strategy.stdin.write(f"{symbol} {number}\n")
        self.strategy.stdin.flush()
        answer: dict[str, Any] = json.loads(self.strategy.stdout.readline())
        assert answer["accepted"] == number
        return answer

    def wait_for(self, symbol: str, number: int) -> None:
        """Return when the server has so many ticks of the symbol, no more and no less."""
        deadline = time.monotonic() + 120
        while (count := self.server.count(symbol)) != number:
            assert count < number, f"{count} of {number}"
            assert time.monotonic() < deadline, f"{count} of {number} after two minutes"
            time.sleep(0.02)


@contextmanager
def a_desk() -> Iterator[Desk]:
    """Give a strategy's process with its companion, a broker, a worker and the server."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="velox-bench-", ignore_cleanup_errors=True))
        server, (broker, _) = stack.enter_context(a_server()), stack.enter_context(redis())
        environment = {
            **os.environ,
            **server.environment,
            "VELOX_DATA_DIR": folder,
            "CELERY_BROKER_URL": broker,
            "DJANGO_SETTINGS_MODULE": "velox_site.settings",
            "PYTHONPATH": str(ROOT),
        }
        subprocess.run([sys.executable, str(ROOT / "manage.py"), "migrate", "-v", "0"], env=environment, check=True)
        stack.enter_context(worker(Path(folder), environment))
        strategy = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", STRATEGY],
                env=environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        stack.callback(end_companion, Path(folder))
        stack.callback(strategy.kill)
        yield Desk(server, strategy)


@contextmanager
def worker(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "velox_site", "worker", "--concurrency", "2"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True, **quiet)
    try:
        while not presence.is_there(folder, "worker"):
            assert process.poll() is None
            time.sleep(0.05)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end_companion(folder: Path) -> None:
    with suppress(OSError, ValueError):
        os.kill(int((folder / "companion.lock").read_text()), signal.SIGKILL)


@contextmanager
def end_to_end() -> Iterator[Pair]:
    """Call process_tick and wait until the server has every tick; the reference writes Points with the client."""
    names = (f"S{number}" for number in count())
    with a_desk() as desk:
        client = InfluxServer(desk.server.url, org=desk.server.org, token=desk.server.token)
        write = client.client.write_api(write_options=SYNCHRONOUS).write

        def ours() -> int:
            symbol = next(names)
            desk.record(symbol, TICKS)
            desk.wait_for(symbol, TICKS)
            return TICKS

        def reference() -> int:
            symbol, started = next(names), time.time_ns()
            for first in range(0, REFERENCE_POINTS, REFERENCE_BATCH):
                points = [plain_point(symbol, started + n) for n in range(first, first + REFERENCE_BATCH)]
                write(desk.server.bucket, desk.server.org, points)
            desk.wait_for(symbol, REFERENCE_POINTS)
            return REFERENCE_POINTS

        yield Pair(ours, reference)
        client.close()


def plain_point(symbol: str, instant: int) -> Point:
    point = Point("ticks").tag("symbol", symbol).tag("source", "plain").time(instant)
    for name in FIELDS:
        point.field(name, 1900.05)
    return point


@contextmanager
def latency() -> Iterator[Figures]:
    """The clock is around process_tick, in the middle of a backlog's shipping; it is asserted that it went on after."""
    names = (f"S{number}" for number in count())
    with a_desk() as desk:

        def measure() -> dict[str, float]:
            backlog = next(names)
            desk.record(backlog, TICKS)
            while desk.server.count(backlog) < SLICE:  # the first ring finds but a few
                time.sleep(0.01)
            answer = desk.record(f"{backlog}-beside", LATENCY_CALLS)
            assert desk.server.count(backlog) < TICKS, "the shipping was over before"
            desk.wait_for(backlog, TICKS)
            return answer

        yield Figures(measure, {"p50": 2.5, "p99": 6.0, "p99.9": 50.0}, f"µs, {server_name()}")


@contextmanager
def until_readable() -> Iterator[Figures]:
    """From the return of process_tick to the moment at which a question to the server is answered with the tick."""
    numbers = count(1)
    with a_desk() as desk:

        def measure() -> dict[str, float]:
            taken = []
            for _ in range(PROBES):
                returned_at = desk.record("S", 1)["returned_at"]
                desk.wait_for("S", next(numbers))
                taken.append(time.monotonic() - returned_at)
                time.sleep(random.random())
            return {"slowest of 5": max(taken)}

        yield Figures(measure, {"slowest of 5": 2.0}, f"seconds, {server_name()}")


SETTINGS = {"server": server_name(), "broker": "Redis", "worker": "celery worker --concurrency 2", "companion": "yes"}
# Without a server there is nothing to ship to.
ROWS = (
    [
        Row(
            "influx_end_to_end",
            "process_tick, companion, broker, worker, server, rows counted back: against Points written by the client",
            end_to_end,
            mark=1,
            stretch=2,
            rounds=5,
            unit=f"ticks per second, {server_name()}",
            settings=SETTINGS,
        ),
        Row(
            "influx_tick_latency", "process_tick while a worker ships to InfluxDB", latency, rounds=5, settings=SETTINGS
        ),
        Row("influx_readable", "from an accepted tick to its row in InfluxDB", until_readable, settings=SETTINGS),
    ]
    if server_name()
    else []
)
