"""The server of InfluxDB that rows are measured on: the one that is named, else Debian's 1.6.7 behind an adapter."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.influxd_server import influxd_server
from timeseries.stores.influx.server import InfluxServer

URL, PACKAGE = "VELOX_TEST_INFLUX_URL", "influxd"
COUNT = """
from(bucket: bucket) |> range(start: 0) |> filter(fn: (r) => r._measurement == "ticks" and r.symbol == symbol)
|> filter(fn: (r) => r._field == "close") |> count() |> group() |> sum() |> keep(columns: ["_value"])
"""


@dataclass(frozen=True)
class Server:
    """``count`` tells how many ticks of a symbol can be read there."""

    url: str
    org: str
    bucket: str
    token: str
    count: Callable[[str], int]

    @property
    def environment(self) -> dict[str, str]:
        given = {"URL": self.url, "ORG": self.org, "BUCKET": self.bucket, "TOKEN": self.token}
        return {f"INFLUXDB_V2_{name}": value for name, value in given.items()}


def server_name() -> str:
    """Return which server the rows are measured on; "" where there is none."""
    if os.environ.get(URL):
        return "InfluxDB 2"
    return "InfluxDB 1.6.7 behind an adapter" if shutil.which(PACKAGE) else ""


@contextmanager
def a_server() -> Iterator[Server]:
    """Give a new bucket on the server that VELOX_TEST_INFLUX_URL names, else a 1.6.7 of its own."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-") as folder:
        if not os.environ.get(URL):
            with influxd_server(Path(folder)) as engine:
                yield Server(*engine.environment.values(), lambda symbol: engine.count("ticks", symbol=symbol))
            return
        org, token = os.environ["VELOX_TEST_INFLUX_ORG"], os.environ["VELOX_TEST_INFLUX_TOKEN"]
        server = InfluxServer(os.environ[URL], org=org, token=token)
        buckets = server.client.buckets_api()
        bucket = buckets.create_bucket(bucket_name=f"velox-bench-{uuid.uuid4().hex[:8]}", org=org)

        def counted(symbol: str) -> int:
            lines = server.ask(COUNT, {"bucket": bucket.name, "symbol": symbol}).split()
            return int(lines[-1].rsplit(b",", 1)[1]) if lines else 0

        try:
            yield Server(server.url, org, bucket.name, token, counted)
        finally:
            buckets.delete_bucket(bucket)
