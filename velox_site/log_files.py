"""Files that several processes append lines to: one a day, or one up to a size with its predecessors kept.

Each line is one append of the kernel, so that processes never tear each other's. Files are opened at the first line.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from timeseries.spool.locks import FileLock

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_DAY = 86_400


class LogFile(ABC):
    """A file of lines, opened anew where it was moved or removed.

    `write` raises OSError where the disk does not want the line; the next line tries again.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._descriptor = -1
        self._second = -1
        self._torn = False
        self.size = 0

    @abstractmethod
    def path(self, seconds: int) -> Path:
        """Return the file that a line of this time belongs to."""

    def write(self, line: bytes, seconds: int) -> None:
        """Append a line; ``seconds`` since 1970 UTC is its time."""
        # Under the lock: a descriptor that another thread has just closed may be anybody's file by now.
        with self._lock:
            if seconds != self._second or self._descriptor < 0:
                self._look(seconds)
            if self._torn:
                line = b"\n" + line
            written = os.write(self._descriptor, line)
            self._torn = written < len(line)  # the disk was full in the middle of a line
            self.size += written

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor, self._second, self._torn = -1, -1, False

    def forget_lock(self) -> None:
        """Take a lock of one's own in a forked child, where whoever held the parent's is not there."""
        self._lock = threading.RLock()

    def _look(self, seconds: int) -> None:
        """Open the file, or the one that stands in its place now; done once a second."""
        path = self.path(seconds)
        if self._descriptor >= 0 and self._is_other(path):
            self.close()
        if self._descriptor < 0:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, _FLAGS, 0o600)
            try:
                # Never as 0, 1 or 2: where stderr is closed, what others write to it would land in the log.
                self._descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
            finally:
                os.close(descriptor)
        self.size = os.fstat(self._descriptor).st_size
        self._second = seconds

    def _is_other(self, path: Path) -> bool:
        """Tell whether the path is not (or no longer) the file that is open."""
        ours = os.fstat(self._descriptor)
        try:
            current = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return (ours.st_ino, ours.st_dev) != (current.st_ino, current.st_dev)


class DailyFile(LogFile):
    """One file a day (UTC); ``pattern`` formats the day to its name."""

    def __init__(self, folder: Path, pattern: str) -> None:
        super().__init__()
        self.folder, self.pattern = folder, pattern
        self._latest = (-1, folder)  # a day since 1970, and its file

    def path(self, seconds: int) -> Path:
        """Return the file of the day of this time."""
        day = seconds // _DAY
        if self._latest[0] != day:
            self._latest = (day, self.folder / self.pattern.format(datetime.fromtimestamp(seconds, UTC)))
        return self._latest[1]


class SizedFile(LogFile):
    """One file; at ``bytes_max`` it becomes ``<name>.1``, the older ones move on, the last of ``backups`` goes."""

    def __init__(self, path: Path, *, bytes_max: int, backups: int) -> None:
        super().__init__()
        self.file, self.bytes_max, self.backups = path, bytes_max, backups

    def path(self, seconds: int) -> Path:
        """Return the one file."""
        return self.file

    def write(self, line: bytes, seconds: int) -> None:
        """Append a line, then move the file on where it has become large."""
        super().write(line, seconds)
        if self.size < self.bytes_max:
            return
        lock = FileLock(self.file.with_name(f".{self.file.name}.lock"))
        with self._lock:
            try:
                lock.take(patient=True)  # other processes must not rotate at the same time
                if self._descriptor < 0:
                    return
                # Another process may have been faster: then the file of this name is another one, and it stays.
                if not self._is_other(self.file) and os.fstat(self._descriptor).st_size >= self.bytes_max:
                    names = [f"{self.file.name}.{number}" for number in range(1, self.backups + 1)]
                    backups = [self.file.with_name(name) for name in names]
                    for newer, older in reversed(list(pairwise(backups))):
                        with contextlib.suppress(FileNotFoundError):
                            os.replace(newer, older)
                    os.replace(self.file, self.file.with_name(f"{self.file.name}.1"))
                self.close()
            finally:
                lock.free()
