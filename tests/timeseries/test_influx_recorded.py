"""Readings from recorded answers of a real InfluxDB 2.7: what it says there, our code still understands."""

from __future__ import annotations

from itertools import groupby

import pytest

from tests.timeseries.batches import INDIA, SECOND
from tests.timeseries.influx_recording import BATCHES, OPEN, QUERIES, Played, readings
from timeseries.errors import StoreUnavailable
from timeseries.stores.delta.store import DeltaStore
from timeseries.stores.influx.replies import HeldBack, RefusedInPart, RefusedWhole, Stored, reply_of
from timeseries.stores.influx.store import InfluxStore


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
        "stored": Stored, "no line": RefusedWhole, "another type": RefusedInPart, "no bucket": HeldBack,
        "no token": HeldBack,
    }  # fmt: skip
    found = {name: reply_of(said["status"], {}, said["body"]) for name, said in played.recorded["replies"].items()}
    assert {name: type(reply) for name, reply in found.items()} == meanings
    assert "this is no line" in found["no line"].reason


EARLIER, BETWEEN, LATER = "2021-04-12T03:44:59.5Z", "2021-04-12T03:45:00.5Z", "2021-04-14T00:00:00Z"


def with_newcomers(answer: bytes) -> bytes:
    """Return the answer as if points had come meanwhile to each of its series: before, between and after the others."""
    head, *rows = answer.decode().rstrip("\r\n").split("\r\n")
    place = head.split(",").index("_time")
    grown = []
    for _, series in groupby(rows, key=lambda row: [each for n, each in enumerate(row.split(",")) if n < place]):
        own = [row.split(",") for row in series]
        new = [[*own[0][:place], time, *own[0][place + 1 :]] for time in (EARLIER, BETWEEN, LATER)]
        # As texts an instant without a fraction comes behind one with it.
        grown += sorted([*own, *new], key=lambda row: row[place].replace("Z", "" if "." in row[place] else ".0"))
    return "\r\n".join([head, *(",".join(row) for row in grown), "", ""]).encode()


@pytest.mark.parametrize("asked", [1, 2])
def test_points_that_come_between_two_questions_change_none_of_the_others(played: Played, asked: int) -> None:
    recorded, count = played.ask, 0

    def growing(text: str, parameters: dict) -> bytes:
        nonlocal count
        count += 1
        answer = recorded(text, parameters)
        return with_newcomers(answer) if count > asked and answer.strip() else answer

    for name, query in QUERIES.items():
        count, played.ask = 0, recorded
        before = InfluxStore(played, bucket="velox", zone=INDIA).read(query).to_pylist()
        played.ask = growing
        assert InfluxStore(played, bucket="velox", zone=INDIA).read(query).to_pylist() == before, name


def test_a_point_of_which_not_all_was_seen_is_not_there(played: Played) -> None:
    recorded = played.ask

    def without_a_mask(text: str, parameters: dict) -> bytes:
        lines = recorded(text, parameters).split(b"\r\n")
        return b"\r\n".join(line for line in lines if b"00.000000001Z,67,present" not in line)

    played.ask = without_a_mask
    found = InfluxStore(played, bucket="velox", zone=INDIA).read(QUERIES["one source"])
    assert found.column("close").to_pylist() == [7.0]


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
