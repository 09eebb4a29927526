"""InfluxDB: encoding against the client's `Point`, shipping against raw posting to the same server in the same run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import urllib3
from influxdb_client import Point

from bench.harness import ROUNDS, Pair, Row
from bench.influx_server import a_server, server_name
from bench.store import OPEN, SECOND, SEGMENT_ROWS, SYMBOLS, ZONE, points
from timeseries.measurements import TICKS, PointBatch
from timeseries.recording.recorder import Recorder
from timeseries.shipping.pump import Pump
from timeseries.spool.folder import Spool
from timeseries.stores.influx.lines import encode
from timeseries.stores.influx.server import InfluxServer
from timeseries.stores.influx.store import InfluxStore

POINTS, SHIPPED, BODY = 5_000, 100_000, 20_000


def client_lines(batch: PointBatch) -> list[str]:
    """Return the batch as lines of the client's own `Point`."""
    lines = []
    for row in range(len(batch)):
        point = Point("ticks").time(int(batch.time[row]))
        for tag, value in batch.series_table[int(batch.series[row])].items():
            point.tag(tag, value)
        point.field("exchange_time", int(batch.exchange_time[row])).field(
            "received_time", int(batch.received_time[row])
        )
        for field in TICKS.fields:
            value = batch.columns[field.name][row]
            if value == value:
                point.field(field.name, value)
        lines.append(point.to_line_protocol())
    return lines


@contextmanager
def encoding() -> Iterator[Pair]:
    """Encode a segment's points; the client's point by point."""
    whole, few = points(1, SEGMENT_ROWS, OPEN), points(1, POINTS, OPEN)
    yield Pair(lambda: len(encode(whole)), lambda: len(client_lines(few)))


@contextmanager
def shipping() -> Iterator[Pair]:
    """Ship recorded ticks from their spool until they are settled; the reference posts ready bodies of such points."""
    with a_server() as server, tempfile.TemporaryDirectory() as folder:
        store = InfluxStore(
            InfluxServer(server.url, org=server.org, token=server.token), bucket=server.bucket, zone=ZONE
        )
        asked = urlencode({"org": server.org, "bucket": server.bucket, "precision": "ns"})
        address = f"{server.url}/api/v2/write?{asked}"
        pool, headers = urllib3.PoolManager(), {"Authorization": f"Token {server.token}"}
        # Every round ships points of its own, recorded and encoded before the clock runs.
        spools = [recorded(Path(folder) / str(n), n) for n in range(ROUNDS + 1)]
        bodies = [encoded(ROUNDS + 1 + n) for n in range(ROUNDS + 1)]

        def ours() -> int:
            pump = Pump(spools.pop(), store)
            assert pump.drain(60)
            return int(pump.points()["stored"])

        def reference() -> int:
            for body in bodies.pop():
                assert pool.request("POST", address, body=body, headers=headers).status == 204
            return SHIPPED

        yield Pair(ours, reference)
        store.server.close()


def recorded(folder: Path, number: int) -> Spool:
    """Return a spool that holds the points of one round."""
    spool, rows = Spool(folder), points(1, SHIPPED, OPEN + number * 10_000 * SECOND)
    recorder = Recorder(spool.root, source="bench", account="main", zone=ZONE)
    columns = {
        "symbol": [SYMBOLS[n] for n in rows.series.tolist()], "timestamp": rows.time, "ltp": rows.columns["close"],
        "bid": rows.columns["bid"], "ask": rows.columns["ask"], "day_volume": rows.columns["day_volume"],
    }  # fmt: skip
    assert recorder.ticks(columns).accepted == SHIPPED
    recorder.close()
    return spool


def encoded(number: int) -> list[bytes]:
    lines = encode(points(1, SHIPPED, OPEN + number * 10_000 * SECOND))
    return [lines.body(first, min(first + BODY, SHIPPED)) for first in range(0, SHIPPED, BODY)]


ROWS = [
    Row(
        "influx_encoding",
        "points of a segment to line protocol against the client's Point.to_line_protocol",
        encoding,
        mark=10,
        stretch=14,
        unit="points per second",
    ),
]
# Without a server there is nothing to ship to.
if server_name():
    ROWS.append(
        Row(
            "influx_shipping",
            "recorded points until they are settled against raw posting of ready lines to the same server",
            shipping,
            mark=0.7,
            stretch=0.95,
            unit=f"points per second, {server_name()}",
            settings={"points a round": f"{SHIPPED:,} of 50 symbols", "lines a body": f"{BODY:,}"},
        )
    )
