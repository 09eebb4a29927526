"""Messages that are looked at together: each counts with its own headers, minute and place, as if it came alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
from confluent_kafka import KafkaError, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeseries.bus_topics import partition, points, tick
from tests.timeseries.spools import NOW, OPEN_NS
from timeseries.bus import messages as bus
from timeseries.bus.arrived import by_partition
from timeseries.bus.messages import ARROW, FORMAT, JSON, VERSION, BusMessage, headers_of

MINUTE_NS = 60 * 10**9
HEADERS = [
    headers_of(JSON),
    headers_of(ARROW),
    [],
    [(VERSION, b"1"), (FORMAT, b"json"), ("by", b"another")],
    [(FORMAT, b"json"), (VERSION, b"2")],
    [(FORMAT, b"avro"), (FORMAT, b"json"), (VERSION, b"1")],
    [(FORMAT, None), (VERSION, b"1")],
]
ROWS = [
    tick(3),
    tick(4, "INFY"),
    {"symbol": "TCS", "ltp": -5.0, "timestamp": OPEN_NS},
    {"symbol": "TCS", "ltp": 101.0},
    {"symbol": "TCS", "timestamp": OPEN_NS},
    {**tick(5), "bid": 99.5},
    {**tick(6), "timestamp": "2025-10-09T09:15:01+05:30"},
    {**tick(7), "timestamp": NOW + 86_400 * 10**9 + 1},  # a day ahead, and a little: refused a minute sooner
    {**tick(8), "timestamp": True},
]
CONTENTS = [
    *(bus.json_message([row]) for row in ROWS),
    bus.json_message([tick(1), tick(2)]),
    bus.arrow_message(pa.Table.from_pylist([tick(9), tick(9)])),
    b"",
    b"[1]",
    b'{"symbol": "TCS", "ltp": [1',
    b'2], "timestamp": 1}',
]
PLAIN = st.tuples(st.just(0), st.just(CONTENTS[0]), st.just(HEADERS[0]))
ODD = st.tuples(st.sampled_from([0, 0, 1, 2]), st.sampled_from(CONTENTS), st.sampled_from(HEADERS))
LOOKS = st.lists(st.one_of(PLAIN, ODD), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(LOOKS)
def test_messages_that_come_together_are_judged_as_they_are_one_by_one(looked_at: list[Any]) -> None:
    root = Path(os.environ["VELOX_DATA_DIR"]) / f"looks-{os.urandom(6).hex()}"
    messages = [
        BusMessage(offset, NOW + minute * MINUTE_NS, content, headers)
        for offset, (minute, content, headers) in enumerate(looked_at)
    ]
    together, apart = partition(root / "together"), partition(root / "apart")
    whole, alone = together.take(messages), [apart.take([message]) for message in messages]
    for recording in (together, apart):
        recording.close()
    assert whole.accepted == sum(outcome.accepted for outcome in alone)
    assert whole.rejected == sum(outcome.rejected for outcome in alone)
    letters = [letter for outcome in alone for letter in outcome.refused]
    assert sorted(whole.refused, key=lambda letter: letter.message.offset) == letters
    assert points(root / "together") == points(root / "apart")


def test_each_message_of_a_look_is_read_by_the_version_in_its_own_headers(tmp_path: Path) -> None:
    content, of_now = bus.json_message([tick(1)]), (1, NOW // 10**6)
    of_client = [
        Message(topic="ticks", partition=0, offset=offset, value=content, headers=headers, timestamp=of_now)
        for offset, headers in enumerate([list(HEADERS[0]), list(HEADERS[4]), list(HEADERS[0])])
    ]
    arrived, _ = by_partition(of_client)
    outcome = partition(tmp_path).take(arrived["ticks", 0])
    assert (outcome.accepted, [letter.message.offset for letter in outcome.refused]) == (2, [1])
    assert "its version is b'2'" in outcome.refused[0].reason


def test_each_message_of_a_look_is_judged_by_the_minute_of_its_own_time(tmp_path: Path) -> None:
    a_day_ahead = bus.json_message([{**tick(0), "timestamp": NOW + 86_400 * 10**9 + 1}])
    messages = [BusMessage(offset, NOW + minute * MINUTE_NS, a_day_ahead) for offset, minute in enumerate([0, 1, 0])]
    outcome = partition(tmp_path).take(messages)
    assert (outcome.accepted, [letter.message.offset for letter in outcome.refused]) == (1, [0, 2])


OF_CLIENT = st.tuples(
    st.sampled_from(["ticks", "quotes"]),
    st.sampled_from([0, 1]),
    st.sampled_from([b"1", b"2", None]),
    st.sampled_from([*HEADERS, None]),
    st.sampled_from([(1, NOW // 10**6), (2, NOW // 10**6 + 60_000), (1, 2**62)]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(OF_CLIENT, st.none()), max_size=30))
def test_what_the_client_hands_over_keeps_its_place_time_content_and_headers(handed_over: list[Any]) -> None:
    """In order for each partition, with what the client tells as faults apart."""
    messages, expected, faults = list[Message](), dict[tuple[str, int], list[BusMessage]](), 0
    for offset, each in enumerate(handed_over):
        if each is None:
            messages.append(
                Message(topic="ticks", partition=0, offset=offset, error=KafkaError(KafkaError._PARTITION_EOF))
            )
            faults += 1
            continue
        topic, number, content, headers, stamp = each
        fresh = None if headers is None else list(headers)
        place = {"topic": topic, "partition": number, "offset": offset}
        messages.append(Message(**place, value=content, headers=fresh, timestamp=stamp))
        own = BusMessage(offset, stamp[1] * 10**6, content or b"", () if fresh is None else fresh)
        expected.setdefault((topic, number), []).append(own)
    arrived, faulty = by_partition(messages)
    assert {place: list(columns) for place, columns in arrived.items()} == expected
    assert len(faulty) == faults


def test_a_message_without_a_time_has_that_of_its_arrival() -> None:
    arrived, _ = by_partition([Message(topic="ticks", partition=0, offset=0, value=b"1", timestamp=(0, 0))])
    (message,) = arrived["ticks", 0]
    assert message.time_ns > NOW
