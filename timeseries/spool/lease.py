"""The lease of a lane, which one shipper at a time holds; one that was overtaken can mark and remove nothing more.

A lease is a folder with a name of its own below the lane's ``leases``. Whatever its holder says of the lane is first a
file in that folder and then renamed into its place: one system call, which fails once the folder has gone. So a process
that was stopped at any moment, and wakes up after another took over, finds that it is too late.

Who comes second sees the first: it makes its folder, and only then looks who else is there. The kernel tells at once
that a holder died (its lock is free); of one that lives but hangs its heart tells: it writes the time every second.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timeseries.errors import VeloxError
from timeseries.spool import durable
from timeseries.spool.locks import READ, FileLock

FOLDER, HOLDER = "leases", "holder"
BEAT_SECONDS = 1.0
STALE_SECONDS = 6.0  # without a beat; another shipper looks about every second, so it takes over within ten
HEART_SECONDS = 300.0  # a heart that beats beside work that never ends must not beat for ever
LEFTOVER_SECONDS = 3600.0


class LeaseHeld(VeloxError):
    """Another shipper holds this lane; look again later."""

    code = "lease_held"


class LeaseLost(LeaseHeld):
    """This shipper was silent for long, and another has taken the lane over; nothing was marked."""

    code = "lease_lost"

    def __init__(self, lane: Path) -> None:
        super().__init__(f"Another shipper has taken over {lane.name} of {lane.parent.name}.")


class Lease:
    """The right to say what became of a lane's records. ``overtaken`` are living holders that had been silent."""

    def __init__(self, lane: Path, path: Path, overtaken: tuple[str, ...]) -> None:
        self.lane, self.path, self.overtaken = lane, path, overtaken

    def check(self) -> None:
        """Raise LeaseLost once another has taken over; for steps that do no harm when they come late."""
        if not (self.path / HOLDER).exists():
            raise LeaseLost(self.lane)

    def put(self, name: str, content: bytes) -> None:
        """Replace the lane's file of this name, whole or not at all, durable on return.

        Raises:
            LeaseLost: another has taken over; the file is as that one wants it.
            OSError: the disk refuses.
        """
        try:
            durable.write_file(self.path / name, content)
            # Here the kernel decides: without the folder there is nothing to rename.
            os.rename(self.path / name, self.lane / name)
        except FileNotFoundError:
            raise LeaseLost(self.lane) from None
        durable.sync_file(self.lane)


@contextmanager
def hold(lane: Path, *, owner: str) -> Iterator[Lease]:
    """Hold the lane's lease while the block runs.

    Raises:
        LeaseHeld: a living process that is not silent holds it.
        OSError: the disk refuses.
    """
    root = lane / FOLDER
    if root.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(root))
    root.mkdir(mode=0o700, exist_ok=True)
    overtaken = _take_away_dead(root, but=None)
    name = os.urandom(8).hex()
    fresh, path = root / f".{name}", root / name
    fresh.mkdir(mode=0o700)
    lock, done = FileLock(fresh / HOLDER), threading.Event()
    try:
        lock.take()
        os.pwrite(lock.descriptor, time.monotonic_ns().to_bytes(8, "little") + owner.encode(), 0)
        os.rename(fresh, path)  # from here on others see it, with a heart that beats
        # Not before: of two that come together each must see the other, or one of them would not know of it.
        overtaken += _take_away_dead(root, but=name)
        heart = threading.Thread(target=_beat_until, args=(done, lock.descriptor), name="velox-lease", daemon=True)
        heart.start()
        try:
            yield Lease(lane, path, overtaken)
        finally:
            done.set()
            heart.join()
    finally:
        _remove(path if path.exists() else fresh)
        lock.free()


def _take_away_dead(root: Path, *, but: str | None) -> tuple[str, ...]:
    """End the leases of dead and silent holders; return those who live. Raises LeaseHeld."""
    overtaken: list[str] = []
    for entry in list(os.scandir(root)):
        if entry.name == but:
            continue
        if entry.name.startswith("."):  # what a killed process left half made or half removed
            with contextlib.suppress(FileNotFoundError):
                if time.time() - entry.stat().st_mtime > LEFTOVER_SECONDS:
                    shutil.rmtree(entry.path, ignore_errors=True)
            continue
        owner, lives, silent = _look(Path(entry.path))
        if lives and silent < STALE_SECONDS:
            raise LeaseHeld(f"{root.parent.name} of {root.parent.parent.name} is being shipped by {owner}.")
        _remove(Path(entry.path))
        if lives:
            overtaken.append(owner)
    return tuple(overtaken)


def _look(path: Path) -> tuple[str, bool, float]:
    """Return (owner, whether it lives, for how many seconds it has been silent)."""
    try:
        lock = FileLock(path / HOLDER, flags=READ)
    except FileNotFoundError:
        return "", False, 0.0  # it is being given back
    try:
        text = os.pread(lock.descriptor, 200, 0)
        silent = time.monotonic_ns() - int.from_bytes(text[:8], "little")
        return text[8:].decode(errors="replace"), not lock.take(shared=True), silent / 10**9
    finally:
        lock.free()


def _remove(path: Path) -> None:
    """End a lease: rename its folder, so that its holder finds its files nowhere, and delete it."""
    gone = path.with_name(f".{os.urandom(8).hex()}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, gone)
        shutil.rmtree(gone, ignore_errors=True)


def _beat_until(done: threading.Event, descriptor: int) -> None:
    # The machine's monotonic clock is one for all its processes, and no change of the time moves it.
    until = time.monotonic() + HEART_SECONDS
    while not done.wait(BEAT_SECONDS) and time.monotonic() < until:
        with contextlib.suppress(OSError):
            os.pwrite(descriptor, time.monotonic_ns().to_bytes(8, "little"), 0)
