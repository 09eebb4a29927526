"""The syncer: what is recorded reaches the disk within the window, whatever its companion is busy with."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.timeseries.spools import NOW, OPEN_NS, lane, recorder
from tests.waiting import until
from timeseries.shipping.balance import unsynced_seconds
from timeseries.spool import syncer
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.spool.syncer import Syncer, SyncProcess

SECOND = 10**9


@pytest.fixture
def process(tmp_path: Path) -> Iterator[SyncProcess]:
    made = SyncProcess(tmp_path / "spool", window_seconds=0.2)
    yield made
    made.end()


class TestAge:
    """How old the oldest record is that a power loss would take."""

    def test_it_is_that_of_the_first_record_since_the_last_sync(self, tmp_path: Path) -> None:
        now = [NOW]
        desk, spool = recorder(tmp_path, clock=lambda: now[0], segment_bytes=4096), Spool(tmp_path / "spool")

        def age() -> float:
            return unsynced_seconds(spool, now=now[0])

        assert age() == 0
        for number in range(100):  # over several segments
            now[0] = NOW + number * SECOND
            desk.tick("A", {"ltp": 1}, OPEN_NS + number)
        assert age() == 99
        lane(tmp_path).sync()  # by whomever
        assert age() == 0
        now[0] += 5 * SECOND
        assert age() == 0  # nothing new
        desk.tick("A", {"ltp": 1}, OPEN_NS + 100)
        now[0] += SECOND
        desk.indicators("A", {"ema": 1})
        now[0] += SECOND
        assert age() == 2
        desk.close()
        assert age() == 0

    def test_a_sync_that_failed_makes_nothing_younger(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        desk = recorder(tmp_path)
        desk.tick("A", {"ltp": 1}, OPEN_NS)
        found = lane(tmp_path)

        def fails(_: int) -> None:
            raise OSError(errno.EIO, "gone")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fails)
            with pytest.raises(OSError, match="gone"):
                found.sync()
        assert found.unsynced() == 0
        desk.close()
        assert found.unsynced() is None

    def test_what_comes_while_the_disk_syncs_is_not_taken_for_synced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk = recorder(tmp_path)
        desk.tick("A", {"ltp": 1}, OPEN_NS)
        real, more = os.fsync, iter([True])

        def fsync(descriptor: int) -> None:
            real(descriptor)
            if next(more, False):
                desk.tick("A", {"ltp": 2}, OPEN_NS + 1)

        monkeypatch.setattr(os, "fsync", fsync)
        found = lane(tmp_path)
        found.sync()
        assert found.unsynced() == 1
        found.sync()
        assert found.unsynced() is None
        desk.close()


class TestSyncer:
    def test_it_syncs_what_is_new_and_only_that(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[str] = []
        real = Lane.sync
        monkeypatch.setattr(Lane, "sync", lambda one: (synced.append(one.measurement.name), real(one)))
        desk, made = recorder(tmp_path), Syncer(Spool(tmp_path / "spool"))
        for expected in (["ticks"], [], ["ticks"]):
            if expected:
                desk.tick("A", {"ltp": 1}, OPEN_NS)
            synced.clear()
            assert made.run_once() == []
            assert synced == expected
        desk.close()

    def test_a_lane_that_fails_is_left_alone_for_a_while_and_keeps_no_other_waiting(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now, tried = [0.0], []
        made = Syncer(Spool(tmp_path / "spool"), clock=lambda: now[0])
        desk, real = recorder(tmp_path), Lane.sync
        desk.tick("A", {"ltp": 1}, OPEN_NS)
        desk.indicators("A", {"ema": 1})

        def sync(one: Lane) -> None:
            if one.measurement.name == "ticks":
                tried.append(now[0])
                raise OSError(errno.EIO, "gone")
            real(one)

        with monkeypatch.context() as patch:
            patch.setattr(Lane, "sync", sync)
            assert [fault.errno for fault in made.run_once()] == [errno.EIO]
            assert lane(tmp_path, "indicators").unsynced() is None
            for now[0] in (0.1, 0.5, 1.1):
                made.run_once()
        assert tried == [0.0, 1.1]
        now[0] = 2.2
        assert made.run_once() == []
        assert lane(tmp_path).unsynced() is None
        desk.close()


class TestProcess:
    def test_it_syncs_until_it_is_told_to_end(self, tmp_path: Path, process: SyncProcess) -> None:
        desk = recorder(tmp_path)
        process.look()
        for number in range(3):
            assert desk.tick("A", {"ltp": 1}, OPEN_NS + number)
            until(lambda: lane(tmp_path).unsynced() is None)
        assert desk.tick("A", {"ltp": 1}, OPEN_NS + 3)
        process.end()
        assert lane(tmp_path).unsynced() is None  # the last sync comes after the last word
        desk.close()

    def test_killed_it_is_started_anew_at_the_next_look(self, tmp_path: Path, process: SyncProcess) -> None:
        process.look()
        assert process._process is not None
        first = process._process
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: first.poll() is not None)
        process.look()
        desk = recorder(tmp_path)
        desk.tick("A", {"ltp": 1}, OPEN_NS)
        until(lambda: lane(tmp_path).unsynced() is None)
        desk.close()

    def test_what_the_disk_refused_is_raised_at_a_look(self, tmp_path: Path, process: SyncProcess) -> None:
        (tmp_path / "spool").write_text("a file stands in the way")
        process.look()
        with pytest.raises(OSError, match="Not a directory"):
            until(process.look)

    def test_a_companion_that_was_killed_is_outlived_for_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(syncer, "ALONE_SECONDS", 0.2)
        hears, says = os.pipe()
        tells = os.open(os.devnull, os.O_WRONLY)
        parent = syncer._Parent(hears, tells)
        assert not parent.wait(0)
        os.close(says)
        began = time.monotonic()
        while not parent.wait(0.01):
            assert time.monotonic() - began < 60
        assert time.monotonic() - began > 0.2
        os.close(hears), os.close(tells)
