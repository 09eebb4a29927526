"""A partition's messages on their way into a lane: read, recorded once, and refused the same whenever they come."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.timeseries.bus_topics import (
    Killed,
    KillPoint,
    arrow_of,
    json_of,
    partition,
    played,
    points,
    rows_of,
    tick,
    topic,
)
from tests.timeseries.spools import INDIA, NOW, OPEN_NS, recorder, stored
from timeseries.bus import messages as bus
from timeseries.bus.messages import BusMessage, Unreadable
from timeseries.bus.partition import MessageClock, OffsetGone, PartitionRecorder
from timeseries.errors import SpoolFull
from timeseries.recording.writer import LaneWriter, StorageFault
from timeseries.spool import marks


# -- what a message is -------------------------------------------------------------------------------------------------
def test_a_tick_comes_as_json_with_a_time_of_any_offset_or_with_its_messages(tmp_path: Path) -> None:
    at = datetime.fromtimestamp(OPEN_NS / 10**9, INDIA)
    rows = [
        {"symbol": "A", "ltp": 1.0, "timestamp": OPEN_NS},
        {"symbol": "B", "ltp": 1.0, "timestamp": at.isoformat()},
        {"symbol": "C", "ltp": 1.0, "timestamp": at.astimezone(UTC).isoformat()},
        {"symbol": "D", "ltp": 1.0},
    ]
    recording = partition(tmp_path)
    assert recording.take([json_of(0, *rows), BusMessage(1, NOW, b'{"symbol":"E","ltp":1}')]).accepted == 5
    times = {point["symbol"]: point["exchange_time"] for point in stored(tmp_path)}
    assert times == {"A": OPEN_NS, "B": OPEN_NS, "C": OPEN_NS, "D": NOW, "E": NOW}


def test_a_batch_comes_as_arrow_with_names_as_a_dictionary_and_prices_of_any_kind(tmp_path: Path) -> None:
    columns = {
        "symbol": pa.array(["A", "B", "A"]).dictionary_encode(),
        "ltp": pa.array([1, 2, 3], pa.decimal128(10, 2)),
        "timestamp": pa.array([OPEN_NS, OPEN_NS, None], pa.timestamp("ns", "UTC")),
        "bid": pa.array([0.95, None, 2.95]),
        "oi": pa.array([None, 7, None]),
        "depth": pa.array([[1], [2], [3]]),
    }
    assert partition(tmp_path).take([arrow_of(0, **columns)]).accepted == 3
    assert points(tmp_path) == [("A", OPEN_NS, 1.0), ("A", NOW, 3.0), ("B", OPEN_NS, 2.0)]
    assert [point.get("bid") for point in stored(tmp_path)] == [0.95, None, 2.95]
    assert [point.get("oi") for point in stored(tmp_path)] == [None, 7, None]


def test_a_row_of_an_arrow_batch_without_a_price_is_refused_alone(tmp_path: Path) -> None:
    prices, interest = pa.array([1.0, None, 3.0]), pa.array([1.0, 2.0, float("nan")])
    outcome = partition(tmp_path).take([arrow_of(0, symbol=pa.array(["A", "A", "A"]), ltp=prices, oi=interest)])
    assert (outcome.accepted, outcome.rejected) == (1, 2)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (BusMessage(0, NOW, b"{"), "it is no JSON"),
        (BusMessage(0, NOW, b""), "it is no JSON"),
        (BusMessage(0, NOW, b"[]"), "no list of ticks"),
        (BusMessage(0, NOW, b'[{"ltp": 1}, 2]'), "no list of ticks"),
        (BusMessage(0, NOW, b"{}", [(bus.FORMAT, b"avro")]), "its format is b'avro'"),
        (BusMessage(0, NOW, b"{}", [(bus.VERSION, b"2")]), "its version is b'2'"),
        (BusMessage(0, NOW, b"ARROW1", bus.headers_of(bus.ARROW)), "it is no Arrow stream"),
        (arrow_of(0, symbol=[], ltp=[]), "it has 0 rows"),
        (arrow_of(0, symbol=["A"], timestamp=[datetime(2025, 10, 9)]), "its timestamps are timestamp"),
        (arrow_of(0, symbol=["A"], timestamp=[1.5]), "its timestamps are double"),
    ],
)
def test_what_cannot_be_read_is_a_dead_letter_with_its_reason_and_the_rest_goes_on(
    tmp_path: Path, message: BusMessage, why: str
) -> None:
    with pytest.raises(Unreadable, match=why):
        rows_of(message)
    taken = partition(tmp_path).take([message, json_of(1, tick(0))])
    assert (taken.accepted, [letter.message for letter in taken.refused]) == (1, [message])
    assert why in taken.refused[0].reason


def test_every_cut_and_flipped_bit_of_an_arrow_batch_is_read_or_refused_and_its_neighbours_are_recorded(
    tmp_path: Path,
) -> None:
    whole = arrow_of(0, symbol=["A", "B"], ltp=[1.0, 2.0], timestamp=np.array([OPEN_NS, OPEN_NS]))
    bits = [(at, 1 << bit) for at in range(len(whole.content)) for bit in range(8)]
    flipped = (whole.content[:at] + bytes([whole.content[at] ^ bit]) + whole.content[at + 1 :] for at, bit in bits)
    recording, offset = partition(tmp_path), 0
    for content in (*(whole.content[:length] for length in range(len(whole.content))), *flipped):
        damaged = BusMessage(offset + 1, NOW, content, whole.headers)
        taken = recording.take([whole._replace(offset=offset), damaged, whole._replace(offset=offset + 2)])
        assert taken.accepted >= 4
        assert taken.accepted + taken.rejected <= 4 + bus.ROWS_MAX
        assert taken.accepted == 6 or [letter.message for letter in taken.refused] in ([], [damaged])
        offset += 3


def test_refused_rows_are_told_of_their_message(tmp_path: Path) -> None:
    good, bad = tick(0), {**tick(1), "ltp": float("nan")}
    recording = partition(tmp_path)
    taken = recording.take([json_of(4, good, good), json_of(5, good, {**bad, "ltp": -1}, good), json_of(6, good)])
    assert (taken.accepted, taken.rejected) == (5, 1)
    (letter,) = taken.refused
    assert letter.message.offset == 5
    assert letter.reason.startswith("1 of 3 rows were refused, the first: ")


# -- exactly once ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(12))
def test_a_partition_that_is_killed_anywhere_is_recorded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Killed before a mark, between it and its records, behind them; read again in other portions each time."""
    chance, messages = random.Random(seed), topic(60, seed)
    kill, kills = KillPoint(monkeypatch), 0
    recording, at = partition(tmp_path), 0
    while at < len(messages):
        kill.left = chance.randrange(1, 10)
        try:
            while at < len(messages):
                portion = messages[at : at + chance.randrange(1, 9)]
                recording.take(portion)
                at = portion[-1].offset + 1
                if chance.random() < 0.2:
                    recording.settle()
        except Killed:
            kills, kill.left = kills + 1, 0
            recording.recorder.close()  # what a kill would leave: nothing is settled, the lock is free
            if chance.random() < 0.3:
                tear_last_mark(tmp_path, recording)
            recording = partition(tmp_path)
            at = recording.resume() or 0
    monkeypatch.undo()
    recording.close()
    assert kills > 3
    assert points(tmp_path) == played(messages, tmp_path / "direct")


