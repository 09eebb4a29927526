"""Files that several processes append lines to: one a day, or one up to a size with its predecessors kept.

Each line is one append of the kernel, so that processes never tear each other's. Files are opened at the first line.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from timeseries.spool.locks import FileLock

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_DAY = 86_400


def _open(path: Path) -> int:
    """Open for appending, never as 0, 1 or 2: where stderr is closed, what others write to it would land in the log."""
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)


class LogFile(ABC):
    """Raises OSError from `write` where the disk does not want the line; the next line tries again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._descriptor = -1
        self._second = -1
        self._torn = False
        self.size = 0

    @abstractmethod
    def path(self, seconds: int) -> Path:
        """Return the file that a line of this time belongs to."""

    def write(self, data: bytes, seconds: int) -> None:
        """Append a line; ``seconds`` since 1970 UTC is its time."""
        # Under the lock: a descriptor that another thread has just closed may be anybody's file by now.
        with self._lock:
            if seconds != self._second or self._descriptor < 0:
                self._look(seconds)
            if self._torn:
                data = b"\n" + data
            written = os.write(self._descriptor, data)
            self._torn = written < len(data)  # the disk was full in the middle of a line
            self.size += written

    def close(self) -> None:
        with self._lock:
            self._close()

    def forget_lock(self) -> None:
        """A forked child's: whoever held the lock is not there."""
        self._lock = threading.RLock()

    def _look(self, seconds: int) -> None:
        """Once a second: open the file, or the one that stands there now."""
        path = self.path(seconds)
        if self._descriptor >= 0 and self._is_other(path):
            self._close()
        if self._descriptor < 0:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = _open(path)
        self.size = os.fstat(self._descriptor).st_size
        self._second = seconds

    def _is_other(self, path: Path) -> bool:
        """Tell whether the path is not (or no longer) the file that is open."""
        ours = os.fstat(self._descriptor)
        try:
            there = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return (ours.st_ino, ours.st_dev) != (there.st_ino, there.st_dev)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._second, self._torn = -1, -1, False


class DailyFile(LogFile):
    """One file a day (UTC); ``pattern`` formats the day to its name."""

    def __init__(self, folder: Path, pattern: str) -> None:
        super().__init__()
        self.folder, self.pattern = folder, pattern
        self._known = (-1, folder)

    def path(self, seconds: int) -> Path:
        day = seconds // _DAY
        if self._known[0] != day:
            self._known = (day, self.folder / self.pattern.format(datetime.fromtimestamp(seconds, UTC)))
        return self._known[1]


class SizedFile(LogFile):
    """One file; at ``bytes_max`` it becomes ``<name>.1``, the older ones move on, the last of ``backups`` goes."""

    def __init__(self, path: Path, *, bytes_max: int, backups: int) -> None:
        super().__init__()
        self.file, self.bytes_max, self.backups = path, bytes_max, backups

    def path(self, seconds: int) -> Path:
        return self.file

    def write(self, data: bytes, seconds: int) -> None:
        super().write(data, seconds)
        if self.size >= self.bytes_max:
            with self._lock, self._alone():
                self._rotate()

    def _rotate(self) -> None:
        if self._descriptor >= 0:
            # Another process may have been faster: then the file of this name is another one, and it stays.
            if not self._is_other(self.file) and os.fstat(self._descriptor).st_size >= self.bytes_max:
                for number in range(self.backups - 1, 0, -1):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(self._backup(number), self._backup(number + 1))
                os.replace(self.file, self._backup(1))
            self._close()

    def _backup(self, number: int) -> Path:
        return self.file.with_name(f"{self.file.name}.{number}")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from rotating at the same time."""
        lock = FileLock(self.file.with_name(f".{self.file.name}.lock"))
        try:
            lock.take(patient=True)
            yield
        finally:
            lock.free()
