"""The group sync of a lane, which brings to the disk what a power loss could still cost and forgets no failure.

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
from pathlib import Path
from typing import NamedTuple

from timeseries.spool import durable, marks
from timeseries.spool.counter import NAME, CounterMap, read_counter
from timeseries.spool.segment import find_segment, find_segments, segment_names

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


class _Open(NamedTuple):
    """A segment held open from the first sight until it is sealed and synced: an error is told to who had it open."""

    descriptor: int
    inode: int


class GroupSync:
    """One process's sync of a lane, which others may sync, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._segments: dict[Path, _Open] = {}
        self._entered: set[str] = set()  # whose names are on the disk
        self._suspect: set[Path] = set()
        self._counter: tuple[int, CounterMap] | None = None

    def __del__(self) -> None:
        for path in list(self._segments):
            self._close(path)
        if self._counter is not None:
            self._counter[1].close()

    def sync(self) -> None:
        """Sync the lane's new records and write again its suspect segments, then count up to where all is safe.

        Those are the segments written since, the counter, and the folder where it has new names.

        Raises:
            OSError: not all that was recorded before this call is safe from a power loss.
        """
        # The counter is open before it is needed: a disk that has turned read-only opens nothing for writing.
        file = durable.identity(self.folder / NAME)
        if file is not None and (self._counter is None or self._counter[0] != file[0]):
            with contextlib.suppress(OSError):
                self._counter = file[0], CounterMap(self.folder)
        counter, names = read_counter(self.folder), segment_names(self.folder)
        first, last, doubt = counter.doubt
        paths = {self.folder / name for name in names if last or self._segments}
        for path in set(self._segments) - paths:
            self._close(path)
        if last:
            self._suspect |= {path for path in paths if first <= int(path.stem) <= last}
        due = {segment.path for segment in find_segments(self.folder, names, after=counter.synced)}
        due |= set(self._segments)
        fault = next(filter(None, [self._sync_marks(), *map(self._sync_segment, sorted(due))]), None)
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

    def _sync_marks(self) -> OSError | None:
        """Sync the lane's marks, before the records that they announce; return the disk's fault, if any."""
        try:
            durable.sync_file(self.folder / marks.NAME)
        except OSError as error:
            return error
        return None

    def _sync_segment(self, path: Path) -> OSError | None:
        """Sync the segment, for the last time where it is sealed; return the disk's fault, if any."""
        if path in self._suspect or (file := find_segment(path)) is None:
            return None
        segment = self._segments.get(path)
        try:
            if segment is None or segment.inode != file.identity[0]:
                self._close(path)
                descriptor = os.open(path, READ)
                segment = self._segments[path] = _Open(descriptor, os.fstat(descriptor).st_ino)
            durable.sync(segment.descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._suspect.add(path)
            self._close(path)
            return error
        if file.sealed:  # as it was before the fsync: what came meanwhile is not on the disk
            self._close(path)
        return None

    def _close(self, path: Path) -> None:
        if (segment := self._segments.pop(path, None)) is not None:
            os.close(segment.descriptor)

    def _put_right(self, fault: OSError) -> None:
        """Tell the recorder to stop and write the suspect segments once more.

        Raises OSError while one of them is unsealed: it waits for its recorder.
        """
        numbers = [int(path.stem) for path in self._suspect]
        if self._counter is not None:
            self._counter[1].doubt(min(numbers, default=0), max(numbers, default=0), fault.errno or errno.EIO)
        for path in sorted(self._suspect):
            file = find_segment(path)
            if file is not None and not file.sealed:
                continue
            if file is not None:
                status = path.stat()
                fresh = path.with_name(f".{path.name}.{os.getpid()}")
                durable.write_file(fresh, durable.salvage(path, status.st_size))
                os.utime(fresh, ns=(status.st_atime_ns, status.st_mtime_ns))  # from which its keeping is counted
                os.rename(fresh, path)
                durable.sync_file(self.folder)
            self._suspect.discard(path)
        if self._suspect:
            raise OSError(fault.errno, f"{fault.strerror}; {len(self._suspect)} segments wait for their recorder")
        prove(self.folder)
        if self._counter is not None:
            self._counter[1].doubt(0, 0, 0)


def prove(folder: Path) -> None:
    """Write and sync a new file in the folder, to see that the disk takes one. Raises OSError."""
    durable.replace_file(folder / ".proof", bytes(durable.PAGE))
