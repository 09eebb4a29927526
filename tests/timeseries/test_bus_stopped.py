"""A partition whose lane takes nothing for a while: it stands still, and all that it holds is recorded afterwards.

The client is in memory, so that each message is there when the test says; `test_bus_kafka.py` does it with a broker.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import structlog
from confluent_kafka import Message, TopicPartition

from tests.timeseries.bus_member import open_recorder_in
from tests.timeseries.bus_topics import tick
from tests.timeseries.spools import NOW, stored
from timeseries.bus import consumer, dead_letters
from timeseries.bus import messages as bus
from timeseries.bus.connection import BusUnavailable, KafkaSettings
from timeseries.bus.consumer import BusCounts, TopicConsumer
from timeseries.bus.partition import OffsetGone
from timeseries.bus.producer import StillUnwritten
from timeseries.bus.standing import standings
from timeseries.bus.topics import PartitionEnds
from timeseries.errors import SpoolFull
from timeseries.recording.writer import LaneWriter, StorageFault
from timeseries.spool.folder import SourceLock, Spool
from trading.health.topics import fault


class MemoryClient:
    """Partitions in memory as the consumer's client reads them, a message of each at a look."""

    def __init__(self) -> None:
        self.topic: dict[int, list[Message]] = {0: [], 1: []}
        self.position: dict[int, int] = {}
        self.paused: set[int] = set()
        self.low = 0  # the oldest offset that is kept

    def write(self, number: int) -> None:
        """Add one tick to each partition."""
        for partition, messages in self.topic.items():
            content, headers = bus.json_message([tick(number)]), list(bus.headers_of(bus.JSON))
            place = {"topic": "ticks", "partition": partition, "offset": len(messages)}
            messages.append(Message(**place, value=content, headers=headers, timestamp=(1, NOW // 10**6)))

    def consume(self, *_: Any) -> list[Message]:
        taken = []
        for partition, messages in self.topic.items():
            read = {*self.position} - self.paused
            if partition in read and self.position[partition] < len(messages):
                taken.append(messages[self.position[partition]])
                self.position[partition] += 1
        return taken

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.position = {each.partition: each.offset for each in partitions}

    def seek(self, at: TopicPartition) -> None:
        self.position[at.partition] = at.offset

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {each.partition for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {each.partition for each in partitions}

    def get_watermark_offsets(self, at: TopicPartition, **_: Any) -> tuple[int, int]:
        return self.low, len(self.topic[at.partition])

    def commit(self, **_: Any) -> None:
        pass

    def close(self) -> None:
        pass


class LetterBox:
    """A dead-letter topic that takes nothing until the test says so, as the producer of it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.flushes = 0
        self.fault: type[BusUnavailable] | None = StillUnwritten

    def send(self, content: bytes, _: Any) -> None:
        self.sent.append(content)

    def flush(self, _: float) -> None:
        self.flushes += 1
        if self.fault is not None:
            raise self.fault("no broker takes it")

    def is_waiting(self) -> bool:
        return self.fault is StillUnwritten


class IdsInMemory(dict[str, str]):
    """Ids of topics that nobody is asked for."""

    def __init__(self, *_: Any) -> None:
        super().__init__(ticks="id")

    client = None

    def ask_again(self, _: Any) -> None:
        pass


class EndsInMemory(PartitionEnds):
    """Ends of partitions that nobody is asked for."""

    def ask_again(self, _: Any) -> None:
        pass


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> MemoryClient:
    """Return what the members of a test read."""
    client = MemoryClient()
    monkeypatch.setattr(consumer, "Consumer", lambda *_, **__: client)
    monkeypatch.setattr(consumer, "TopicIds", IdsInMemory)
    monkeypatch.setattr(consumer, "PartitionEnds", EndsInMemory)
    return client


def test_what_came_while_a_lane_took_nothing_is_recorded_once_and_in_order_when_it_takes_again(
    client: MemoryClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = list[set[consumer.PartitionPlace]]()
    monkeypatch.setattr(consumer, "RETRY_SECONDS", 0.0)
    put, is_full, looks = LaneWriter.put, False, 0

    def refuse(lane: LaneWriter, frame: bytes, count: int = 1) -> None:
        if is_full and lane.lane.source == "ticks.1":
            raise StorageFault(SpoolFull("The spool is full."))
        put(lane, frame, count)

    def look(counts: BusCounts) -> bool:
        nonlocal is_full, looks
        is_full = 3 < looks < 9
        if looks < 12:
            client.write(looks)
        looks += 1
        stopped.append(set(counts.stopped))
        return looks == 40

    monkeypatch.setattr(LaneWriter, "put", refuse)
    member = TopicConsumer(KafkaSettings("nowhere"), ["ticks"], "desk", open_recorder_in(tmp_path), partitions=[0, 1])
    member.run(look)
    expected = [100 + number / 20 for number in range(12)]
    for number in (0, 1):
        assert [point["close"] for point in stored(tmp_path, source=f"ticks.{number}")] == expected
    assert set().union(*stopped) == {("ticks", 1)}
    assert stopped[-1] == set()


def test_a_member_that_begins_where_nothing_can_be_opened_says_so_once_and_goes_on_when_it_can(
    client: MemoryClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "RETRY_SECONDS", 0.0)
    lock, looks = SourceLock(Spool(tmp_path / "spool").folder("ticks.0")), count()
    lock.folder.mkdir(parents=True)
    lock.acquire(source="ticks.0")

    def look(counts: BusCounts) -> bool:
        if next(looks) == 9:
            lock.release()
        return counts.accepted == 1

    client.write(0)
    with structlog.testing.capture_logs() as told:
        TopicConsumer(KafkaSettings("nowhere"), ["ticks"], "desk", open_recorder_in(tmp_path), partitions=[0]).run(look)
    reasons = [line["error"] for line in told if line["event"] == "a partition stopped"]
    assert len(reasons) == 1 and str(os.getpid()) in reasons[0]


def test_what_retention_took_unread_is_told_before_another_message_comes(client: MemoryClient, tmp_path: Path) -> None:
    """The next one may come at tomorrow's opening. Why the member ended stays in its last words, which health reads."""

    def member(**more: Any) -> TopicConsumer:
        opener = open_recorder_in(tmp_path)
        return TopicConsumer(KafkaSettings("nowhere"), ["ticks"], "desk", opener, partitions=[0], **more)

    client.write(0)
    member().run(lambda counts: counts.accepted == 1)
    client.write(1)
    client.write(2)
    client.low = 3
    with pytest.raises(OffsetGone, match="goes on at 3, and 1 has to come next"):
        member().run(lambda _: True)
    (words,) = standings(Spool(tmp_path / "spool"))
    assert "1 has to come next" in words.stopped
    left = fault([words], datetime.now(UTC) + timedelta(minutes=1))
    assert left is not None and (left.code, "1 has to come next" in left.detail) == ("partition_left", True)
    client.write(3)
    assert member(skip_lost=True).run(lambda counts: counts.accepted == 1).accepted == 1
    assert [point["close"] for point in stored(tmp_path, source="ticks.0")] == [100.0, 100.15]


def test_while_letters_wait_their_partition_alone_stands_still_and_each_is_written_once(
    client: MemoryClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer waits for minutes for a topic that is not there: nothing else would be read meanwhile."""
    box, looks, flushes, sent = LetterBox(), 0, list[int](), list[int]()
    monkeypatch.setattr(dead_letters, "BusProducer", lambda *_: box)
    monkeypatch.setattr(consumer, "RETRY_SECONDS", 0.0)
    fault_from = {0: StillUnwritten, 10: BusUnavailable, 14: StillUnwritten, 20: None}  # the fault from a look on

    def look(counts: BusCounts) -> bool:
        nonlocal looks
        if looks in fault_from:
            box.fault = fault_from[looks]
        if looks < 20:
            client.write(looks)
        if looks == 1:
            place = {"topic": "ticks", "partition": 0, "offset": len(client.topic[0])}
            client.topic[0].append(Message(**place, value=b"{", headers=[], timestamp=(1, NOW // 10**6)))
        flushes.append(box.flushes)
        sent.append(len(box.sent))
        looks += 1
        return looks == 60

    member = TopicConsumer(KafkaSettings("nowhere"), ["ticks"], "desk", open_recorder_in(tmp_path), partitions=[0, 1])
    counts = member.run(look)
    expected = [100 + number / 20 for number in range(20)]
    for number in (0, 1):
        assert [point["close"] for point in stored(tmp_path, source=f"ticks.{number}")] == expected
    assert (flushes[9], sent[9]) == (1, 1)  # it is not waited for again as long as it may still be written
    assert box.sent == [b"{"] * sent[-1]
    assert sent[9] < sent[19] == sent[-1]  # given up by its producer, it is written again
    assert (counts.dead_letters, counts.stopped) == (1, {})
