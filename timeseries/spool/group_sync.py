"""The group sync of a lane: what a power loss could still cost is brought to the disk, and no failure is forgotten.

When an fsync fails, the kernel drops what it could not write and calls the next fsync of the same file a success. So a
file whose fsync failed once is never believed again: its segment is suspect, is left by its recorder, and all of it is
written once more to a new file that takes its name. Suspicion stands in the lane's counter, which lives as long as the
page cache that it is about: any process may meet it and put it right. Until then nothing of the lane counts as synced,
and its recorder refuses.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path

from timeseries.spool import durable
from timeseries.spool.counter import NAME, CounterMap, read_counter
from timeseries.spool.segment import find_segment, find_segments, segment_names

PAGE = 4096
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass
class _Kept:
    """A segment held open from the first sight until it is sealed and synced: an error is told to who had it open."""

    descriptor: int
    inode: int


class GroupSync:
    """The syncing of one lane by this process; others may sync it, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: dict[Path, _Kept] = {}
        self._entered: set[str] = set()  # whose names are on the disk
        self._suspect: set[Path] = set()
        self._counter: tuple[int, CounterMap] | None = None

    def __del__(self) -> None:
        for path in list(self._kept):
            self._let_go(path)
        if self._counter is not None:
            self._counter[1].close()

    def sync(self) -> None:
        """fsync segments written since, the counter, and the folder where it has new names; write again what was
        suspect; then say in the counter up to which sequence all is safe.

        Raises:
            OSError: not all that was recorded before this call is safe from a power loss.
        """
        self._open_counter()
        counter, names = read_counter(self.folder), segment_names(self.folder)
        first, last, doubt = counter.doubt
        there = {self.folder / name for name in names if last or self._kept}
        for path in set(self._kept) - there:
            self._let_go(path)
        if last:
            self._suspect |= {path for path in there if first <= int(path.stem) <= last}
        due = {file.path for file in find_segments(self.folder, names, after=counter.synced)} | set(self._kept)
        fault = next(filter(None, [self._synced(path) for path in sorted(due)]), None)
        try:
            durable.sync_file(self.folder / NAME)
            if self._entered != set(names):
                durable.sync_file(self.folder)
                self._entered = set(names)
        except OSError as error:
            # Entries of the folder may be lost, also those of files that are whole: written again they get new ones.
            self._suspect |= {self.folder / name for name in set(names) - self._entered}
            fault = fault or error
        self._suspect = {path for path in self._suspect if path.name in names}
        if fault is not None or self._suspect or doubt:
            self._put_right(fault or OSError(int(doubt) or errno.EIO, os.strerror(int(doubt) or errno.EIO)))
        if self._counter is not None:
            self._counter[1].synced(counter.issued)

    def _synced(self, path: Path) -> OSError | None:
        """fsync the segment, for the last time where it is sealed; returns what went wrong."""
        if path in self._suspect or (file := find_segment(path)) is None:
            return None
        try:
            durable.sync(self._descriptor(path, file.identity[0]))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._suspect.add(path)
            self._let_go(path)
            return error
        if file.sealed:  # as it was before the fsync: what came meanwhile is not on the disk
            self._let_go(path)
        return None

    def _descriptor(self, path: Path, inode: int) -> int:
        kept = self._kept.get(path)
        if kept is not None and kept.inode == inode:
            return kept.descriptor
        self._let_go(path)
        descriptor = os.open(path, READ)
        self._kept[path] = _Kept(descriptor, os.fstat(descriptor).st_ino)
        return descriptor

    def _let_go(self, path: Path) -> None:
        if (kept := self._kept.pop(path, None)) is not None:
            os.close(kept.descriptor)

    def _put_right(self, fault: OSError) -> None:
        """Tell the recorder to stop, write what is suspect and sealed once more; raise what is not put right."""
        numbers = [int(path.stem) for path in self._suspect]
        if self._counter is not None:
            self._counter[1].doubt(min(numbers, default=0), max(numbers, default=0), fault.errno or errno.EIO)
        for path in sorted(self._suspect):
            if (file := find_segment(path)) is None or file.sealed:
                if file is not None:
                    self._write_again(path)
                self._suspect.discard(path)
        if self._suspect:
            raise OSError(fault.errno, f"{fault.strerror}; {len(self._suspect)} segments wait for their recorder")
        prove(self.folder)
        if self._counter is not None:
            self._counter[1].doubt(0, 0, 0)

    def _open_counter(self) -> None:
        """Have the counter open before it is needed: a disk that has turned read-only opens nothing for writing."""
        now = durable.identity(self.folder / NAME)
        if now is None or (self._counter is not None and self._counter[0] == now[0]):
            return
        with contextlib.suppress(OSError):
            self._counter = now[0], CounterMap(self.folder)

    def _write_again(self, path: Path) -> None:
        """Put a new file in the segment's place, durable, with what the page cache still has of it."""
        was = path.stat()
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        durable.write_file(fresh, _salvaged(path, was.st_size))
        os.utime(fresh, ns=(was.st_atime_ns, was.st_mtime_ns))  # how long it is kept counts from its writing
        os.rename(fresh, path)
        durable.sync_file(self.folder)


def prove(folder: Path) -> None:
    """Return when the disk takes a new file there and syncs it. Raises OSError."""
    durable.replace_file(folder / ".proof", bytes(PAGE))


def _salvaged(path: Path, size: int) -> bytes:
    """Return the file's bytes; a page that cannot be read is zeros, and its records count as damaged."""
    parts = []
    descriptor = os.open(path, READ)
    try:
        for position in range(0, size, PAGE):
            try:
                part = os.pread(descriptor, PAGE, position)
            except OSError:
                part = bytes(min(PAGE, size - position))
            parts.append(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)