def tear_last_mark(root: Path, recording: PartitionRecorder) -> None:
    """Cut the last mark as a kill in the midst of its write would, where none of its records is there."""
    path = root / "spool" / "desk" / "ticks" / marks.NAME
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    sequence, _, *rest = json.loads(lines[-1][9:])
    if rest and rest[4] and sequence == len(stored(root)):
        path.write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])


def test_what_was_refused_is_told_again_where_it_may_not_have_been_told(tmp_path: Path) -> None:
    messages = [json_of(0, tick(0), {**tick(1), "ltp": -1}), json_of(1, tick(2)), json_of(2, {"symbol": "A"}, tick(3))]
    recording = partition(tmp_path)
    reasons = [letter.reason[:23] for letter in recording.take(messages).refused]
    recording.close(is_told=False)
    recording = partition(tmp_path)
    assert recording.resume() == 0
    again = recording.take(messages)
    assert (again.accepted, [letter.message.offset for letter in again.refused]) == (0, [0, 2])
    assert [letter.reason[:23] for letter in again.refused] == reasons
    recording.close()
    assert partition(tmp_path).resume() == 3


def test_a_disk_that_fills_up_within_a_batch_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages, recording, count = topic(30, 5), partition(tmp_path), 0
    recording.take(messages[:10])
    put = LaneWriter.put

    def fill_up(lane: LaneWriter, frame: bytes, number: int = 1) -> None:
        nonlocal count
        count += 1
        if count == 6:
            raise StorageFault(SpoolFull("The spool is full."))
        put(lane, frame, number)

    monkeypatch.setattr(LaneWriter, "put", fill_up)
    with pytest.raises(SpoolFull):
        recording.take(messages[10:])
    recording.close()
    recording = partition(tmp_path)
    at = recording.resume()
    assert at == 10
    recording.take(messages[at:])
    recording.close()
    assert points(tmp_path) == played(messages, tmp_path / "direct")


