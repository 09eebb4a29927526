"""How long calls took: each process counts in a file of its own, and its counts stay when it ends or is killed.

A process takes a free slot (a file whose lock it holds) and counts on from what stands there, so the sum over all slots
never falls, and there are no more slots than processes that ever counted at one time. A file is a page: the magic, then
a row of 16 words of 8 bytes per kind: one count per bucket, one beyond the last bound, and the sum in nanoseconds.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from bisect import bisect_left
from contextlib import suppress
from pathlib import Path

from timeseries.spool.locks import READ, FileLock

KINDS = ("ledger_write", "ledger_read", "points_read", "shipping", "page", "api")  # more only at the end
BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BUCKETS = len(BOUNDS_SECONDS) + 1
WORDS = BUCKETS + 1  # of a row: 128 bytes, which lie in one page of memory
MAGIC = int.from_bytes(b"VELOXLT1", "little")
SLOTS_MAX = 64
AGAIN_SECONDS = 60.0  # after a fault of the disk

Counts = dict[str, list[int]]  # by kind: the words of its row


class LatencyCounts:
    """The counts of this process, in a slot of the folder from the first call on. All threads may count."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begin()

    def _begin(self) -> None:
        self._pid, self._counting = os.getpid(), threading.Lock()
        self._slot: FileLock | None = None
        self._words = array("Q")
        self._again_at = 0.0

    def observe(self, kind: str, seconds: float) -> None:
        """Count a call of this kind that took so long. A disk that refuses costs the count, and nobody the call."""
        if self._pid != os.getpid():
            self._begin()  # a forked child: the slot is its parent's
        with self._counting, suppress(OSError):
            if not self._is_ready():
                return
            start = (1 + KINDS.index(kind)) * WORDS
            self._words[start + bisect_left(BOUNDS_SECONDS, seconds)] += 1
            self._words[start + BUCKETS] += max(0, int(seconds * 1e9))
            assert self._slot is not None
            os.pwrite(self._slot.descriptor, self._words[start : start + WORDS].tobytes(), start * 8)

    def free(self) -> None:
        """Leave the slot to whoever comes next."""
        with self._counting:
            if self._slot is not None:
                self._slot.free()
            self._slot = None

    def _is_ready(self) -> bool:
        """Take a slot if we have none, or if the folder was removed under it; tell whether we have one."""
        if self._slot is not None and os.fstat(self._slot.descriptor).st_nlink:
            return True
        if self._slot is None and time.monotonic() < self._again_at:
            return False
        if self._slot is not None:
            self._slot.free()
        self._slot, self._again_at = None, time.monotonic() + AGAIN_SECONDS
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for number in range(SLOTS_MAX):
            slot = FileLock(self.folder / str(number))
            if slot.take():
                self._slot, self._words = slot, _words(slot.descriptor)
                os.pwrite(slot.descriptor, self._words.tobytes(), 0)
                return True
            slot.close()
        return False


def total_counts(folder: Path) -> Counts:
    """Return the words of each kind, added up over all processes that ever counted in the folder. Raises: OSError."""
    totals = array("Q", bytes((1 + len(KINDS)) * WORDS * 8))
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            descriptor = os.open(path, READ)
        except FileNotFoundError:
            continue
        try:
            for place, count in enumerate(_words(descriptor)):
                totals[place] += count if place else 0
        finally:
            os.close(descriptor)
    rows = range(WORDS, len(totals), WORDS)
    return {kind: list(totals[start : start + WORDS]) for kind, start in zip(KINDS, rows, strict=True)}


def _words(descriptor: int) -> array[int]:
    """Return what stands in a slot; zeros where it is new, of an earlier version's fewer kinds, or damaged."""
    size = (1 + len(KINDS)) * WORDS * 8
    content = os.pread(descriptor, size, 0)
    words = array("Q", content[: len(content) // 8 * 8].ljust(size, b"\0"))
    if words[0] != MAGIC or max(words[1:]) >= 1 << 57:  # so that the sum of all slots has room
        words = array("Q", bytes(size))
        words[0] = MAGIC
    return words
