"""process_tick while Redis, broker and InfluxDB hang and the ledger is locked, all at once, and when all is well."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Figures, Row

ROOT = Path(__file__).resolve().parent.parent
CALLS = 50_000
FIGURE = "p99, faulty over healthy"

# A strategy's process: for each line it is sent it records so many ticks and answers with their p99 in nanoseconds.
STRATEGY = """
import sys, time
from velox_site.desk import DataManager
dm, clock = DataManager(), time.perf_counter_ns
dm.process_tick("RELIANCE", {"ltp": 1.0})
for line in sys.stdin:
    taken = []
    for number in range(int(line)):
        tick = {"ltp": 1900.05 + number % 400 / 20, "bid": 1900.0, "ask": 1900.1}
        started = clock()
        dm.process_tick("RELIANCE", tick)
        taken.append(clock() - started)
    print(sorted(taken)[int(0.99 * len(taken))], flush=True)
"""

TAKES_ALL = """
import http.server
class TakesAll(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *said): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TakesAll)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def prepare() -> Iterator[Figures]:
    with (
        tempfile.TemporaryDirectory(prefix="velox-bench-", ignore_cleanup_errors=True) as folder,
        redis() as (url, pid),
        influx() as (influx_url, influx_pid),
    ):
        environment = {
            **os.environ,
            "VELOX_DATA_DIR": folder,
            "CACHE_URL": url,
            "CELERY_BROKER_URL": url.replace("/0", "/1"),
            "INFLUXDB_V2_URL": influx_url,
            **dict.fromkeys(("INFLUXDB_V2_ORG", "INFLUXDB_V2_BUCKET", "INFLUXDB_V2_TOKEN"), "bench"),
            "PYTHONPATH": str(ROOT),
        }
        subprocess.run([sys.executable, str(ROOT / "manage.py"), "migrate", "-v", "0"], env=environment, check=True)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([sys.executable, "-c", STRATEGY], env=environment, text=True, **pipes) as strategy:

            def p99() -> float:
                assert strategy.stdin is not None
                assert strategy.stdout is not None
                strategy.stdin.write(f"{CALLS}\n")
                strategy.stdin.flush()
                return float(strategy.stdout.readline())

            def measure() -> dict[str, float]:
                healthy = p99()
                with hung(pid), hung(influx_pid), locked(Path(folder, "ledger.sqlite3")):
                    return {FIGURE: p99() / healthy}

            p99()
            yield Figures(measure, {FIGURE: 2.0}, "times")
            strategy.kill()


@contextmanager
def redis() -> Iterator[tuple[str, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            yield f"redis://127.0.0.1:{port}/0", server.pid
        finally:
            server.kill()


@contextmanager
def influx() -> Iterator[tuple[str, int]]:
    """A server that takes every write."""
    with subprocess.Popen([sys.executable, "-c", TAKES_ALL], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}", server.pid
        finally:
            server.kill()


@contextmanager
def hung(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def locked(ledger: Path) -> Iterator[None]:
    connection = sqlite3.connect(ledger, isolation_level=None, timeout=10)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


ROWS = [
    Row(
        "tick-faults",
        "process_tick's p99 with Redis, broker and InfluxDB hung and the ledger locked, over the healthy one",
        prepare,
    )
]