def test_a_disk_that_is_full_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = topic(30, 3)
    recording, place = partition(tmp_path), LaneWriter.rotate
    recording.take(messages[:10])

    def refuse(_: LaneWriter) -> None:
        raise StorageFault(SpoolFull("The spool is full."))

    monkeypatch.setattr(LaneWriter, "rotate", refuse)
    recording.recorder.close()
    recording = partition(tmp_path)
    at = recording.resume()
    with pytest.raises(SpoolFull):
        recording.take(messages[at:])
    monkeypatch.setattr(LaneWriter, "rotate", place)
    at = recording.resume()
    assert at is not None
    recording.take(messages[at:])
    recording.close()
    assert points(tmp_path) == played(messages, tmp_path / "direct")


def test_messages_that_the_topic_lost_are_told_and_those_that_nobody_needs_are_not(tmp_path: Path) -> None:
    messages = topic(40, 1)
    recording = partition(tmp_path)
    recording.take(messages[:10])
    recording.recorder.close()
    recording = partition(tmp_path)
    assert recording.resume() == 0
    with pytest.raises(OffsetGone, match="goes on at 7, and 0 has to come next"):
        recording.take(messages[7:20])
    recording.forget()
    recording.take(messages[10:20])
    recording.close()
    recording = partition(tmp_path)
    assert recording.resume() == 20  # all before are recorded, whether the topic still has them or not
    recording.take(messages[20:])
    recording.close()
    assert points(tmp_path) == played(messages, tmp_path / "direct")


def test_a_topic_that_was_made_anew_begins_at_its_beginning(tmp_path: Path) -> None:
    recording = partition(tmp_path)
    recording.take([json_of(90, tick(0))])
    recording.close()
    clock = MessageClock()
    other = PartitionRecorder(recorder(tmp_path, clock=clock), clock, "ticks/0@another")
    assert other.resume() is None
    assert other.take([json_of(0, tick(1))]).accepted == 1


def test_rows_are_judged_by_the_time_of_their_message(tmp_path: Path) -> None:
    late = {**tick(0), "timestamp": NOW + 10**9}
    recording = partition(tmp_path)
    old = BusMessage(0, NOW - 48 * 3600 * 10**9, bus.json_message([late]))
    assert recording.take([old]).rejected == 1
    assert recording.take([BusMessage(1, NOW, old.content)]).accepted == 1
