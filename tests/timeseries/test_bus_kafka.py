"""Real ticks through a real Kafka into a spool: members and the broker are killed, and each tick is there once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Message
from django.core.management import CommandError, call_command

from tests.conftest import Ledger
from tests.kafka_server import KafkaServer, kafka_server
from tests.timeseries.bus_member import member, open_recorder_in
from tests.timeseries.spools import INDIA, NOW, OPEN_NS, recorder, rows, stored
from tests.waiting import PATIENCE_SECONDS, until
from timeseries import wiring
from timeseries.bus import messages as bus
from timeseries.bus.connection import BusUnavailable, KafkaSettings
from timeseries.bus.consumer import DEAD, hand_over
from timeseries.bus.live import LiveTicks
from timeseries.bus.messages import headers_of
from timeseries.bus.producer import BusProducer
from timeseries.bus.topics import create_topic, topic_ids
from timeseries.spool.folder import Spool
from timeseries.spool.hand_overs import HandOver, take_over
from trading import summon

pytestmark = pytest.mark.xdist_group("kafka")

PARTITIONS, KILLS, BROKER_KILLS = 4, int(os.environ.get("VELOX_BUS_KILLS", "10")), 2
SLICE, BAD_EVERY = 500, 500
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
    for number, start in enumerate(range(0, len(ticks), SLICE)):
        share = ticks[start : start + SLICE]
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


def start(root: Path, kafka: KafkaServer, topic: str, *options: str) -> subprocess.Popen[bytes]:
    with (root / "members.txt").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.timeseries.bus_member", str(root), kafka.servers, topic, *options],
            stdout=output, stderr=output,
        )  # fmt: skip


def read(servers: str, topic: str, count: int) -> list[Message]:
    """Return the first messages of a topic."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found: list[Message] = []
    until(lambda: found.extend(m for m in consumer.consume(count, 0.5) if m.error() is None) or len(found) >= count)
    consumer.close()
    return found


def test_what_a_topic_holds_is_recorded_once_through_kills_of_members_and_broker(
    kafka: KafkaServer, market_data: Path, tmp_path: Path
) -> None:
    ticks, settings, chance = day(market_data), KafkaSettings(kafka.servers), random.Random(20210412)
    good = sum(tick["ltp"] > 0 for tick in ticks)
    create_topic(settings, "ticks", PARTITIONS)
    producing = threading.Thread(target=produce, args=(settings, "ticks", ticks))
    producing.start()
    members = [start(tmp_path, kafka, "ticks") for _ in range(2)]
    try:
        for kill in range(KILLS):
            reached = (kill + chance.random()) * good / (KILLS + 1)
            until(lambda: issued(tmp_path) >= reached)  # noqa: B023
            if kill in (KILLS // 3, 2 * KILLS // 3):
                kafka.kill()
                kafka.start()
            else:
                number = chance.randrange(2)
                members[number].send_signal(signal.SIGKILL)
                members[number].wait()
                members[number] = start(tmp_path, kafka, "ticks")
        producing.join(PATIENCE_SECONDS)
        until(lambda: issued(tmp_path) >= good)
    finally:
        for process in members:
            process.send_signal(signal.SIGKILL)
            process.wait()
    rest = member(tmp_path, kafka.servers, "ticks").run(lambda _: False, until_end=True)
    assert (rest.accepted, rest.stopped) == (0, {})
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


def test_a_topic_that_is_not_there_is_told(kafka: KafkaServer) -> None:
    with pytest.raises(BusUnavailable, match="nothing"):
        topic_ids(KafkaSettings(kafka.servers), ["nothing"])


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

    def killed_at(root: Path, count: int, *options: str) -> None:
        process = start(root, kafka, "handed", *options)
        until(lambda: issued(root) >= count or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.wait()

    for root in (first, second):
        root.mkdir()
    for share in (1, 3):
        killed_at(first, share * good // 8)
    handed = hand_over(settings, "handed", 0, "second", open_recorder_in(first))
    assert (handed.source, handed.taker, handed.place()) == ("handed.0", "second.0", ("handed", 0, "second"))
    take_over(Spool(second / "spool"), HandOver.unpack(handed.pack()))
    for share in (1, 3):
        killed_at(second, share * good // 8, "second", "0")
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
