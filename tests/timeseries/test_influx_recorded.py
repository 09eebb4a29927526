"""Readings from recorded answers of a real InfluxDB 2.7: what it says there, our code still understands."""

from __future__ import annotations

import pytest

from tests.timeseries.batches import INDIA, SECOND
from tests.timeseries.influx_recording import BATCHES, OPEN, QUERIES, Played, readings
from timeseries.errors import StoreUnavailable
from timeseries.stores.delta import DeltaStore
from timeseries.stores.influx import InfluxStore
from timeseries.stores.influx_replies import Held, RefusedInPart, RefusedWhole, Stored, reply_of


@pytest.fixture
def played() -> Played:
    return Played()


def test_readings_of_recorded_answers_are_those_of_the_embedded_store(played: Played, tmp_path) -> None:
    delta = DeltaStore(tmp_path / "delta", zone=INDIA)
    for points in BATCHES:
        delta.write(points)
    mine, theirs = readings(InfluxStore(played, bucket="velox", zone=INDIA)), readings(delta)
    for rows in (*mine.values(), *theirs.values()):
        for row in rows:
            if isinstance(row, dict) and "values" in row:
                row["values"] = sorted(row["values"])
    assert mine == theirs


def test_the_last_write_of_a_point_stands_alone(played: Played) -> None:
    store = InfluxStore(played, bucket="velox", zone=INDIA)
    first = store.read(QUERIES["one source"]).to_pylist()[0]
    assert (first["time"], first["close"], first["day_volume"]) == (OPEN, 7.0, None)
    assert OPEN + SECOND not in store.read(QUERIES["one source"]).column("time").to_pylist()


def test_every_recorded_reply_has_its_meaning(played: Played) -> None:
    assert played.recorded["version"].startswith("v2.7")
    meanings = {
        "stored": Stored, "no line": RefusedWhole, "another type": RefusedInPart, "no bucket": Held, "no token": Held
    }  # fmt: skip
    found = {name: reply_of(said["status"], {}, said["body"]) for name, said in played.recorded["replies"].items()}
    assert {name: type(reply) for name, reply in found.items()} == meanings
    assert "this is no line" in found["no line"].reason


@pytest.mark.parametrize("cut", [1, 10, 40, 200])
def test_an_answer_that_breaks_off_in_a_row_is_no_answer(played: Played, cut: int) -> None:
    whole = played.ask

    def torn(text: str, parameters: dict) -> bytes:
        return whole(text, parameters).rstrip()[:-cut].rpartition(b",")[0]

    played.ask = torn
    with pytest.raises(StoreUnavailable):
        InfluxStore(played, bucket="velox", zone=INDIA).read(QUERIES["ticks"])


def test_an_error_in_the_middle_of_an_answer_is_no_answer(played: Played) -> None:
    whole = played.ask
    played.ask = lambda text, parameters: whole(text, parameters).rstrip() + b"\r\n\r\nerror,reference\r\nbroken,\r\n"
    with pytest.raises(StoreUnavailable):
        InfluxStore(played, bucket="velox", zone=INDIA).read(QUERIES["ticks"])
