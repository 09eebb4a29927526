"""Real ticks through a real Kafka into a spool: members and the broker are killed, and each tick is there once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from confluent_kafka import OFFSET_END, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from django.core.management import CommandError, call_command

from tests.conftest import Ledger
from tests.kafka_server import KafkaServer, kafka_server
from tests.timeseries.bus_member import member, open_recorder_in, start
from tests.timeseries.spools import INDIA, NOW, OPEN_NS, recorder, rows, stored
from tests.waiting import PATIENCE_SECONDS, until
from timeseries import wiring
from timeseries.bus import consumer
from timeseries.bus import messages as bus
from timeseries.bus.connection import BusUnavailable, KafkaSettings
from timeseries.bus.consumer import BusCounts, hand_over
from timeseries.bus.dead_letters import DEAD
from timeseries.bus.live import LiveTicks
from timeseries.bus.messages import headers_of
from timeseries.bus.producer import BusProducer
from timeseries.bus.standing import LEFT_SECONDS, PartitionStanding, standings
from timeseries.bus.topics import create_topic, partition_count, topic_ids
from timeseries.errors import SpoolFull
from timeseries.recording.writer import LaneWriter, StorageFault
from timeseries.spool import marks
from timeseries.spool.folder import SourceLock, Spool
from timeseries.spool.hand_overs import HandOver, take_over
from trading import summon
from trading.health.topics import fault

pytestmark = pytest.mark.xdist_group("kafka")

PARTITIONS, KILLS, BROKER_KILLS = 4, int(os.environ.get("VELOX_BUS_KILLS", "10")), 2
SLICE, BAD_EVERY = 500, 500
LOOKS_MAX = 500  # of a fifth of a second, where a fault makes a member wait for what does not come
Point = tuple[str, int, float, float]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with kafka_server(tmp_path_factory.mktemp("kafka")) as server:
        yield server


def day(folder: Path) -> list[dict[str, Any]]:
    """Return the ticks of five symbols' day by time, as rows; every 500th has a price that cannot be true."""
    frames = []
    for file in sorted((folder / "nse-ticks-2021").glob("*.csv")):
        frame = pd.read_csv(file, parse_dates=["timestamp"])
        frame["timestamp"] = (
            frame["timestamp"].dt.tz_localize(INDIA).astype("datetime64[ns, Asia/Kolkata]").astype("int64")
        )
        frames.append(frame.rename(columns={"volume": "day_volume"}).assign(symbol=file.stem.partition("_12")[0]))
    whole = pd.concat(frames).sort_values("timestamp", kind="stable")
    ticks = whole[["symbol", "ltp", "day_volume", "timestamp"]].astype({"ltp": float, "day_volume": float})
    ticks["ltp"] = np.where(np.arange(len(ticks)) % BAD_EVERY == 0, -1.0, ticks["ltp"].to_numpy())
    return [dict(zip(ticks.columns, row, strict=True)) for row in ticks.itertuples(index=False, name=None)]


def produce(settings: KafkaSettings, topic: str, ticks: list[dict[str, Any]]) -> None:
    """Write the ticks in slices: by turns as Arrow, as lists of JSON by symbol, as one tick a message."""
    producer = BusProducer(settings, topic)
    for number, at in enumerate(range(0, len(ticks), SLICE)):
        share = ticks[at : at + SLICE]
        if number % 3 == 0:
            producer.arrow(pa.Table.from_pylist(share))
        elif number % 3 == 1:
            for symbol in dict.fromkeys(tick["symbol"] for tick in share):
                producer.json(symbol, [tick for tick in share if tick["symbol"] == symbol])
        else:
            for tick in share:
                producer.json(tick["symbol"], [tick])
    producer.flush()


def points(root: Path) -> list[Point]:
    found = [point for lane in Spool(root / "spool").lanes() for point in rows(lane.pending(after=0, limit=10**9))]
    return sorted((point["symbol"], point["time"], point["close"], point["day_volume"]) for point in found)


def issued(root: Path) -> int:
    return sum(lane.issued() for lane in Spool(root / "spool").lanes())


