"""Disks that fill, fail and hang; processes that fork, share and die in the middle of a call."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.timeseries import chaos_recorder
from tests.timeseries.spools import INDIA, OPEN_NS, lane, recorder, stored
from tests.waiting import until
from timeseries.errors import SourceBusy, SpoolFailed, SpoolFull
from timeseries.recording import writer
from timeseries.recording.recorder import Recorder
from timeseries.spool import disk_space, durable, segment
from timeseries.spool.counter import ISSUED
from timeseries.spool.folder import Spool

# Python 3.12 warns of every fork beside threads; that it works is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
FULL = (errno.ENOSPC, errno.EDQUOT)


def fill_up(desk: Recorder, first: int = 0, count: int = 200) -> list[bool]:
    return [desk.tick("RELIANCE", {"ltp": 1 + first + number}, OPEN_NS + first + number) for number in range(count)]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_disk_that_refuses_a_segment_costs_only_the_new_ticks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    desk = recorder(tmp_path, segment_bytes=4096)

    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    answers = fill_up(desk, count=10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refuse)
        answers += fill_up(desk, 10, 190)
    accepted = answers.count(True)
    assert 10 < accepted < 200
    assert answers == [True] * accepted + [False] * (200 - accepted)
    assert desk.faults == {errno.errorcode[code]: 200 - accepted}
    full, failed, when = lane(tmp_path).refused()
    assert (full, failed)[:: -1 if code not in FULL else 1] == (200 - accepted, 0)
    assert when > 0
    until(lambda: desk.tick("RELIANCE", {"ltp": 777}, OPEN_NS + 10**9))  # by itself, without a restart
    assert [point["close"] for point in stored(tmp_path)] == [*range(1, accepted + 1), 777]
    desk.close()


@pytest.mark.parametrize(("code", "error"), [(errno.ENOSPC, SpoolFull), (errno.EIO, SpoolFailed)])
def test_who_wants_it_gets_the_fault_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    desk = recorder(tmp_path, on_storage_fault="raise")
    for call in (
        lambda: desk.tick("A", {"ltp": 1}, OPEN_NS),
        lambda: desk.ticks({"ltp": [1.0]}, symbol="A"),
        lambda: desk.indicators("A", {"ema": 1}),
        lambda: desk.snapshot("S", "A", 1, 1, None, None),
    ):
        with pytest.raises(error):
            call()


def test_a_folder_that_cannot_be_made_is_a_storage_fault(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file stands in the way")
    desk = recorder(tmp_path)
    assert desk.tick("A", {"ltp": 1}, OPEN_NS) is False
    assert sum(desk.faults.values()) == 1
    (tmp_path / "spool").unlink()
    until(lambda: desk.tick("A", {"ltp": 1}, OPEN_NS))
    full, failed, _ = lane(tmp_path).refused()  # those of before there was a place to count them, too
    assert full + failed == sum(desk.faults.values())
    desk.close()


def test_the_spool_stops_at_its_limit_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    desk = recorder(tmp_path, segment_bytes=4096, max_bytes=12_000)
    answers = fill_up(desk, count=400)
    accepted = answers.count(True)
    assert 0 < accepted < 400
    assert desk.faults == {"spool_limit": 400 - accepted}
    batch = desk.ticks({"ltp": [1.0, 2.0]}, symbol="A")
    assert (batch.accepted, [row[:2] for row in batch.rejected]) == (0, [(0, "spool_limit"), (1, "spool_limit")])
    used = sum(path.stat().st_size for path in (tmp_path / "spool").rglob("*.seg"))
    assert used <= 12_000
    found = lane(tmp_path)
    assert found.remove_kept(before_ns=2**62, through=accepted) > 0
    until(lambda: desk.tick("RELIANCE", {"ltp": 1}, OPEN_NS + 10**9))
    desk.close()


def test_the_reserve_is_never_taken_and_given_back_when_space_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "spool"
    root.mkdir()
    disk = {"free": 10_000_000}

    class Disk:
        f_frsize = 1
        f_blocks = 20_000_000

        @property
        def f_bavail(self) -> int:
            return disk["free"]

    monkeypatch.setattr(os, "statvfs", lambda _: Disk())
    space = disk_space.Room(root)  # the reserve is a million: a twentieth of this disk
    space.claim(4096)
    assert not space.file.exists()  # plenty
    disk["free"] = 3_000_000
    space.claim(4096)
    assert space.file.stat().st_size == 1_000_000
    disk["free"] = 100_000  # what is left beside the reserve
    space.claim(4096)
    disk["free"] = 0
    with pytest.raises(SpoolFull) as error:
        space.claim(4096)
    assert error.value.code == "spool_reserve"
    assert not space.file.exists()  # the ledger may have it
    disk["free"] = 1_000_000
    with pytest.raises(SpoolFull):
        space.claim(4096)
    disk["free"] = 9_000_000
    space.claim(4096)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("a disk of its own needs the right to mount one: run as root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_real_disk_that_fills_up_refuses_ticks_and_recovers(small_disk: Path) -> None:
    desk = recorder(small_disk, max_bytes=10**12)
    count = 0
    while desk.tick("RELIANCE", {"ltp": 1 + count, "volume": 1, "bid": 1, "ask": 2, "oi": 5}, OPEN_NS + count):
        count += 1
        assert count < 10**6
    assert desk.faults == {"spool_reserve": 1}
    disk = os.statvfs(small_disk)
    assert disk.f_bavail * disk.f_frsize >= disk.f_blocks * disk.f_frsize // 20  # left for the ledger
    assert len(lane(small_disk).pending(after=0, limit=10**7).batch) == count
    (small_disk / "ledger").write_bytes(bytes(300_000))
    found = lane(small_disk)
    assert found.remove_kept(before_ns=2**62, through=count) > 0
    until(lambda: desk.tick("RELIANCE", {"ltp": 1}, OPEN_NS + 10**9))
    desk.close()


def test_closing_never_waits_for_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = recorder(tmp_path)
    desk.tick("A", {"ltp": 1}, OPEN_NS)
    release = threading.Event()
    monkeypatch.setattr(durable, "sync_file", lambda _: release.wait(30))
    started = time.monotonic()
    desk.close(timeout=0.2)
    assert time.monotonic() - started < 2
    release.set()


class TestForks:
    def test_a_child_is_told_that_its_parent_holds_the_source(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path)
        desk.tick("A", {"ltp": 1}, OPEN_NS)

        def child() -> int:
            try:
                desk.tick("A", {"ltp": 2}, OPEN_NS)
            except SourceBusy as error:
                own = recorder(tmp_path, source="child")
                own.tick("A", {"ltp": 3}, OPEN_NS)
                own.close()
                return 0 if error.pid == os.getppid() else 2
            return 1

        assert in_child(child) == 0
        assert desk.tick("A", {"ltp": 4}, OPEN_NS)
        desk.close()
        assert [point["close"] for point in stored(tmp_path)] == [1, 4]
        assert [point["close"] for point in stored(tmp_path, source="child")] == [3]

    def test_a_child_opens_the_source_that_its_parent_has_freed(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path)
        desk.tick("A", {"ltp": 1}, OPEN_NS)
        reading, writing = os.pipe()

        def child() -> int:
            os.read(reading, 1)
            desk.tick("A", {"ltp": 2}, OPEN_NS)
            desk.close()
            return 0

        pid = os.fork()
        if pid == 0:
            os._exit(child())
        desk.close()
        os.write(writing, b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        os.close(reading), os.close(writing)
        points = stored(tmp_path)
        assert [point["close"] for point in points] == [1, 2]
        assert [point["time"] - OPEN_NS for point in points] == [0, 1]

    def test_a_child_that_lives_on_does_not_hold_its_parents_source(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path)
        desk.tick("A", {"ltp": 1}, OPEN_NS)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.read(reading, 1)
            os._exit(0)
        desk.close()
        try:
            again = recorder(tmp_path)
            assert again.tick("A", {"ltp": 2}, OPEN_NS)
            again.close()
        finally:
            os.write(writing, b"x")
            os.waitpid(pid, 0)
            os.close(reading), os.close(writing)

    def test_a_fork_in_the_midst_of_other_threads_ticks_leaves_both_whole(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path, segment_bytes=4096)
        done = threading.Event()

        def feed() -> None:
            number = 0
            while not done.is_set():
                desk.tick("A", {"ltp": 1 + number}, OPEN_NS + number)
                number += 1

        thread = threading.Thread(target=feed)
        thread.start()
        try:

            def child() -> int:
                own = recorder(tmp_path, source=f"child {os.getpid()}")
                return 0 if own.tick("A", {"ltp": 1}, OPEN_NS) else 1

            assert [in_child(child) for _ in range(10)] == [0] * 10
        finally:
            done.set()
            thread.join()
        points = stored(tmp_path)
        assert [point["close"] for point in points] == list(range(1, len(points) + 1))
        desk.close()


def in_child(work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 9
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_two_recorders_of_a_process_share_the_source(tmp_path: Path) -> None:
    first, second = recorder(tmp_path), recorder(tmp_path, account="paper", volume="cumulative")
    for number in range(3):
        first.tick("A", {"ltp": 1, "volume": number}, OPEN_NS)
        second.tick("A", {"ltp": 2, "volume": number}, OPEN_NS)
    first.close()
    assert second.tick("A", {"ltp": 2}, OPEN_NS)
    assert Spool(tmp_path / "spool").holder("desk") == os.getpid()
    second.close()
    assert Spool(tmp_path / "spool").holder("desk") is None
    points = stored(tmp_path)
    assert [(point["account"], point["time"] - OPEN_NS) for point in points] == [
        ("main", 0), ("paper", 0), ("main", 1), ("paper", 1), ("main", 2), ("paper", 2), ("paper", 3),
    ]  # fmt: skip


def test_a_folder_reached_by_two_paths_is_one(tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(tmp_path)
    first, second = recorder(tmp_path), recorder(tmp_path / "other")
    assert first.tick("A", {"ltp": 1}, OPEN_NS)
    assert second.tick("A", {"ltp": 2}, OPEN_NS)
    first.close()
    second.close()
    assert len(stored(tmp_path)) == 2


def test_the_first_record_is_told_once(tmp_path: Path) -> None:
    told: list[int] = []
    desk = recorder(tmp_path, look_after=lambda: told.append(1))
    assert told == []
    desk.indicators("A", {"ema": 1})
    desk.tick("A", {"ltp": 1}, OPEN_NS)
    desk.ticks({"ltp": [1.0]}, symbol="A")
    assert told == [1]
    desk.close()


def test_twenty_kills_lose_nothing_double_nothing_alter_nothing(tmp_path: Path) -> None:
    summary = chaos_recorder.run(tmp_path, kills=20, seed=20_210_412)
    assert summary.faults == []
    assert summary.acknowledged > 20


def _kill(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_before_the_name(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "rename", _kill)


def _kill_after_the_name(patch: pytest.MonkeyPatch) -> None:
    real = os.rename
    patch.setattr(os, "rename", lambda *names: (real(*names), _kill()))


def _kill_before_the_cut(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "truncate", _kill)


def _kill_after_the_cut(patch: pytest.MonkeyPatch) -> None:
    real = os.truncate
    patch.setattr(os, "truncate", lambda *cut: (real(*cut), _kill()))


def _kill_before_sealing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(segment.SegmentWriter, "seal", _kill)


def _kill_between_the_headers(patch: pytest.MonkeyPatch) -> None:
    real = segment.SegmentWriter.seal

    def seal(self: segment.SegmentWriter, **ends: int) -> None:
        self.map = Halving(self.map, of_head=True)  # type: ignore[assignment]
        real(self, **ends)

    patch.setattr(segment.SegmentWriter, "seal", seal)


class Halving:
    """A map that dies after half of a write: of the first header (``of_head``), or of any."""

    def __init__(self, real: Any, *, of_head: bool = False) -> None:
        self.real, self.of_head = real, of_head

    def __len__(self) -> int:
        return len(self.real)

    def __getitem__(self, place: Any) -> Any:
        return self.real[place]

    def __setitem__(self, place: slice, data: bytes) -> None:
        start = place.start or 0
        if self.of_head and start:
            self.real[place] = data
            return
        self.real[start : start + len(data) // 2] = data[: len(data) // 2]
        _kill()


class Words:
    """A counter that dies before it counts."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getitem__(self, place: int) -> int:
        return self.real[place]

    def __setitem__(self, place: int, value: int) -> None:
        if place == ISSUED:
            _kill()


