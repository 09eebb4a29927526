"""Answers of a real InfluxDB 2.7, kept with its version and date: `make record-influx` writes them anew.

The questions are asked by the same code when recording and when playing back, so a changed question has no answer and
fails until the answers are recorded again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3

from tests.timeseries.batches import SECOND, at, batch, indicators, prices
from tests.timeseries.influx_real import URL, influx_store
from timeseries.measurements import EXECUTIONS, INDICATORS, TICKS
from timeseries.stores.base import PointQuery
from timeseries.stores.influx.store import InfluxStore

FILE = Path(__file__).with_name("influx_answers.json")
OPEN = at("2021-04-12 09:15")
EVER = (-(2**63) + 1, 2**63 - 1)
BATCHES = [
    batch(prices("M&M", [OPEN, OPEN + 1], [1958.05, 1e-7], day_volume=[10, 11]) + prices("A=b,c d", [OPEN], [3])),
    batch([({"symbol": "M&M"}, OPEN + SECOND, {"kind": "bar", "open": 1.0, "close": 2.0})], first=4),
    batch(prices("M&M", [OPEN], [7.0]), first=5),
    batch(prices("M&M", [at("2021-04-13 00:00")], [8.0]), source="second"),
    indicators("M&M", [OPEN, OPEN + 1, OPEN + 2], [{"ema": 0.1 + 0.2, "time": -0.0}, {}, {"रेट": 5e-324}]),
    batch(
        [
            (
                {"symbol": "M&M", "strategy": ""},
                OPEN,
                {"trade_id": 'T"1\n\\', "side": "BUY", "price": 1.0, "trade_pk": 2**62},
            )
        ],
        measurement=EXECUTIONS,
    ),
]
QUERIES = {
    "ticks": PointQuery(TICKS, *EVER),
    "one source": PointQuery(TICKS, OPEN, OPEN + SECOND, {"account": "main", "source": "default", "symbol": "M&M"}),
    "some fields": PointQuery(TICKS, *EVER, {"symbol": "M&M"}, ("kind", "close")),
    "nothing": PointQuery(TICKS, *EVER, {"symbol": "absent"}),
    "indicators": PointQuery(INDICATORS, *EVER, {"timeframe": ""}),
    "executions": PointQuery(EXECUTIONS, *EVER),
}
BODIES = {
    "stored": b"m,a=b f=1 1\n",
    "no line": b"m,a=b f=2 2\nthis is no line\n",
    "another type": b'm,a=b f="text" 3\nm,a=b f=4 4\n',
}


def readings(store: InfluxStore) -> dict[str, Any]:
    """Return everything that the readings of the scenario answer, as plain values."""
    found: dict[str, Any] = {name: store.read(query).to_pylist() for name, query in QUERIES.items()}
    found["newest"] = store.newest(QUERIES["ticks"]).to_pylist()
    firsts: dict[str, int] = {}
    for first in store.first_points(QUERIES["ticks"]):  # a store may tell a day's first in pieces
        name = f"{first.day} {first.source}"
        firsts[name] = min(first.time, firsts.get(name, first.time))
    found["first points"] = sorted(firsts.items())
    return found


def key(text: str, parameters: Mapping[str, Any]) -> str:
    return json.dumps([text, {**parameters, "bucket": "velox"}], sort_keys=True, ensure_ascii=False)


class Played:
    """In the place of a server: answers from the file."""

    url, org = "http://recorded", "velox"

    def __init__(self) -> None:
        self.recorded = json.loads(FILE.read_text(encoding="utf-8"))

    def ask(self, text: str, parameters: Mapping[str, Any]) -> bytes:
        return self.recorded["answers"][key(text, parameters)].encode()


def record() -> dict[str, Any]:
    """Play the scenario on the real server and return its answers."""
    with influx_store() as store:
        for points in BATCHES:
            assert store.write(points) == []
        answers: dict[str, str] = {}
        store.server.ask = _remembering(store.server.ask, answers)  # type: ignore[method-assign]
        readings(store)
        version = store.server.client.ping() and store.server.client.version()
        return {
            "version": version,
            "recorded_at": f"{datetime.now(UTC):%Y-%m-%d}",
            "answers": answers,
            "replies": replies(store),
        }


def _remembering(ask: Callable[..., bytes], answers: dict[str, str]) -> Callable[..., bytes]:
    def remembering(text: str, parameters: Mapping[str, Any]) -> bytes:
        answer = ask(text, parameters)
        answers[key(text, parameters)] = answer.decode()
        return answer

    return remembering


def replies(store: InfluxStore) -> dict[str, Any]:
    token = os.environ["VELOX_TEST_INFLUX_TOKEN"]
    asked = [(name, store.bucket, token, body) for name, body in BODIES.items()]
    asked += [("no bucket", "absent", token, b"m f=1 1\n"), ("no token", store.bucket, "wrong", b"m f=1 1\n")]
    pool, found = urllib3.PoolManager(), {}
    for name, bucket, secret, body in asked:
        answer = pool.request(
            "POST", f"{store.server.url}/api/v2/write?org={store.server.org}&bucket={bucket}&precision=ns",
            body=body, headers={"Authorization": f"Token {secret}"},
        )  # fmt: skip
        found[name] = {"status": answer.status, "body": answer.data.decode()}
    return found


if __name__ == "__main__":
    if not os.environ.get(URL):
        sys.exit(f"{URL}, _ORG and _TOKEN must name an InfluxDB 2.7.")
    FILE.write_text(json.dumps(record(), indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    print(f"recorded in {FILE}")