def tear_marks(root: Path) -> int:
    """Leave half a mark behind those of each source that nobody holds now, as a kill in the midst of its write would;
    return how many."""
    torn = 0
    for source in Spool(root / "spool").sources():
        folder = Spool(root / "spool").folder(source)
        lock, path = SourceLock(folder), folder / "ticks" / marks.NAME
        if lock.try_acquire():
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
            if lines:
                with path.open("ab") as file:
                    file.write(lines[-1][: len(lines[-1]) // 2])
                torn += 1
            lock.release()
    return torn


def read(servers: str, topic: str, count: int) -> list[Message]:
    """Return the first messages of a topic."""
    reader = Consumer({"bootstrap.servers": servers, "group.id": "reader", "auto.offset.reset": "earliest"})
    reader.subscribe([topic])
    found: list[Message] = []
    until(lambda: found.extend(m for m in reader.consume(count, 0.5) if m.error() is None) or len(found) >= count)
    reader.close()
    return found


def test_what_a_topic_holds_is_recorded_once_through_kills_of_members_and_broker(
    kafka: KafkaServer, market_data: Path, tmp_path: Path
) -> None:
    ticks, settings, chance = day(market_data), KafkaSettings(kafka.servers), random.Random(20210412)
    good = sum(tick["ltp"] > 0 for tick in ticks)
    create_topic(settings, "ticks", PARTITIONS)
    producing = threading.Thread(target=produce, args=(settings, "ticks", ticks))
    producing.start()
    members, torn = [start(tmp_path, kafka.servers, "ticks") for _ in range(2)], 0

    def has_issued(count: float) -> bool:
        """Tell whether so many ticks are issued; start members again that ended by themselves, as their unit does."""
        for number, process in enumerate(members):
            if not process.is_alive():  # no broker answered when it began
                process.join()
                members[number] = start(tmp_path, kafka.servers, "ticks")
        return issued(tmp_path) >= count

    try:
        for kill in range(KILLS):
            reached = (kill + chance.random()) * good / (KILLS + 1)
            until(lambda: has_issued(reached), pause_seconds=0.05)  # noqa: B023
            if kill in (KILLS // 3, 2 * KILLS // 3):
                kafka.kill()
                kafka.start()
            else:
                number = chance.randrange(2)
                members[number].kill()
                members[number].join()
                torn += tear_marks(tmp_path)
                members[number] = start(tmp_path, kafka.servers, "ticks")
        producing.join(PATIENCE_SECONDS)
        until(lambda: has_issued(good), pause_seconds=0.05)
    finally:
        for process in members:
            process.kill()
            process.join()
    rest = member(tmp_path, kafka.servers, "ticks").run(lambda _: False, until_end=True)
    assert (rest.accepted, rest.stopped) == (0, {})
    assert torn > 0
    direct = recorder(tmp_path / "direct", clock=lambda: max(tick["timestamp"] for tick in ticks))
    direct.ticks(ticks)
    direct.close()
    expected = points(tmp_path / "direct")
    assert len(expected) == good
    assert points(tmp_path) == expected
    reliance = pd.Series([time // 10**9 for symbol, time, _, _ in expected if symbol == "RELIANCE"])
    assert (reliance.value_counts() > 1).sum() > 1600


def test_what_cannot_be_read_or_is_refused_goes_to_the_dead_letters_with_its_place(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    settings = KafkaSettings(kafka.servers)
    create_topic(settings, "odd", 1)
    producer = BusProducer(settings, "odd")
    producer.send(b"\xff", headers_of("json"))
    producer.json("A", [{"symbol": "A", "ltp": -1.0}, {"symbol": "A", "ltp": 2.0}])
    producer.flush()
    counts = member(tmp_path, kafka.servers, "odd").run(lambda _: False, until_end=True)
    assert (counts.messages, counts.accepted, counts.rejected, counts.dead_letters) == (2, 1, 1, 2)
    letters = read(kafka.servers, "odd" + DEAD, 2)
    headers = [dict(letter.headers() or []) for letter in letters]
    assert [(each["velox-topic"], each["velox-offset"]) for each in headers] == [(b"odd", b"0"), (b"odd", b"1")]
    assert str(headers[0]["velox-reason"]).startswith("b'it is no JSON")
    assert str(headers[1]["velox-reason"]).startswith("b'1 of 2 rows were refused")
    assert letters[0].value() == b"\xff"


def test_a_source_that_another_process_holds_is_waited_for(kafka: KafkaServer, tmp_path: Path) -> None:
    settings = KafkaSettings(kafka.servers)
    create_topic(settings, "held", 1)
    producer = BusProducer(settings, "held")
    producer.json("A", [{"symbol": "A", "ltp": 2.0}])
    producer.flush()
    held = "import sys; from tests.timeseries.spools import *; r = recorder(Path(sys.argv[1]), source='held.0');" \
        " r.tick('B', {'ltp': 1}); print(flush=True); input(); r.close()"  # fmt: skip
    other = subprocess.Popen([sys.executable, "-c", held, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    reasons = []

    def look(counts: Any) -> bool:
        if counts.stopped and not reasons:
            reasons.extend(counts.stopped.values())
            other.communicate(b"\n")
        return False

    counts = member(tmp_path, kafka.servers, "held").run(look, until_end=True)
    assert counts.accepted == 1
    assert str(other.pid) in reasons[0]


def test_partitions_that_stood_still_when_another_member_got_them_go_on_when_they_come_back(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    settings, looks = KafkaSettings(kafka.servers), count(1)
    create_topic(settings, "regained", 2)
    producer = BusProducer(settings, "regained")
    for partition in range(2):
        producer.send(bus.json_message([{"symbol": "A", "ltp": 2.0}]), headers_of("json"), partition=partition)
    producer.flush()
    locks = [SourceLock(Spool(tmp_path / "spool").folder(f"regained.{number}")) for number in range(2)]
    for lock in locks:
        lock.folder.mkdir(parents=True)
        lock.acquire(source=lock.folder.name)
    others: list[Consumer] = []

    def look(counts: BusCounts) -> bool:
        """Have another member come once both stand still, and go, with the locks free, once it was given one."""
        if len(counts.stopped) == 2 and not others:
            others.append(Consumer(settings.member("desk")))
            others[0].subscribe(["regained"])
        elif others and locks:
            others[0].poll(0.1)
            if others[0].assignment():
                while locks:
                    locks.pop().release()
                others[0].close()
        return counts.accepted == 2 or next(looks) >= LOOKS_MAX

    assert member(tmp_path, kafka.servers, "regained").run(look).accepted == 2


def test_a_partition_of_which_the_client_gives_nothing_is_told_as_behind_and_read_again(
    kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is paused behind the member's back, as a fault in either might: all else is as it was."""
    settings, looks = KafkaSettings(kafka.servers), count(1)
    create_topic(settings, "still", 2)
    producer, clients, told = BusProducer(settings, "still"), list[Consumer](), list[PartitionStanding]()
    pauses = count(0)

    def write(price: float) -> None:
        for partition in range(2):
            content = bus.json_message([{"symbol": "A", "ltp": price}])
            producer.send(content, headers_of("json"), partition=partition)
        producer.flush()

    def client(*arguments: Any, **keywords: Any) -> Consumer:
        clients.append(Consumer(*arguments, **keywords))
        return clients[0]

    def look(counts: BusCounts) -> bool:
        if counts.accepted == 2 and next(pauses) == 0:
            clients[0].pause([TopicPartition("still", 1)])
        if counts.accepted == 2 and next(pauses) > 20:  # the client has no answer any more to what it asked before
            write(3.0)
        behind = [row for row in standings(Spool(tmp_path / "spool")) if row.lag]
        if counts.accepted == 3 and behind and not told:
            told.extend(behind)
            monkeypatch.setattr(consumer, "STILL_SECONDS", 0.0)
        return counts.accepted == 4 or next(looks) >= LOOKS_MAX

    monkeypatch.setattr(consumer, "Consumer", client)
    monkeypatch.setattr(consumer, "COMMIT_SECONDS", 0.0)
    write(2.0)
    counts = member(tmp_path, kafka.servers, "still").run(look)
    assert [(row.number, row.lag, row.stopped) for row in told] == [(1, 1, "")]
    long_after = replace(told[0], at_ns=told[0].reached_ns + 61 * 10**9, answered_ns=told[0].reached_ns + 60 * 10**9)
    state = fault([long_after], datetime.fromtimestamp(long_after.at_ns / 10**9, UTC))
    assert state is not None and state.code == "kafka_behind"
    assert (counts.accepted, counts.stopped) == (4, {})


def test_partitions_that_a_topic_is_given_beside_its_member_are_recorded_soon(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    settings, looks = KafkaSettings(kafka.servers), count(1)
    create_topic(settings, "grown", 1)
    admin, is_grown = AdminClient(settings.client()), False

    def write(partition: int) -> None:
        producer = BusProducer(settings, "grown")
        producer.send(bus.json_message([{"symbol": "A", "ltp": 1.0}]), headers_of("json"), partition=partition)
        producer.flush()

    def look(counts: BusCounts) -> bool:
        nonlocal is_grown
        if counts.accepted == 1 and not is_grown:
            admin.create_partitions([NewPartitions("grown", 2)])["grown"].result(PATIENCE_SECONDS)
            until(lambda: partition_count(settings, "grown") == 2)
            write(1)
            is_grown = True
        return counts.accepted == 2 or next(looks) >= LOOKS_MAX

    write(0)
    assert member(tmp_path, kafka.servers, "grown").run(look).accepted == 2


def test_a_topic_that_is_not_there_is_told(kafka: KafkaServer) -> None:
    with pytest.raises(BusUnavailable, match="nothing"):
        topic_ids(KafkaSettings(kafka.servers), ["nothing"])


def made_anew(settings: KafkaSettings, topic: str) -> None:
    """Delete a topic and make it again."""
    former, admin = topic_ids(settings, [topic])[topic], AdminClient(settings.client())
    admin.delete_topics([topic])[topic].result(PATIENCE_SECONDS)

    def is_anew() -> bool:
        create_topic(settings, topic, 1)
        try:
            return topic_ids(settings, [topic])[topic] != former
        except BusUnavailable:
            return False

    until(is_anew)


@pytest.mark.parametrize("length", [2, 20])
def test_a_topic_that_is_made_anew_beside_its_member_begins_at_its_beginning(
    kafka: KafkaServer, tmp_path: Path, length: int
) -> None:
    """The former one had eight messages: the client goes on at the ninth, in silence where the new one has so many."""
    name, settings, looks = f"anew{length}", KafkaSettings(kafka.servers), count(1)
    create_topic(settings, name, 1)
    numbers = [*range(8), *range(100, 100 + length)]

    def write(some: Sequence[int]) -> None:
        producer = BusProducer(settings, name)
        for number in some:
            producer.json("A", [{"symbol": "A", "ltp": 1.0 + number}])
        producer.flush()

    def look(counts: BusCounts) -> bool:
        if counts.accepted == 8 and topic_ids(settings, [name])[name] == former:
            made_anew(settings, name)
            write(numbers[8:])
        return counts.accepted >= len(numbers) or next(looks) >= LOOKS_MAX

    former = topic_ids(settings, [name])[name]
    write(numbers[:8])
    assert member(tmp_path, kafka.servers, name).run(look).accepted == len(numbers)
    assert member(tmp_path, kafka.servers, name).run(lambda _: False, until_end=True).accepted == 0
    assert [point["close"] for point in stored(tmp_path, source=f"{name}.0")] == [1.0 + number for number in numbers]


def test_a_file_goes_onto_a_topic_and_from_it_into_the_spool_by_two_commands(
    kafka: KafkaServer, ledger: Ledger, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)
    settings.KAFKA_SERVERS = ""
    with pytest.raises(CommandError, match="KAFKA_SERVERS is not set"):
        call_command("consume", "of_file")
    settings.KAFKA_SERVERS = kafka.servers
    with pytest.raises(CommandError, match="of_file"):
        call_command("consume", "of_file")
    file = tmp_path / "TCS_15_March.csv"
    file.write_text("timestamp,ltp\n2024-03-15 09:15:01,3100.5\n2024-03-15 09:15:01,3101\n2024-03-15 09:15:02,3102\n")
    for form in ("arrow", "json"):
        answers = []
        for command in (
            ["produce", str(file), "--topic", f"of_file_{form}", "--create", "2", "--form", form, "--rows", "2"],
            ["record", "--feed", "kafka", f"of_file_{form}", "--once"],
            ["consume", f"of_file_{form}", "--until-end"],
        ):
            output = StringIO()
            call_command(*command, "--format", "json", stdout=output)
            answers.append(json.loads(output.getvalue()))
        assert answers[0] == {"topic": f"of_file_{form}", "ticks": 3, "left_out": 0}
        assert [(answer["accepted"], answer["stopped"]) for answer in answers[1:]] == [(3, {}), (0, {})]
    lanes = wiring.open_spool().lanes()
    recorded = [rows(lane.pending(after=0, limit=9)) for lane in lanes if lane.issued()]
    assert [sorted(point["close"] for point in lane) for lane in recorded] == [[3100.5, 3101.0, 3102.0]] * 2


def test_what_a_source_records_goes_onto_a_topic_as_it_comes(kafka: KafkaServer, tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    desk.tick("A", {"ltp": 1, "timestamp": NOW})
    live = LiveTicks(Spool(tmp_path / "spool"), ["desk"])
    assert list(live.read()) == []
    for number in range(5):
        desk.tick("A", {"ltp": 2 + number, "timestamp": NOW} | ({"bid": 1.5} if number % 2 else {}))
    settings = KafkaSettings(kafka.servers)
    create_topic(settings, "live", 1)
    producer = BusProducer(settings, "live")
    assert sum(producer.table(table, form="arrow", rows=10) for table in live.read()) == 5
    producer.flush()
    assert (list(live.read()), live.missed) == ([], 0)
    assert member(tmp_path / "other", kafka.servers, "live").run(lambda _: False, until_end=True).accepted == 5
    assert sorted(point["close"] for point in stored(tmp_path / "other", source="live.0")) == [2, 3, 4, 5, 6]
    desk.close()


def test_another_host_goes_on_with_a_partition_through_kills_on_both_sides(
    kafka: KafkaServer, market_data: Path, tmp_path: Path
) -> None:
    ticks, settings = day(market_data)[:30_000], KafkaSettings(kafka.servers)
    good = sum(tick["ltp"] > 0 for tick in ticks)
    create_topic(settings, "handed", 1)
    produce(settings, "handed", ticks)
    first, second = tmp_path / "first", tmp_path / "second"

    def killed_at(root: Path, count: int, **options: Any) -> None:
        process = start(root, kafka.servers, "handed", **options)
        until(lambda: issued(root) >= count or not process.is_alive())
        process.kill()
        process.join()

    for root in (first, second):
        root.mkdir()
    for share in (1, 3):
        killed_at(first, share * good // 8)
    handed = hand_over(settings, "handed", 0, "second", open_recorder_in(first))
    assert (handed.source, handed.taker, handed.place()) == ("handed.0", "second.0", ("handed", 0, "second"))
    take_over(Spool(second / "spool"), HandOver.unpack(handed.pack()))
    for share in (1, 3):
        killed_at(second, share * good // 8, source="second", partitions=[0])
    rest = member(first, kafka.servers, "handed").run(lambda _: False, until_end=True)
    assert (rest.accepted, rest.stopped, list(rest.handed_over)) == (0, {}, [("handed", 0)])
    member(second, kafka.servers, "handed", source="second", partitions=[0]).run(lambda _: False, until_end=True)
    direct = recorder(tmp_path / "direct", clock=lambda: max(tick["timestamp"] for tick in ticks))
    direct.ticks(ticks)
    direct.close()
    expected = [(symbol, close, volume) for symbol, _, close, volume in points(tmp_path / "direct")]
    recorded = [(symbol, close, volume) for root in (first, second) for symbol, _, close, volume in points(root)]
    assert issued(first) > 0 < issued(second)
    assert sorted(recorded) == sorted(expected)


def test_a_partition_moves_to_another_data_folder_by_two_commands(
    kafka: KafkaServer, ledger: Ledger, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)
    settings.KAFKA_SERVERS = kafka.servers
    create_topic(KafkaSettings(kafka.servers), "moves", 2)
    producer = BusProducer(KafkaSettings(kafka.servers), "moves")

    def write(*prices: float) -> None:
        for price in prices:
            content = bus.json_message([{"symbol": "A", "ltp": price, "timestamp": OPEN_NS}])
            producer.send(content, headers_of("json"), partition=1)
        producer.flush()

    def answer(*command: str) -> dict[str, Any]:
        output = StringIO()
        call_command(*command, "--format", "json", stdout=output)
        body: dict[str, Any] = json.loads(output.getvalue())
        return body

    write(1, 2)
    file = tmp_path / "moves.json"
    give = ["consume", "moves", "--partition", "1", "--hand-over", str(file), "--to", "there"]
    with pytest.raises(CommandError, match="Nothing of"):
        answer(*give)
    assert answer("consume", "moves", "--until-end")["accepted"] == 2
    with pytest.raises(CommandError, match="takes one --partition"):
        answer("consume", "moves", "--hand-over", str(file), "--to", "there")
    handed = answer(*give)
    assert {**handed, "at": ""} == {
        "topic": "moves", "partition": 1, "offset": 2, "passed": 0, "at": "", "source": "moves.1", "taker": "there.1",
    }  # fmt: skip
    write(3)
    left = answer("consume", "moves", "--until-end")
    assert (left["accepted"], left["stopped"], list(left["handed_over"])) == (0, {}, ["moves/1"])
    settings.SPOOL_DIR = tmp_path / "other" / "spool"
    with pytest.raises(CommandError, match="no hand-over"):
        answer("consume", "moves", "--take-over", __file__)
    with pytest.raises(CommandError, match="hands a partition of moves over"):
        answer("consume", "other", "--take-over", str(file))
    assert answer("consume", "moves", "--take-over", str(file), "--until-end")["accepted"] == 1
    assert answer("consume", "moves", "--take-over", str(file), "--until-end")["accepted"] == 0
    assert [point["close"] for point in stored(tmp_path / "other", source="there.1")] == [3.0]


def test_a_topic_of_transactions_is_read_to_its_end_and_goes_on_behind_their_records(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    """A transaction's end has an offset that nobody is given: it is no lost message, and the topic ends behind it."""
    create_topic(KafkaSettings(kafka.servers), "transactions", 1)
    producer = Producer({"bootstrap.servers": kafka.servers, "transactional.id": "velox"})
    producer.init_transactions()

    def write(*prices: float, is_kept: bool = True) -> None:
        producer.begin_transaction()
        for price in prices:
            content = bus.json_message([{"symbol": "A", "ltp": price, "timestamp": OPEN_NS}])
            producer.produce("transactions", content, headers=list(headers_of("json")))
        producer.commit_transaction() if is_kept else producer.abort_transaction()

    def accepted() -> int:
        return member(tmp_path, kafka.servers, "transactions").run(lambda _: False, until_end=True).accepted

    write(1, 2)
    assert accepted() == 2
    write(3, is_kept=False)
    assert accepted() == 0
    write(4)
    write(5)
    assert accepted() == 2
    assert accepted() == 0
    assert [point["close"] for point in stored(tmp_path, source="transactions.0")] == [1, 2, 4, 5]


def test_records_of_transactions_that_retention_takes_with_the_messages_before_them_are_not_told_as_lost(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    settings, end = KafkaSettings(kafka.servers), TopicPartition("trimmed", 0, OFFSET_END)
    create_topic(settings, "trimmed", 1)
    admin = AdminClient(settings.client())
    producer = Producer({"bootstrap.servers": kafka.servers, "transactional.id": "trimmed"})
    producer.init_transactions()

    def write(price: float, *, is_kept: bool = True) -> None:
        producer.begin_transaction()
        content = bus.json_message([{"symbol": "A", "ltp": price, "timestamp": OPEN_NS}])
        producer.produce("trimmed", content, headers=list(headers_of("json")))
        producer.commit_transaction() if is_kept else producer.abort_transaction()

    def accepted_and_trimmed() -> int:
        counts = member(tmp_path, kafka.servers, "trimmed").run(lambda _: False, until_end=True)
        next(iter(admin.delete_records([end]).values())).result(PATIENCE_SECONDS)
        return counts.accepted

    accepted = []
    for price in (1.0, 2.0):
        write(price)
        accepted.append(accepted_and_trimmed())
        write(-1.0, is_kept=False)  # read, and marked, by a member that had nothing to record
        accepted.append(accepted_and_trimmed())
    assert accepted == [1, 0, 1, 0]
    assert [point["close"] for point in stored(tmp_path, source="trimmed.0")] == [1.0, 2.0]


def test_a_storage_fault_stops_its_partition_alone_and_health_is_told(
    kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, spool, put = KafkaSettings(kafka.servers), Spool(tmp_path / "spool"), LaneWriter.put
    create_topic(settings, "faulty", 2)
    producer, is_full = BusProducer(settings, "faulty"), True

    def write(price: float) -> None:
        content = bus.json_message([{"symbol": "A", "ltp": price, "timestamp": OPEN_NS}])
        for number in (0, 1):
            producer.send(content, headers_of("json"), partition=number)
        producer.flush()

    def refuse(lane: LaneWriter, frame: bytes, count: int = 1) -> None:
        if is_full and lane.lane.source == "faulty.1":
            raise StorageFault(SpoolFull("The spool is full."))
        put(lane, frame, count)

    def prices(number: int) -> list[float]:
        return [point["close"] for point in stored(tmp_path, source=f"faulty.{number}")]

    def told() -> dict[int, tuple[int, str]]:
        return {row.number: (row.lag, row.stopped) for row in standings(spool)}

    monkeypatch.setattr(LaneWriter, "put", refuse)
    monkeypatch.setattr(consumer, "COMMIT_SECONDS", 0.0)
    seen: list[dict[int, tuple[int, str]]] = []

    def look(_: Any) -> bool:
        nonlocal is_full
        rows = told()
        if 1 in rows and rows[1][1] and prices(0) == [1.0] and not seen:
            seen.append(rows)
            write(2.0)
        if is_full and prices(0) == [1.0, 2.0]:  # the other goes on, though this one is tried again each second
            assert prices(1) == []
            seen.append(rows)
            is_full = False
        return prices(1) == [1.0, 2.0] and all(row == (0, "") for row in told().values())

    write(1.0)
    monkeypatch.setattr(consumer, "RETRY_SECONDS", 0.1)
    counts = member(tmp_path, kafka.servers, "faulty").run(look)
    assert [rows[1][1] for rows in seen] == ["The spool is full."] * 2
    assert (counts.accepted, counts.stopped) == (4, {})
    assert prices(0) == [1.0, 2.0]
    assert told() == {}  # who ends takes its words away


def test_messages_that_are_damaged_on_the_brokers_disk_stop_their_partition_until_they_are_whole(
    kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topic(KafkaSettings(kafka.servers), "damaged", 1)
    producer = Producer({"bootstrap.servers": kafka.servers, "acks": "all"})
    for price in (101.5, 102.5, 103.5):  # each in a batch of its own, with a checksum over it
        producer.produce("damaged", bus.json_message([{"symbol": "A", "ltp": price, "timestamp": OPEN_NS}]))
        producer.flush()
    segment = kafka.folder / "data" / "damaged-0" / "00000000000000000000.log"
    digit = segment.read_bytes().index(b"102.5")

    def set_digit(figure: bytes) -> None:
        with segment.open("r+b") as file:
            file.seek(digit)
            file.write(figure)

    def prices() -> list[float]:
        return [point["close"] for point in stored(tmp_path, source="damaged.0")]

    stopped: list[tuple[str, list[float]]] = []

    def look(counts: consumer.BusCounts) -> bool:
        stopped.extend((reason, prices()) for reason in counts.stopped.values())
        if len(stopped) == 5:  # tried again, and found the same
            set_digit(b"1")  # as where another replica leads
        return len(prices()) == 3

    monkeypatch.setattr(consumer, "RETRY_SECONDS", 0.1)
    set_digit(b"9")
    counts = member(tmp_path, kafka.servers, "damaged").run(look)
    assert prices() == [101.5, 102.5, 103.5]
    assert {"CRC" in reason for reason, _ in stopped} == {True}
    assert {tuple(recorded) for _, recorded in stopped} == {(101.5,)}
    assert counts.stopped == {}


def test_a_consumer_that_is_killed_or_has_no_answer_leaves_words_that_tell_of_it(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    create_topic(KafkaSettings(kafka.servers), "watched", 1)
    spool = Spool(tmp_path / "spool")

    def told() -> PartitionStanding | None:
        return next(standings(spool), None)

    process = start(tmp_path, kafka.servers, "watched")
    try:
        until(told)
        first = told()
        assert first is not None
        assert (first.place, first.pid, first.stopped) == ("watched/0", process.pid, "")
        until(lambda: (row := told()) is not None and row.answered_ns > first.answered_ns)
        with kafka.held():  # it hangs: nothing is answered, and the consumer says so
            until(lambda: (row := told()) is not None and row.at_ns - row.answered_ns > 3 * 10**9)
        until(lambda: (row := told()) is not None and row.at_ns - row.answered_ns < 3 * 10**9)
    finally:
        process.kill()
        process.join()
    last = told()
    assert last is not None
    assert fault([last], datetime.fromtimestamp(last.at_ns / 10**9, UTC)) is None
    left = fault([last], datetime.fromtimestamp(last.at_ns / 10**9 + LEFT_SECONDS + 1, UTC))
    assert left is not None
    assert (left.code, f"process {process.pid}" in left.detail) == ("partition_left", True)
    member(tmp_path, kafka.servers, "watched").run(lambda _: False, until_end=True)
    assert told() is None
