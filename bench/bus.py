"""A topic of Kafka read into the spool, in CPU seconds of the whole process, beside `process_ticks` of the same rows.

The broker is that of the tests. A consumer's seconds have its client in them, its joining of the group, reading of the
messages, marks and records; the reference has its rows decoded already. What marks cost is measured on messages that
are in memory: what a consumer does beside would hide it. Decision 32 says what a JSON message's CPU goes into.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from bench.harness import Figures, Row, Skipped
from tests.kafka_server import kafka_server
from tests.timeseries.bus_member import member
from tests.timeseries.spools import NOW, OPEN_NS, recorder
from timeseries.bus.connection import KafkaSettings
from timeseries.bus.messages import ARROW, JSON, BusMessage, BusMessages, arrow_message, headers_of, json_message
from timeseries.bus.partition import MessageClock, PartitionRecorder
from timeseries.bus.producer import BusProducer
from timeseries.bus.topics import create_topic
from timeseries.recording.writer import LaneWriter

ROWS_OF = {ARROW: 200_000, JSON: 50_000}
ROWS_A_MESSAGE = {ARROW: 1000, JSON: 1}
TAKEN_AT_ONCE = 4096  # messages of one look
NAMES = {ARROW: "Arrow batches", JSON: "one JSON tick a message"}
MARKS = {  # process_ticks takes at least 0.6 and 0.3 of a consumer's CPU seconds
    f"{NAMES[ARROW]}: a consumer's CPU over process_ticks'": 1 / 0.6,
    f"{NAMES[JSON]}: a consumer's CPU over process_ticks'": 1 / 0.3,
}
OF_MARKS = {f"{name}: CPU with marks over that without": 1.05 for name in NAMES.values()}


@contextmanager
def prepare() -> Iterator[Figures | Skipped]:
    if not shutil.which("java") or not shutil.which("mvn"):
        yield Skipped("Kafka takes Java and Maven: make servers")
        return
    with tempfile.TemporaryDirectory(prefix="velox-bench-bus-") as name:
        folder = Path(name)
        (folder / "kafka").mkdir()
        with kafka_server(folder / "kafka") as kafka:
            for form, count in ROWS_OF.items():
                create_topic(KafkaSettings(kafka.servers), form, 1)
                producer = BusProducer(KafkaSettings(kafka.servers), form)
                producer.table(ticks(count), form=form, rows=ROWS_A_MESSAGE[form])
                producer.flush()
            yield Figures(lambda: _measured(folder, kafka.servers), MARKS, "times", is_long=False)


@contextmanager
def prepare_marks() -> Iterator[Figures]:
    messages = {}
    for form, count in ROWS_OF.items():
        table, rows = ticks(count), ROWS_A_MESSAGE[form]
        shares = [table.slice(start, rows) for start in range(0, count, rows)]
        contents = [arrow_message(share) if form == ARROW else json_message(share.to_pylist()) for share in shares]
        messages[form] = BusMessages.of(
            [BusMessage(at, NOW, content, headers_of(form)) for at, content in enumerate(contents)]
        )
    with tempfile.TemporaryDirectory(prefix="velox-bench-marks-") as name:
        yield Figures(lambda: _with_and_without(Path(name), messages), OF_MARKS, "times", is_long=False)


def ticks(count: int) -> pa.Table:
    """Return so many ticks of 50 symbols."""
    numbers = np.arange(count)
    return pa.table(
        {
            "symbol": [f"S{number % 50}" for number in range(count)],
            "ltp": 100 + numbers % 997 / 20,
            "bid": 99.5 + numbers % 997 / 20,
            "day_volume": numbers * 1.0,
            "timestamp": OPEN_NS + numbers // 50 * 10**8,
        }
    )


def _measured(folder: Path, servers: str) -> dict[str, float]:
    figures = {}
    for form, name in zip(ROWS_OF, MARKS, strict=True):
        table = ticks(ROWS_OF[form])
        columns = {name: table.column(name).to_numpy() for name in table.column_names[1:]}
        rows = table.to_pylist() if form == JSON else {**columns, "symbol": table.column("symbol").to_pylist()}
        with tempfile.TemporaryDirectory(dir=folder) as root:
            consumer = _cpu(lambda: member(Path(root), servers, form).run(lambda _: False, until_end=True).accepted)  # noqa: B023
            direct = recorder(Path(root) / "direct")
            figures[name] = consumer / _cpu(lambda: direct.ticks(rows).accepted)  # noqa: B023
            direct.close()
    return figures


def _with_and_without(folder: Path, messages: dict[str, BusMessages]) -> dict[str, float]:
    """Return the ratio of each form, of two recordings each way, one between the other's."""
    figures = {}
    for name, whole in zip(NAMES.values(), messages.values(), strict=True):
        seconds = {True: 0.0, False: 0.0}
        for is_marked in (True, False, False, True):
            seconds[is_marked] += _recording(folder, whole, is_marked=is_marked)
        figures[f"{name}: CPU with marks over that without"] = seconds[True] / seconds[False]
    return figures


def _recording(folder: Path, messages: BusMessages, *, is_marked: bool) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as root:
        clock = MessageClock()
        recording = PartitionRecorder(recorder(Path(root), clock=clock), clock, "bench")
        with nullcontext() if is_marked else patch.object(LaneWriter, "mark", lambda *_: None):
            starts = range(0, len(messages), TAKEN_AT_ONCE)
            cpu = _cpu(lambda: sum(recording.take(messages[at : at + TAKEN_AT_ONCE]).accepted for at in starts))
        recording.recorder.close()
    return cpu


def _cpu(work: Callable[[], int]) -> float:
    began = time.process_time()
    assert work() > 0
    return time.process_time() - began


ROWS = [
    Row("bus", "a Kafka topic into the spool, beside process_ticks of its rows", prepare, unit="times"),
    Row("marks", "a topic's messages into a lane, with marks and without", prepare_marks, unit="times"),
]
