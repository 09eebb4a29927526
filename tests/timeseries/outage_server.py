"""The real InfluxDB 2 that VELOX_TEST_INFLUX_URL names, behind a door of the test's own that can be shut."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.csv

from tests.rabbit_server import free_ports
from tests.timeseries.influx_real import influx_store
from timeseries.stores.influx.store import InfluxStore, minutes_bucket

ROOT = Path(__file__).resolve().parents[2]
TOTAL = """
from(bucket: bucket) |> range(start: 0) |> filter(fn: (r) => r._measurement == "ticks" and r._field == key)
|> {what}() |> keep(columns: ["symbol", "_value"]) |> group()
"""


@dataclass
class Behind:
    """Stands for `InfluxdServer`: here it is the door that is killed and started."""

    store: InfluxStore
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        server = self.store.server
        given = {"URL": f"http://127.0.0.1:{self.port}", "ORG": server.org, "TOKEN": server._token}
        return {f"INFLUXDB_V2_{name}": value for name, value in {**given, "BUCKET": self.store.bucket}.items()}

    def start(self) -> None:
        there = urlsplit(self.store.server.url).port
        command = [sys.executable, "-m", "tests.door", str(self.port), str(there)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def kill(self) -> None:
        if self.process is not None:
            with self.process:
                self.process.kill()
            self.process = None

    def totals(self) -> dict[str, tuple[float, ...]]:
        """Return of each symbol's ticks: how many, the sum of their prices, the last instant."""
        asked = (("count", "close"), ("sum", "close"), ("max", "exchange_time"))
        parts = [self._total(TOTAL.format(what=what), key) for what, key in asked]
        return {symbol: tuple(part[symbol] for part in parts) for symbol in parts[0]}

    def _total(self, text: str, key: str) -> dict[str, float]:
        data = self.store.server.ask(text, {"bucket": self.store.bucket, "key": key})
        return {row["symbol"]: float(row["_value"]) for row in pyarrow.csv.read_csv(pa.BufferReader(data)).to_pylist()}


@contextmanager
def behind_a_door() -> Iterator[Behind]:
    """Give a bucket of the real server and one for its candles, both dropped after."""
    with influx_store() as store:
        buckets = store.server.client.buckets_api()
        beside = buckets.create_bucket(bucket_name=minutes_bucket(store.bucket), org=store.server.org)
        behind = Behind(store, *free_ports(1))
        try:
            behind.start()
            yield behind
        finally:
            behind.kill()
            buckets.delete_bucket(beside)
