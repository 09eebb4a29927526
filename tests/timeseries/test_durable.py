"""What a power loss could cost: contents reach the disk before their name does, and both before anybody trusts them."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.timeseries.spools import OPEN_NS, lane, recorder
from tests.timeseries.victims import Victim
from timeseries.spool import dead_letters, durable
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Outcome
from timeseries.stores.base import Refusal

Step = tuple[str, str]  # what was done, to which file


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """The writes, syncs and renames of this process, by the names of their files."""
    done: list[Step] = []
    real = {name: getattr(os, name) for name in ("write", "pwrite", "ftruncate", "fsync", "rename")}

    def on_descriptor(name: str) -> None:
        def call(descriptor: int, *more: object) -> object:
            done.append(("fsync" if name == "fsync" else "change", Path(f"/proc/self/fd/{descriptor}").resolve().name))
            return real[name](descriptor, *more)

        monkeypatch.setattr(os, name, call)

    def rename(old: Path, new: Path) -> None:
        done.append((f"rename {Path(old).name}", Path(new).name))
        real["rename"](old, new)

    for name in ("write", "pwrite", "ftruncate", "fsync"):
        on_descriptor(name)
    monkeypatch.setattr(os, "rename", rename)
    return done


KILLED = """
import os, signal, sys
from pathlib import Path
from timeseries.spool import durable
durable.sync = lambda _: os.kill(os.getpid(), getattr(signal, sys.argv[2]))
with durable.replacing(Path(sys.argv[1])) as file:
    file.write(b"half of the new")
"""


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_who_is_killed_while_a_file_is_replaced_leaves_the_former_one_alone(how: str, tmp_path: Path) -> None:
    (tmp_path / "report.csv").write_text("former")
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "report.csv"), how], check=False)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.csv", "former")]


@pytest.mark.parametrize("is_nfs", [False, True], ids=["here", "without unnamed files"])
def test_a_file_is_replaced_whole_or_not_at_all(is_nfs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_nfs:
        monkeypatch.setattr(durable, "UNNAMED", os.O_WRONLY | os.O_CLOEXEC)
    path = tmp_path / ("n" * 255)
    for content in (b"first", b"second"):
        with durable.replacing(path) as file:
            file.write(content)
    with pytest.raises(KeyboardInterrupt), durable.replacing(path) as file:
        file.write(b"third")
        raise KeyboardInterrupt
    assert [(each, each.read_bytes()) for each in tmp_path.iterdir()] == [(path, b"second")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileNotFoundError), durable.replacing(tmp_path / "no folder" / "file"):
        pass


@pytest.fixture(params=["no /proc", "refused", "another file"])
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which a file that has no name cannot be given one."""
    real = os.link

    def link(source: str, name: str, **of: int) -> None:
        if request.param == "refused":  # of a process that may not be looked into
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), source)
        real("/proc/self/nowhere" if request.param == "no /proc" else "/proc/self/stat", name, **of)

    monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("no_links")
def test_a_file_that_cannot_be_given_a_name_is_copied_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path, content = tmp_path / "report.csv", os.urandom(300_000)
    path.write_text("former")
    with durable.replacing(path) as file:
        file.write(content)
    with pytest.raises(KeyboardInterrupt), durable.replacing(path) as file:
        file.write(b"third")
        raise KeyboardInterrupt
    assert [(each, each.read_bytes()) for each in tmp_path.iterdir()] == [(path, content)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def refuse_folders(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(durable, "sync", sync)


def test_a_folder_that_its_file_system_cannot_sync_takes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As mounted shares of other systems: the file is there, whole, and nobody is told that it could not be written."""
    refuse_folders(errno.EINVAL, monkeypatch)
    with durable.replacing(tmp_path / "report.csv") as file:
        file.write(b"new")
    assert (tmp_path / "report.csv").read_bytes() == b"new"


def test_a_folder_that_the_disk_did_not_take_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_folders(errno.EIO, monkeypatch)
    with pytest.raises(OSError, match="Input/output"), durable.replacing(tmp_path / "report.csv") as file:
        file.write(b"new")


def test_a_small_file_is_synced_before_it_takes_its_place_and_its_folder_after(
    tmp_path: Path, steps: list[Step]
) -> None:
    durable.replace_file(tmp_path / "file", b"content")
    fresh = f".file.{os.getpid()}"
    assert steps == [("change", fresh), ("fsync", fresh), (f"rename {fresh}", "file"), ("fsync", tmp_path.name)]


def test_an_outcome_is_synced_before_it_takes_its_place_and_its_folder_after(tmp_path: Path, steps: list[Step]) -> None:
    desk = recorder(tmp_path)
    desk.tick("A", {"ltp": 1}, OPEN_NS)
    desk.close()
    found = lane(tmp_path)
    with found.lease(owner="test") as held:
        steps.clear()
        found.settle(Outcome(1), held)
        done = list(steps)
    assert done == [("change", "outcome"), ("fsync", "outcome"), ("rename outcome", "outcome"), ("fsync", "ticks")]


def letter(sequence: int) -> Refusal:
    return Refusal(sequence, "main", b"line %d" % sequence, 400, "unreadable", "bad")


def test_a_dead_letter_is_on_the_disk_when_it_was_appended(tmp_path: Path, steps: list[Step]) -> None:
    dead_letters.append(tmp_path, [letter(1)])
    assert steps == [("change", dead_letters.FILE), ("fsync", dead_letters.FILE), ("fsync", tmp_path.name)]


def test_letters_that_the_disk_refused_are_written_anew(
    tmp_path: Path, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    dead_letters.append(tmp_path, [letter(1)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="Input/output"):
            dead_letters.append(tmp_path, [letter(2)])
    steps.clear()
    dead_letters.append(tmp_path, [letter(2), letter(3)])
    # The same file's next fsync would say yes to pages that the kernel has dropped.
    assert ("fsync", dead_letters.FILE) not in steps
    assert [step for step, name in steps if name == dead_letters.FILE] == [f"rename .{dead_letters.FILE}.{os.getpid()}"]
    assert [found.sequence for found in dead_letters.read(tmp_path)] == [1, 2, 3]


def test_a_segment_that_is_mended_is_synced_before_it_is_left(tmp_path: Path, steps: list[Step]) -> None:
    def die() -> None:
        recorder(tmp_path).tick("A", {"ltp": 1}, OPEN_NS)

    victim = Victim(die)
    victim.go()
    assert victim.end() == 0
    assert Spool(tmp_path / "spool").adopt("desk")
    (segment,) = lane(tmp_path).segments()
    of_segment = [step for step, name in steps if name == segment.name]
    assert (of_segment[0], of_segment[-1]) == ("change", "fsync")


def test_of_many_who_make_one_file_at_once_the_first_one_s_content_stands_for_all(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def make(number: int) -> bytes:
        together.wait()
        return durable.make_file(tmp_path / "name", b"%d" % number)

    with ThreadPoolExecutor(8) as makers:
        contents = set(makers.map(make, range(8)))
    assert contents == {(tmp_path / "name").read_bytes()}
    assert [file.name for file in tmp_path.iterdir()] == ["name"]


def test_a_file_is_made_on_disk_before_its_name_and_its_name_before_anybody_trusts_it(
    tmp_path: Path, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def linked(old: Path, new: Path) -> None:
        steps.append(("link", new.name))
        link(old, new)

    monkeypatch.setattr(os, "link", linked)
    durable.make_file(tmp_path / "name", b"content")
    assert [step for step, _ in steps] == ["change", "fsync", "link", "fsync"]
    assert steps[2:] == [("link", "name"), ("fsync", tmp_path.name)]
