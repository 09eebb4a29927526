"""The group sync before a disk that fails: what it says is safe is safe, whatever the kernel says of a second try."""

from __future__ import annotations

import errno
import os
import random
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.timeseries.spools import OPEN_NS, lane, recorder, stored
from tests.waiting import until
from timeseries.recording import writer
from timeseries.recording.recorder import Recorder
from timeseries.spool.counter import NAME, CounterMap
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane

CODES = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Disk:
    """What is really on the disk, beside what the page cache shows: the kernel's way with fsync.

    An fsync that fails drops what it should have written: those bytes count as clean from then on, and the next fsync
    of the file, through whatever descriptor, is a success that writes only what was changed since.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.platter: dict[int, bytes] = {}  # by inode
        self.clean: dict[int, bytes] = {}  # what the cache takes to be on the disk
        self.names: dict[Path, int | None] = {}
        self.dropped: set[tuple[Path, int]] = set()  # entries of folders
        self.held: dict[int, int] = {}
        self.failing: dict[int, int] = {}  # number of the fsync to errno
        self.fails_with = 0  # every one of them
        self.count = 0
        self._real = os.fsync
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        self.count += 1
        code = self.fails_with or self.failing.pop(self.count, 0)
        status, path = os.fstat(descriptor), Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if status.st_ino not in self.held:  # or another file would come to have its number
            self.held[status.st_ino] = os.dup(descriptor)
        if stat.S_ISDIR(status.st_mode):
            now = {entry: entry.stat().st_ino for entry in path.iterdir() if entry.is_file()}
            known = {name: inode for name, inode in self.names.items() if name.parent == path}
            if code:
                self.dropped |= now.items() - known.items()
            else:
                self.names = {name: inode for name, inode in self.names.items() if name.parent != path}
                self.names |= {name: known.get(name) if (name, i) in self.dropped else i for name, i in now.items()}
        else:
            data = Path(f"/proc/self/fd/{descriptor}").read_bytes()
            if not code:
                self.platter[status.st_ino] = self._written(status.st_ino, data)
            self.clean[status.st_ino] = data
        if code:
            raise OSError(code, os.strerror(code))

    def _written(self, inode: int, now: bytes) -> bytes:
        clean, disk = self.clean.get(inode, b""), bytearray(self.platter.get(inode, b"").ljust(len(now), b"\0"))
        del disk[len(now) :]
        for start in range(0, len(now), 512):
            if now[start : start + 512] != clean[start : start + 512] or not clean:
                disk[start : start + 512] = now[start : start + 512]
        return bytes(disk)

    def lose_power(self, root: Path, into: Path) -> None:
        """Make the folder as the disk has it."""
        for path, inode in self.names.items():
            if inode is not None and path.is_relative_to(root):
                there = into / path.relative_to(root)
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(self.platter.get(inode, b""))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(monkeypatch)
    yield disk
    for descriptor in disk.held.values():
        os.close(descriptor)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Recorder]:
    desk = recorder(tmp_path / "desk", segment_bytes=4096)
    yield desk
    desk.close()


def record(desk: Recorder, count: int, first: int = 0) -> int:
    """Offer prices that rise; return how many were accepted."""
    taken = [desk.tick("A", {"ltp": 1 + first + n}, OPEN_NS + first + n) for n in range(count)]
    return taken.count(True)


def on_disk(disk: Disk, tmp_path: Path, number: int = 0) -> list[float]:
    into = tmp_path / f"after the power loss {number}"
    disk.lose_power(tmp_path / "desk", into)
    disk.failing = {}
    Spool(into / "spool").adopt("desk")
    return [point["close"] for point in stored(into)]


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_what_could_not_be_synced_once_is_written_again_before_it_counts(
    tmp_path: Path, disk: Disk, desk: Recorder, code: int
) -> None:
    record(desk, 10)
    found = lane(tmp_path / "desk")
    found.sync()
    record(desk, 10, 10)
    disk.failing = {disk.count + 1: code}
    with pytest.raises(OSError, match=os.strerror(code)):
        found.sync()
    with pytest.raises(OSError, match="wait"):
        found.sync()  # not though the kernel would say yes now
    assert on_disk(disk, tmp_path, 1) == list(range(1, 11))
    assert record(desk, 5, 20) == 0  # who was told of a disk that loses things takes nothing more
    assert desk.faults == {errno.errorcode[code]: 5}
    full, failed, _ = found.refused()
    assert (full, failed) == ((5, 0) if code in (errno.ENOSPC, errno.EDQUOT) else (0, 5))
    found.sync()
    until(lambda: record(desk, 1, 20))
    found.sync()
    assert on_disk(disk, tmp_path, 2) == list(range(1, 22))
    assert found.doubt() == 0


def test_another_process_does_not_believe_the_file_either(tmp_path: Path, disk: Disk, desk: Recorder) -> None:
    record(desk, 10)
    disk.failing = {disk.count + 1: errno.EIO}
    with pytest.raises(OSError, match="Input/output"):
        lane(tmp_path / "desk").sync()
    another = Lane(lane(tmp_path / "desk").folder, "desk", lane(tmp_path / "desk").measurement)
    with pytest.raises(OSError, match="wait"):
        another.sync()
    desk.close()
    another.sync()
    assert on_disk(disk, tmp_path) == list(range(1, 11))


def test_a_recorder_that_closes_writes_again_what_it_could_not_sync(tmp_path: Path, disk: Disk, desk: Recorder) -> None:
    record(desk, 10)
    disk.failing = {disk.count + 1: errno.EIO}
    desk.close()
    assert lane(tmp_path / "desk").doubt() == 0
    assert on_disk(disk, tmp_path) == list(range(1, 11))


def test_random_faults_of_the_disk_never_make_sync_say_more_than_is_true(tmp_path: Path, disk: Disk) -> None:
    chance = random.Random(11)
    desk = recorder(tmp_path / "desk", segment_bytes=4096)
    found, losses = lane(tmp_path / "desk"), 0
    offered, accepted = iter(range(1, 10**6)), []
    for round_ in range(150):
        for _ in range(chance.randint(0, 40)):
            price = next(offered)
            if desk.tick("A", {"ltp": price}, OPEN_NS + price):
                accepted.append(price)
        if chance.random() < 0.4:
            disk.failing = {disk.count + chance.randint(1, 6): chance.choice(CODES)}
        try:
            found.sync()
        except OSError:
            continue
        if round_ % 10 == 0:
            losses += 1
            assert on_disk(disk, tmp_path, round_) == accepted
    assert len(accepted) > 100
    assert losses > 0
    disk.failing = {}
    desk.close()
    assert [point["close"] for point in stored(tmp_path / "desk")] == accepted


def test_without_a_companion_the_recorder_proves_the_disk_itself(
    tmp_path: Path, disk: Disk, desk: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PROOF_NS", 50_000_000)
    record(desk, 10)
    found = lane(tmp_path / "desk")
    disk.fails_with = errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        found.sync()
    stopped = time.monotonic() + 0.3
    while time.monotonic() < stopped:
        assert record(desk, 1, 10) == 0
    disk.fails_with = 0
    until(lambda: record(desk, 1, 10))
    found.sync()
    assert on_disk(disk, tmp_path) == list(range(1, 12))


def test_a_page_that_cannot_be_read_any_more_is_damage_and_not_silence(
    tmp_path: Path, disk: Disk, desk: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(desk, 30)
    desk.close()
    found = lane(tmp_path / "desk")
    counter = CounterMap(found.folder)
    counter.doubt(1, 1, errno.EIO)
    counter.close()
    real = os.pread

    def pread(descriptor: int, size: int, position: int) -> bytes:
        if size == 4096:
            raise OSError(errno.EIO, "gone")
        return real(descriptor, size, position)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", pread)
        found.sync()
    assert found.doubt() == 0
    assert found.tail(after=0).damaged == 30


def test_a_folder_that_could_not_be_synced_is_not_believed_either(tmp_path: Path, disk: Disk, desk: Recorder) -> None:
    found = lane(tmp_path / "desk")
    accepted = record(desk, 80)
    assert len(found.segments()) == 2
    disk.failing = {disk.count + 4: errno.EIO}  # two segments, the counter, the folder
    with pytest.raises(OSError, match="wait"):
        found.sync()
    assert record(desk, 1, 80) == 0
    found.sync()
    assert on_disk(disk, tmp_path) == list(range(1, accepted + 1))


def test_a_fault_that_stands_for_long_keeps_nothing_of_the_calls_that_met_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 10**9)
    desk = recorder(tmp_path)
    record(desk, 3)
    counter = CounterMap(lane(tmp_path).folder)
    counter.doubt(1, 1, errno.EIO)
    assert record(desk, 200) == 0
    assert desk._last_fault is not None
    length, trace = 0, desk._last_fault.__traceback__
    while trace is not None:
        length, trace = length + 1, trace.tb_next
    assert length < 12
    counter.doubt(0, 0, 0)
    counter.close()
    desk.close()


def test_a_source_whose_lock_could_not_be_written_is_not_lost_to_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = recorder(tmp_path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert not desk.tick("A", {"ltp": 1}, OPEN_NS)
    until(lambda: desk.tick("A", {"ltp": 1}, OPEN_NS))
    assert lane(tmp_path).refused()[0] == desk.faults["ENOSPC"]
    desk.close()


def test_a_small_file_of_a_disk_that_takes_half_of_it_is_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = recorder(tmp_path)
    record(desk, 3)
    found = lane(tmp_path)
    outcome = found.outcome()
    real, room = os.write, [20]

    def write(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "full")
        taken, room[0] = real(descriptor, bytes(data)[: room[0]]), 0
        return taken

    with monkeypatch.context() as patch, found.lease(owner="the test") as lease:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="full"):
            found.settle(type(outcome)(through=3, stored={"main": 3}), lease)
        assert list(lease.path.iterdir()) == [lease.path / "holder"]
    assert found.outcome() == outcome
    assert (found.folder / NAME).exists()
    desk.close()
