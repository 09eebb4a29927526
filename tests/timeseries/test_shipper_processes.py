"""Shippers that are killed, and several at once."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.timeseries.batches import SECOND, at
from tests.timeseries.desks import Desk, desk_in
from tests.timeseries.test_delta_processes import Worker, workers
from tests.waiting import until
from timeseries.measurements import TICKS
from timeseries.stores.base import PointQuery

OPEN = at("2021-04-12 09:15")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_in(tmp_path)


def pump_process(role: str, desk: Desk) -> Worker:
    return Worker(role, desk.folder, module="tests.timeseries.pump_workers")


def record(desk: Desk, source: str, first: int, count: int) -> None:
    numbers = range(first, first + count)
    desk.record("A", [OPEN + n * SECOND for n in numbers], [float(n + 1) for n in numbers], source=source)


def stored(desk: Desk, source: str) -> list[float]:
    table = desk.store.read(PointQuery(TICKS, 0, 2**62, {"source": source}))
    return table.column("close").to_pylist()


@pytest.mark.chaos
@pytest.mark.parametrize(("role", "written"), [("die before settling", 20), ("die before writing", 0)])
def test_a_shipper_killed_around_its_write_loses_and_doubles_nothing(desk: Desk, role: str, written: int) -> None:
    record(desk, "default", 0, 50)
    with workers() as running:
        running.append(pump_process(role, desk))
        until(lambda: running[0].process.poll() is not None)
        assert running[0].process.returncode == -9
    (lane,) = desk.spool.lanes()
    assert (lane.outcome().through, len(stored(desk, "default"))) == (0, written)
    assert desk.pump.points()["balance"] == 0
    assert desk.pump.drain(20)
    assert stored(desk, "default") == [float(n + 1) for n in range(50)]
    found = desk.pump.points()
    assert (found["stored"], found["spooled"], found["balance"]) == (50, 0, 0)


@pytest.mark.chaos
def test_two_pumps_share_the_lanes_and_each_slice_is_committed_once(desk: Desk) -> None:
    sources = ["one", "two", "three"]
    for source in sources:
        record(desk, source, 0, 200)
    with workers() as running:
        running += [pump_process("ship", desk) for _ in range(2)]
        until(lambda: desk.pump.points()["spooled"] == 0)
    assert desk.pump.points()["balance"] == 0
    for source in sources:
        assert stored(desk, source) == [float(n + 1) for n in range(200)]
    log = sorted((desk.store.root / "ticks" / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for file in log for line in file.read_text().splitlines()]
    lanes = [
        (a["txn"]["appId"], a["txn"]["version"]) for a in actions if "txn" in a and a["txn"]["appId"].endswith("/ticks")
    ]
    assert sorted(lanes) == sorted((f"{source}/ticks", 20 * n) for source in sources for n in range(1, 11))


@pytest.mark.chaos
def test_pumps_killed_at_random_while_ticks_are_recorded_lose_and_double_nothing(desk: Desk) -> None:
    chance = random.Random(12)
    recorded = 0
    for _ in range(4):
        with workers() as running:
            running += [pump_process("ship", desk) for _ in range(2)]
            running[0].said(1)
            for _ in range(chance.randint(2, 8)):
                record(desk, "default", recorded, 37)
                recorded += 37
                found = desk.pump.points()
                assert (found["accepted"], found["balance"]) == (recorded, 0)
                ticks = desk.reader.ticks("A", 0, 2**62, account="main")
                assert ticks.column("close").to_pylist() == [float(n + 1) for n in range(recorded)]
    assert desk.pump.drain(30)
    assert stored(desk, "default") == [float(n + 1) for n in range(recorded)]
    assert desk.pump.points()["balance"] == 0
