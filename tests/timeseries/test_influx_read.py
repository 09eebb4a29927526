"""Questions to InfluxDB of which no answer was recorded: what they name, and what is made of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.timeseries.batches import INDIA, SECOND, at, batch, prices
from timeseries.measurements import TICKS
from timeseries.stores.base import PointQuery
from timeseries.stores.delta.store import DeltaStore
from timeseries.stores.influx.store import InfluxStore

OPEN = at("2021-04-12 09:15")
DAY = 86_400 * SECOND


class LastTimes:
    """In the place of a server: tells the last times of some symbols, and remembers what it was asked."""

    url, org = "http://last.times", "velox"

    def __init__(self, rows: list[tuple[str, int]]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(self, text: str, parameters: Mapping[str, Any]) -> bytes:
        self.asked.append((text, parameters))
        lines = [f",_result,0,{shown(instant)},{symbol}" for symbol, instant in self.rows]
        return "\r\n".join([",result,table,_time,symbol", *lines, "", ""]).encode()


def shown(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{instant % SECOND:09d}Z"


def test_newest_points_that_lie_near_each_other_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delta = DeltaStore(tmp_path / "delta", zone=INDIA)
    points = prices("A", [OPEN, OPEN + 2], [1, 2]) + prices("B", [OPEN + 3 * SECOND], [3])
    points += prices("OLD", [OPEN - DAY], [4]) + prices("OTHER", [OPEN + 4 * SECOND], [5])
    delta.write(batch(points, exchange_times=[OPEN, OPEN, OPEN + 3 * SECOND, OPEN - DAY, OPEN + 4 * SECOND]))
    server = LastTimes([("A", OPEN), ("B", OPEN + 3 * SECOND), ("A", OPEN + 2), ("OLD", OPEN - DAY)])
    store = InfluxStore(server, bucket="velox", zone=INDIA)  # type: ignore[arg-type]
    reads: list[PointQuery] = []
    monkeypatch.setattr(store, "read", lambda query: (reads.append(query), delta.read(query))[1])
    query = PointQuery(TICKS, 0, 2**62, {"account": "main"}, symbols=("A", "B", "OLD", "absent"))
    newest = {row["symbol"]: (row["time"], row["close"]) for row in store.newest(query).to_pylist()}
    assert newest == {"A": (OPEN + 2, 2.0), "B": (OPEN + 3 * SECOND, 3.0), "OLD": (OPEN - DAY, 4.0)}
    assert [read.symbols for read in reads] == [("OLD",), ("A", "B")]
    assert all(read.stop - read.start < 10 * SECOND for read in reads)


def test_the_symbols_of_a_question_are_parameters_and_never_its_text() -> None:
    server = LastTimes([])
    symbols = ('A" or true', "M&M")
    InfluxStore(server, bucket="velox", zone=INDIA).newest(  # type: ignore[arg-type]
        PointQuery(TICKS, 0, 2**62, symbols=symbols)
    )
    [(text, parameters)] = server.asked
    assert "(r.symbol == symbol_0 or r.symbol == symbol_1)" in text
    assert (parameters["symbol_0"], parameters["symbol_1"]) == symbols
    assert InfluxStore(server, bucket="velox", zone=INDIA).newest(PointQuery(TICKS, 0, 1, symbols=())).num_rows == 0  # type: ignore[arg-type]
    assert len(server.asked) == 1
