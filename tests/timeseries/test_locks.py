"""Locks that end with their holder's last word, though a child was forked in the midst and lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.companions import is_alive
from tests.timeseries.spools import OPEN_NS, lane, recorder
from tests.waiting import PATIENCE_SECONDS, until
from timeseries.shipping import minute_keeper, shipper
from timeseries.spool import lease
from timeseries.spool.folder import SourceLock
from timeseries.spool.locks import FileLock
from trading import summon
from velox_site.log_files import SizedFile

# Python 3.12 warns of every fork beside threads; that it works is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@contextmanager
def living_child() -> Iterator[None]:
    """Fork a child that lives until the block is left."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        yield
    finally:
        os.close(writing)
        os.waitpid(pid, 0)


@contextmanager
def another_copy() -> Iterator[None]:
    """Keep a copy of every file that is open now, as a child would that no hook of Python has seen."""
    copies = [os.dup(int(name)) for name in os.listdir("/proc/self/fd") if _is_file(name)]
    try:
        yield
    finally:
        for descriptor in copies:
            os.close(descriptor)


def _is_file(name: str) -> bool:
    try:
        return os.path.isfile(os.readlink(f"/proc/self/fd/{name}"))
    except FileNotFoundError:
        return False


def source(root: Path) -> SourceLock:
    folder = root / "source"
    folder.mkdir(exist_ok=True)
    return SourceLock(folder)


@contextmanager
def source_held(root: Path) -> Iterator[None]:
    lock = source(root)
    lock.acquire(source="source", patience_seconds=0)
    yield
    lock.release()


@contextmanager
def source_adopted(root: Path) -> Iterator[None]:
    lock = source(root)
    assert lock.try_acquire()
    yield
    lock.release()


@contextmanager
def lane_leased(root: Path) -> Iterator[None]:
    (root / "lane").mkdir(exist_ok=True)
    with lease.hold(root / "lane", owner="the test"):
        yield


@contextmanager
def gate_held(root: Path) -> Iterator[None]:
    with shipper.gate(root, alone=True):
        yield


@contextmanager
def minutes_kept(root: Path) -> Iterator[None]:
    desk = recorder(root)
    desk.tick("A", {"ltp": 1}, OPEN_NS)
    desk.close()
    with minute_keeper._alone(lane(root)) as is_alone:
        assert is_alone
        yield


@contextmanager
def companion(root: Path) -> Iterator[None]:
    with summon.being_the_companion() as is_ours:
        assert is_ours
        yield


@contextmanager
def log_rotated(root: Path) -> Iterator[None]:
    rotates, goes_on = threading.Event(), threading.Event()

    class HeldFile(SizedFile):
        def _is_other(self, path: Path) -> bool:  # what a rotation asks first, with the lock in its hands
            rotates.set()
            assert goes_on.wait(PATIENCE_SECONDS)
            return super()._is_other(path)

    writer = threading.Thread(target=HeldFile(root / "log", bytes_max=1, backups=1).write, args=(b"line", 0))
    writer.start()
    assert rotates.wait(PATIENCE_SECONDS)
    yield
    goes_on.set()
    writer.join()
    probe = FileLock(root / ".log.lock")
    assert probe.take()
    probe.free()


PLACES = [source_held, source_adopted, lane_leased, gate_held, minutes_kept, companion, log_rotated]


@pytest.mark.parametrize("copies", [living_child, another_copy])
@pytest.mark.parametrize("held", PLACES, ids=lambda held: held.__name__)
def test_a_lock_is_free_when_its_holder_has_left_though_a_child_lives_that_was_forked_in_the_midst(
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    held: Callable[[Path], AbstractContextManager[None]],
    copies: Callable[[], AbstractContextManager[None]],
) -> None:
    monkeypatch.setattr(shipper, "GATE_SECONDS", 0.0)
    in_the_midst = held(tmp_path)
    in_the_midst.__enter__()
    with copies():
        in_the_midst.__exit__(None, None, None)
        with held(tmp_path):
            pass


def test_a_companion_that_died_is_missed_though_a_child_lives_that_was_forked_while_it_was_summoned(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    companions: list[int] = []
    children = living_child()

    def start(descriptor: int) -> None:
        children.__enter__()
        companions.append(os.dup(descriptor))

    monkeypatch.setattr(summon, "_start", start)
    summon.summon()
    try:
        assert summon.companion_pid() == 0
        os.close(companions[0])  # it dies
        until(lambda: summon.companion_pid() is None)
    finally:
        children.__exit__(None, None, None)


def test_a_companion_that_could_not_be_started_keeps_no_lock(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError("no shell")

    monkeypatch.setattr(summon, "_start", fails)
    with another_copy():
        summon.summon()
        assert summon.companion_pid() is None


def test_a_child_frees_nothing_of_its_parents(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.take()
    pid = os.fork()
    if pid == 0:
        lock.free()
        os._exit(lock.descriptor + 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    other: Any = FileLock(tmp_path / "lock")
    assert not other.take()
    other.close()
    lock.free()


HOLDER = """
import os, signal, sys
from pathlib import Path
from timeseries.spool.locks import FileLock
with FileLock(Path(sys.argv[1])) as lock:
    assert lock.take()
    if not os.fork():
        print(os.getpid(), flush=True)  # the child itself: what it does as it begins is done by now
    signal.pause()
"""


def test_a_child_does_not_keep_the_lock_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    child = int(holder.stdout.readline())
    try:
        with FileLock(tmp_path / "lock") as other:
            assert not other.take()
            holder.kill()
            holder.wait()
            assert other.take()
            assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


def test_who_only_looks_leaves_no_lock_behind(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[int] = []
    real = FileLock.take

    def take(lock: FileLock, **kind: bool) -> bool:
        copies.append(os.dup(lock.descriptor))
        return real(lock, **kind)

    with summon.being_the_companion():
        pass
    lock = source(tmp_path)
    lock.acquire(source="source")
    lock.release()
    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "take", take)
        assert summon.companion_pid() is None
        assert not lock.look()
    try:
        assert len(copies) == 2
        with summon.being_the_companion() as is_ours:
            assert is_ours
        assert lock.try_acquire()
        lock.release()
    finally:
        for descriptor in copies:
            os.close(descriptor)