@pytest.mark.parametrize(
    "arm",
    [
        _kill_before_the_name, _kill_after_the_name, _kill_before_the_cut, _kill_after_the_cut, _kill_before_sealing,
        _kill_between_the_headers,
    ],
)  # fmt: skip
def test_a_kill_while_one_segment_follows_another_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: Callable[[pytest.MonkeyPatch], None]
) -> None:
    acknowledged = die_recording(tmp_path, lambda _: arm(monkeypatch))
    assert acknowledged > 10
    for _ in range(2):  # what the dead one left, then what the next one made of it
        assert [point["close"] for point in stored(tmp_path)] == list(range(1, acknowledged + 1))
        assert lane(tmp_path).tail(after=0) == (acknowledged, 0)
        desk = recorder(tmp_path)
        assert desk.indicators("A", {"ema": 1})
        desk.close()
        Spool(tmp_path / "spool").adopt("desk")
    assert not list((tmp_path / "spool").rglob("*.new"))


def test_a_kill_inside_a_frame_leaves_no_trace_of_it(tmp_path: Path) -> None:
    def arm(desk: Recorder) -> None:
        part = desk._writer.lanes["ticks"].segment
        part.map = Halving(part.map)

    acknowledged = die_recording(tmp_path, arm)
    goes_on(tmp_path, [*range(1, acknowledged + 1), 999])


