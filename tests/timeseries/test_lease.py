"""The lease of a lane between shippers that die, are stopped, wake up again, or come at the same moment."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.timeseries.batches import SECOND, at
from tests.timeseries.desks import Desk, desk_in
from tests.timeseries.test_delta_processes import Worker, workers
from tests.waiting import PATIENCE_SECONDS, until
from timeseries.measurements import TICKS
from timeseries.spool import durable, lease
from timeseries.spool.lease import LeaseHeld, LeaseLost, hold
from timeseries.stores.base import PointQuery

OPEN = at("2021-04-12 09:15")


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    (tmp_path / "desk" / "ticks").mkdir(parents=True)
    return tmp_path / "desk" / "ticks"


def leases(lane: Path) -> list[str]:
    return [entry.name for entry in (lane / lease.FOLDER).iterdir()]


def test_a_lease_that_is_given_back_leaves_nothing_behind(lane: Path) -> None:
    with hold(lane, owner="one") as held:
        held.put("outcome", b"1")
        assert len(leases(lane)) == 1
    assert leases(lane) == []
    assert (lane / "outcome").read_bytes() == b"1"
    with pytest.raises(LeaseLost):
        held.check()


def test_a_living_holder_keeps_its_lease_however_long_its_work_takes(
    lane: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(lease, "STALE_SECONDS", 1.0)
    with hold(lane, owner="one") as held:
        until = time.monotonic() + 1.6
        while time.monotonic() < until:
            with pytest.raises(LeaseHeld, match="one"), hold(lane, owner="two"):
                pass
            time.sleep(0.05)
        held.put("outcome", b"1")


def test_a_heart_beats_no_longer_than_any_work_may_take(lane: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEART_SECONDS", 0.0)
    monkeypatch.setattr(lease, "STALE_SECONDS", 0.1)
    with hold(lane, owner="one") as first:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with hold(lane, owner="two") as second:
                    assert second.overtaken == ("one",)
                break
            except LeaseHeld:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        with pytest.raises(LeaseLost):
            first.check()


def test_who_was_overtaken_in_the_midst_of_settling_changes_nothing(
    lane: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not where it had looked a moment ago and all was well: the bytes are written, the name is not."""
    monkeypatch.setattr(lease, "STALE_SECONDS", -1.0)
    real = durable.write_file

    def overtaken(path: Path, content: bytes) -> None:
        real(path, content)
        monkeypatch.setattr(durable, "write_file", real)
        with hold(lane, owner="two") as second:
            second.put("outcome", b"of the second")

    monkeypatch.setattr(durable, "write_file", overtaken)
    with hold(lane, owner="one") as first:
        with contextlib.suppress(LeaseLost):
            first.put("outcome", b"of the first")
        assert (lane / "outcome").read_bytes() == b"of the second"
        with pytest.raises(LeaseLost):
            first.put("outcome", b"of the first again")
    assert leases(lane) == []


def test_of_many_that_come_at_once_one_at_a_time_ships(lane: Path) -> None:
    inside, most, turns = [0], [0], [0]

    def come() -> None:
        for _ in range(60):
            try:
                with hold(lane, owner="any"):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    turns[0] += 1
                    time.sleep(0.0005)
                    inside[0] -= 1
            except LeaseHeld:
                time.sleep(0.0002)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert turns[0] > 20
    assert leases(lane) == []


def test_what_a_killed_process_left_half_made_is_swept_up(lane: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (lane / lease.FOLDER / ".half made").mkdir(parents=True)
    with hold(lane, owner="one"):
        assert ".half made" in leases(lane)  # another may be at it this moment
    monkeypatch.setattr(lease, "LEFTOVER_SECONDS", -1.0)
    with hold(lane, owner="one"):
        assert ".half made" not in leases(lane)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = desk_in(tmp_path)
    desk.record("A", [OPEN + n * SECOND for n in range(10)], [float(n + 1) for n in range(10)])
    return desk


def stored(desk: Desk) -> list[float]:
    return desk.store.read(PointQuery(TICKS, 0, 2**62)).column("close").to_pylist()


def worker(role: str, desk: Desk) -> Worker:
    return Worker(role, desk.folder, module="tests.timeseries.lease_workers")


def test_a_killed_shippers_lease_is_free_at_once(desk: Desk) -> None:
    with workers() as running:
        running.append(worker("writing", desk))
        assert running[0].said(1) == ["here"]
        assert desk.pump.run_once().settled == 0
        running[0].end()
        assert desk.pump.run_once().settled == 10


@pytest.mark.parametrize("role", ["writing", "settling"])
def test_a_stopped_shipper_is_overtaken_and_marks_nothing_when_it_wakes_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setattr(lease, "STALE_SECONDS", 2.0)
    (lane,) = desk.spool.lanes()
    with workers() as running:
        running.append(worker(role, desk))
        assert running[0].said(1) == ["here"]
        assert desk.pump.run_once().settled == 0  # it lives
        running[0].process.send_signal(signal.SIGSTOP)
        until(lambda: desk.pump.run_once().settled == 10)
        outcome = lane.outcome()
        assert outcome.through == 10
        (desk.folder / "go").touch()
        running[0].process.send_signal(signal.SIGCONT)
        assert running[0].said(2) == ["here", "lease_lost"]
    assert lane.outcome() == outcome
    assert stored(desk) == [float(n + 1) for n in range(10)]
    found = desk.pump.points()
    assert (found["stored"], found["spooled"], found["balance"]) == (10, 0, 0)
