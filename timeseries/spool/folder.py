"""The spool's folder on local disk: its sources, their lanes, and who holds them."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from urllib.parse import quote, unquote

from timeseries.errors import SourceBusy
from timeseries.measurements import MEASUREMENTS, Measurement
from timeseries.spool import durable
from timeseries.spool.lane import Lane, Lease, LeaseHeld, LeaseLost, Outcome, PendingSlice, Tail
from timeseries.spool.locks import READ, FileLock, lives
from timeseries.spool.repair import mend_lane

__all__ = ["Lane", "Lease", "LeaseHeld", "LeaseLost", "Outcome", "PendingSlice", "SourceLock", "Spool", "Tail"]

GLANCE_SECONDS = 0.05  # how long somebody who only looks holds the lock at most
PATIENCE_SECONDS = 2.0  # how long somebody who only looks or mends may keep a recorder waiting


def folder_name(source: str) -> str:
    """Return the source's name as a safe name of a folder, which `source_name` reads back."""
    name = quote(source, safe=" &=,+@")
    return "%2E" + name[1:] if name.startswith(".") else name


def source_name(folder: str) -> str:
    """Return the source whose folder has this name."""
    return unquote(folder)


class SourceLock:
    """The lock of a source, under which one process at a time records; the kernel frees it when its holder dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: FileLock | None = None

    def acquire(self, *, source: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Take the lock and write this process's pid in its file.

        Raises:
            SourceBusy: a living process holds it.
            OSError: the disk refuses.
        """
        started = time.monotonic()
        while not self.try_acquire():
            pid, waited = self.holder(), time.monotonic() - started
            # A killed holder's pid stays in the file, and another process may have it by now: not at the first look.
            if pid is not None and waited > GLANCE_SECONDS and lives(pid):
                raise SourceBusy(
                    f"Process {pid} records under the source {source!r}.", pid=pid, hint="Choose another source."
                )
            # Nobody's pid is in it: somebody only looks or mends, for moments.
            if waited > patience_seconds:
                raise SourceBusy(f"The source {source!r} is held.", hint="Try again.")
            time.sleep(0.002)
        try:
            self._write_pid(str(os.getpid()))
        except OSError:
            self.release()  # or this process would keep itself out until it ends
            raise

    def try_acquire(self) -> bool:
        """Take the lock and write no pid; False when it is taken. Raises OSError."""
        lock = FileLock(self.folder / "lock")
        if not lock.take():
            lock.close()
            return False
        self._lock = lock
        return True

    def holder(self) -> int | None:
        """Return the pid in the file, if any."""
        try:
            text = (self.folder / "lock").read_text()
        except FileNotFoundError:
            return None
        return int(text) if text.strip().isdigit() else None

    def release(self) -> None:
        """Free the lock and empty its file."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                self._write_pid("")
            self._lock.free()
            self._lock = None

    def drop(self) -> None:
        """Close the lock's file in a forked child, whose parent keeps the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def look(self) -> bool:
        """Tell whether somebody holds the lock, which is taken for that moment. Raises OSError."""
        try:
            lock = FileLock(self.folder / "lock", flags=READ)  # who may only read the folder looks, too
        except FileNotFoundError:
            return False
        try:
            return not lock.take(shared=True)
        finally:
            lock.free()

    def is_there(self) -> bool:
        """Tell whether others would meet this lock: its file may have been removed or replaced."""
        assert self._lock is not None
        return durable.leads_to(self.folder / "lock", durable.file_of(self._lock.descriptor))

    def _write_pid(self, text: str) -> None:
        assert self._lock is not None
        os.ftruncate(self._lock.descriptor, 0)
        os.pwrite(self._lock.descriptor, text.encode(), 0)


class Spool:
    """All sources and lanes below one folder; reading them needs no lock."""

    def __init__(self, root: Path, *, max_bytes: int | None = None, reserve_bytes: int | None = None) -> None:
        """``max_bytes`` and ``reserve_bytes`` bound what may be recorded here (see `Room`)."""
        self.root, self.max_bytes, self.reserve_bytes = Path(root), max_bytes, reserve_bytes
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._guard = threading.Lock()

    def sources(self) -> list[str]:
        """Return every source that has a folder here."""
        try:
            return sorted(source_name(entry.name) for entry in os.scandir(self.root) if entry.is_dir())
        except FileNotFoundError:
            return []

    def folder(self, source: str) -> Path:
        """Return the folder of a source, whether or not it is there."""
        return self.root / folder_name(source)

    def lanes(self) -> list[Lane]:
        """Return every lane on disk, by source and measurement."""
        return [
            self.lane(source, entry.name)
            for source in self.sources()
            for entry in sorted(os.scandir(self.folder(source)), key=lambda entry: entry.name)
            if entry.is_dir()
        ]

    def lane(self, source: str, measurement: str) -> Lane:
        """Return the lane, whether or not it has records yet. The same object each time: it remembers its way."""
        with self._guard:
            key = (source, measurement)
            if key not in self._lanes:
                # Records of a measurement that only later code knows are kept, and told apart by decoding to nothing.
                schema = MEASUREMENTS.get(measurement) or Measurement(measurement, (), (), "unknown", version=0)
                self._lanes[key] = Lane(self.folder(source) / measurement, source, schema)
            return self._lanes[key]

    def holder(self, source: str) -> int | None:
        """Return the pid of the living process that records under this source."""
        lock = SourceLock(self.folder(source))
        if not (lock.folder / "lock").exists():
            return None
        return lock.holder() if lock.look() else None

    def adopt(self, source: str) -> bool:
        """Repair the lanes of a source whose writer is gone; False where somebody holds it. Raises OSError."""
        lock = SourceLock(self.folder(source))
        if not lock.folder.is_dir() or not lock.try_acquire():
            return False
        try:
            for lane in self.lanes():
                if lane.source == source and any(lane.folder.iterdir()):
                    mend_lane(lane)
        finally:
            lock.release()
        return True