def test_a_kill_between_frame_and_counter_keeps_the_frame(tmp_path: Path) -> None:
    def arm(desk: Recorder) -> None:
        part = desk._writer.lanes["ticks"]
        part.words = Words(part.words)

    acknowledged = die_recording(tmp_path, arm)
    assert len(stored(tmp_path)) == acknowledged  # until somebody puts the counter right, nobody counts it
    goes_on(tmp_path, [*range(1, acknowledged + 2), 999])


def die_recording(root: Path, arm: Callable[[Recorder], None]) -> int:
    """Let a child record until what was armed after ten ticks kills it; returns how many calls returned."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            desk = Recorder(root / "spool", source="desk", account="main", zone=INDIA, segment_bytes=4096)
            for number in range(1000):
                desk.tick("A", {"ltp": 1 + number}, OPEN_NS + number)
                os.write(writing, b"x")
                if number == 9:
                    arm(desk)
        finally:
            os._exit(1)
    os.close(writing)
    acknowledged = 0
    while part := os.read(reading, 4096):
        acknowledged += len(part)
    os.close(reading)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    return acknowledged


def goes_on(root: Path, expected: list[int]) -> None:
    desk = recorder(root)
    desk.tick("A", {"ltp": 999}, OPEN_NS)
    desk.close()
    points = stored(root)
    assert [point["close"] for point in points] == expected
    assert [point["sequence"] for point in points] == list(range(1, len(expected) + 1))
    assert len({point["time"] for point in points}) == len(expected)
    assert lane(root).tail(after=0) == (len(expected), 0)


def test_a_disk_that_refuses_is_not_asked_for_every_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse(*_: Any) -> None:
        asked.append(1)
        raise OSError(errno.ENOSPC, "full")

    desk = recorder(tmp_path, segment_bytes=4096)
    fill_up(desk, count=1)
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setattr(writer, "PATIENCE", 10**6)
    assert fill_up(desk, 1, 500).count(False) > 100
    assert 1 <= len(asked) <= 2  # a large segment, then a small one
    desk.close()
