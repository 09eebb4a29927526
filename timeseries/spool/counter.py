"""The counter of a lane: the last sequence issued, outside its segments, so that a lost segment is missed.

The file is one page: magic, last sequence, records refused because the spool was full, because it failed, when last;
then what the group sync doubts: the first and the last suspect segment, and the errno for which the recorder must stop;
the last sequence that a power loss cannot cost any more; the records that were taken or refused in a folder that was
removed; and from `UNREAD` on how many ticks had each key of a feed that is not read, since the lane was opened.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import NamedTuple

NAME = "issued"
MAGIC = int.from_bytes(b"VELOXISS", "little")
SIZE = 4096
ISSUED, FULL, FAILED, REFUSED_NS = 1, 2, 3, 4  # words of 8 bytes
SUSPECT_FIRST, SUSPECT_LAST, DOUBT = 5, 6, 7
SYNCED, REMOVED = 8, 9
READ_BYTES = 80
UNREAD = 256  # the page's second half


class Counter(NamedTuple):
    """A lane's counter as it stood at one moment."""

    issued: int = 0
    full: int = 0
    failed: int = 0
    refused_ns: int = 0
    doubt: tuple[int, int, int] = (0, 0, 0)  # the first and the last suspect segment, errno
    synced: int = 0
    removed: int = 0


class CounterMap:
    """The counter's file as its writer maps it: ``words[ISSUED] = n`` is one store of eight bytes, never half done."""

    __slots__ = ("_map", "words")

    def __init__(self, folder: Path) -> None:
        """Open the file, or make it. Raises OSError."""
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
            self._map = mmap.mmap(descriptor, SIZE)
        finally:
            os.close(descriptor)
        self.words = memoryview(self._map).cast("Q")
        self.words[0] = MAGIC

    def doubt(self, first: int, last: int, code: int) -> None:
        """Set which segments are suspect and the errno for which their recorder must stop; zeros: all is well."""
        self.words[SUSPECT_FIRST], self.words[SUSPECT_LAST], self.words[DOUBT] = first, last, code

    def synced(self, sequence: int) -> None:
        """Raise the sequence up to which a power loss costs nothing."""
        self.words[SYNCED] = max(self.words[SYNCED], sequence)

    def forget_unread(self) -> None:
        """Set the counts of unread keys to zero."""
        self.words[UNREAD:] = memoryview(bytes(SIZE - 8 * UNREAD)).cast("Q")

    def close(self) -> None:
        """Close the map; the file keeps its words."""
        self.words.release()
        self._map.close()


def read_counter(folder: Path) -> Counter:
    """Return the lane's counter as it stands; zeros where there is none yet."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return Counter()
    try:
        page = os.pread(descriptor, READ_BYTES, 0)
    finally:
        os.close(descriptor)
    if len(page) < READ_BYTES:
        return Counter()
    words = memoryview(page).cast("Q")
    doubt = (words[SUSPECT_FIRST], words[SUSPECT_LAST], words[DOUBT])
    refused = words[FULL], words[FAILED], words[REFUSED_NS]
    return Counter(words[ISSUED], *refused, doubt, words[SYNCED], words[REMOVED])


def read_unread(folder: Path) -> tuple[int, ...]:
    """Return how many ticks had each unread key, by its place; none where there is no counter yet."""
    try:
        page = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return ()
    return tuple(memoryview(page).cast("Q")[UNREAD:]) if len(page) == SIZE else ()
