"""Topics for tests: messages of both kinds, and a partition of them that is recorded into a folder."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.timeseries.spools import NOW, OPEN_NS, recorder, stored
from timeseries.bus import messages as bus
from timeseries.bus.messages import BusMessage, TickRows, Unreadable, decode, form_of, joined
from timeseries.bus.partition import MessageClock, PartitionRecorder
from timeseries.recording.writer import LaneWriter

NAME = "ticks/0@id"
Point = tuple[str, int, float]


class Killed(BaseException):
    """What a test throws where a process would be killed."""


class KillPoint:
    """Throws `Killed` at the ``left``-th write of records or marks from now on; at 0 never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        for name in ("put", "mark"):
            monkeypatch.setattr(LaneWriter, name, self.at_risk(getattr(LaneWriter, name)))

    def at_risk(self, call: Any) -> Any:
        def wrapped(lane: LaneWriter, *arguments: Any, **keywords: Any) -> None:
            self.left -= 1
            if self.left == 0:
                raise Killed
            call(lane, *arguments, **keywords)

        return wrapped


def json_of(offset: int, *rows: dict[str, Any]) -> BusMessage:
    return BusMessage(offset, NOW, bus.json_message(rows), bus.headers_of(bus.JSON))


def arrow_of(offset: int, **columns: Any) -> BusMessage:
    return BusMessage(offset, NOW, bus.arrow_message(pa.table(columns)), bus.headers_of(bus.ARROW))


def tick(number: int, symbol: str = "TCS") -> dict[str, Any]:
    return {"symbol": symbol, "ltp": 100 + number / 20, "timestamp": OPEN_NS + number // 3 * 10**9}


def topic(length: int, seed: int) -> list[BusMessage]:
    """Return messages of both kinds, some with rows that are refused, some that cannot be read."""
    chance, made, number = random.Random(seed), [], 0
    for offset in range(length):
        rows = [tick(number + row, chance.choice(["TCS", "INFY"])) for row in range(chance.randrange(1, 9))]
        number += len(rows)
        for row in rows:
            if chance.random() < 0.1:
                row["ltp"] = -5.0
        if chance.random() < 0.1:
            made.append(BusMessage(offset, NOW, b"\xff{", bus.headers_of(bus.JSON)))
        elif chance.random() < 0.5:
            made.append(json_of(offset, *rows))
        else:
            made.append(arrow_of(offset, **{name: [row[name] for row in rows] for name in rows[0]}))
    return made


def partition(root: Path, *, source: str = "desk") -> PartitionRecorder:
    clock = MessageClock()
    return PartitionRecorder(recorder(root, clock=clock, on_storage_fault="raise", source=source), clock, NAME)


def points(root: Path) -> list[Point]:
    return sorted((point["symbol"], point["time"], point["close"]) for point in stored(root))


def rows_of(message: BusMessage) -> TickRows:
    return joined([decode(message, form_of(message.headers))])


def played(messages: list[BusMessage], root: Path) -> list[Point]:
    """Return the points of the messages' ticks, recorded directly."""
    direct = recorder(root)
    for message in messages:
        try:
            direct.ticks(rows_of(message))
        except Unreadable:
            continue
    direct.close()
    return points(root)
