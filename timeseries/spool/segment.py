"""One segment file: made whole in advance, written through a memory map, sealed to its length, read by chunks."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from timeseries.spool import durable
from timeseries.spool.frames import (
    FORMAT_VERSION,
    FRAME_MAX,
    HEADER_SIZE,
    MARKER_BYTES,
    SERIES,
    SERIES_START,
    Header,
    Scan,
    scan,
    series_body,
    unpack_header,
    with_crc,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX = ".seg"
CHUNK_FIRST, CHUNK = 1 << 16, 1 << 20  # most readings ask for a few records near a mark
FILE_MODE = 0o600
NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW


class SegmentWriter:
    """The open end of a lane. ``position`` is where the next frame goes, ``limit`` where frames must end.

    Series definitions and the header stand twice: where they were written and at the end of the file, so that damage
    to one costs no other record.
    """

    __slots__ = ("header", "identity", "limit", "map", "path", "position", "seed")

    def __init__(self, path: Path, header: Header, size: int) -> None:
        """Make the file under another name, whole and with both headers, then give it its own. Raises OSError."""
        self.path, self.header, self.seed = path, header, header.seed
        fresh = path.with_suffix(".new")
        self.map, self.identity = _reserved_map(fresh, size)
        self.map[:HEADER_SIZE] = self.map[size - HEADER_SIZE :] = header.pack()
        self.position, self.limit = HEADER_SIZE, size - HEADER_SIZE
        os.rename(fresh, path)

    def define(self, number: int, tags: Mapping[str, str]) -> bool:
        """Write the definition of a series; False when there is no room."""
        frame = with_crc(series_body(number, dict(tags)), self.seed)
        size = len(frame)
        if self.position + 2 * size > self.limit:
            return False
        self.map[self.limit - size : self.limit] = frame
        self.limit -= size
        self.map[self.position : self.position + size] = frame
        self.position += size
        return True

    def is_there(self) -> bool:
        """Tell whether the segment's name still leads to it: a map outlives its file without a word."""
        return durable.leads_to(self.path, self.identity)

    def seal(self, *, last_sequence: int, earliest: int, latest: int) -> None:
        """Close the segment for good and cut the file to its contents; one without records is removed."""
        if last_sequence < self.header.first_sequence:
            self.abandon()
            self.path.unlink(missing_ok=True)
            return
        header = self.header.seal(last_sequence=last_sequence, earliest=earliest, latest=latest).pack()
        tail = self.map[self.limit : len(self.map) - HEADER_SIZE] + header
        end = self.position + len(tail)
        # The room for this was never given to frames: position <= limit.
        self.map[self.position : end] = tail
        self.map[:HEADER_SIZE] = header
        self.abandon()
        os.truncate(self.path, end)

    def abandon(self) -> None:
        """Close the map and leave the segment unsealed."""
        self.map.close()
        self.limit = 0


def _reserved_map(path: Path, size: int) -> tuple[mmap.mmap, tuple[int, int]]:
    """Make a file of this size, its space reserved on the disk, and return its map and identity. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | NO_LINK, FILE_MODE)
    try:
        # A full disk shows here, as an error, and not as SIGBUS at some frame later.
        os.posix_fallocate(descriptor, 0, size)
        shared = mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))
        return shared, durable.file_of(descriptor)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class SegmentFile:
    """A segment as it lies on disk; ``header`` is None where both copies are damaged."""

    path: Path
    number: int
    header: Header | None
    size: int
    identity: tuple[int, int]  # inode and mtime in ns

    @property
    def known(self) -> bool:
        """Whether its header is whole and of the version that this code reads."""
        return self.header is not None and self.header.version == FORMAT_VERSION

    @property
    def sealed(self) -> bool:
        """Whether its writer, or a repair, has closed it for good."""
        return self.header is not None and self.header.sealed

    def holds_frames(self) -> bool:
        """Tell of a segment that cannot be read whether it holds anything that somebody might yet read."""
        try:
            return self.header is not None or MARKER_BYTES in self.path.read_bytes()
        except FileNotFoundError:
            return False


def find_segment(path: Path) -> SegmentFile | None:
    """Return the segment with its header; None where the file is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_LINK)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(descriptor)
        header = unpack_header(os.pread(descriptor, HEADER_SIZE, 0))
        if header is None:
            header = unpack_header(os.pread(descriptor, HEADER_SIZE, max(0, status.st_size - HEADER_SIZE)))
    finally:
        os.close(descriptor)
    return SegmentFile(path, int(path.stem), header, status.st_size, (status.st_ino, status.st_mtime_ns))


def segment_names(folder: Path) -> list[str]:
    """Return the names of the folder's segments, oldest first; none where there is no folder."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name.endswith(SUFFIX) and name.removesuffix(SUFFIX).isdigit())


def find_segments(folder: Path, names: Sequence[str], *, after: int) -> list[SegmentFile]:
    """Return the newest segment and those that can hold a sequence above ``after``, oldest first.

    A desk keeps thousands of segments, of which the last ones are all that is asked about several times a second.
    """
    files = []
    for name in reversed(names):
        file = find_segment(folder / name)
        if file is not None:
            files.append(file)
            if file.header is not None and file.header.first_sequence <= after + 1:
                break
    return files[::-1]


def read_frames(file: SegmentFile, *, position: int, last_sequence: int) -> Iterator[tuple[bytes, int, Scan]]:
    """Yield (bytes, their offset in the file, the frames in them) chunk by chunk, up to ``last_sequence``.

    Offsets in a scan count from the chunk's first byte. Nothing where the file is gone or both headers are damaged.
    """
    if file.header is None:
        return
    try:
        descriptor = os.open(file.path, os.O_RDONLY | NO_LINK)
    except FileNotFoundError:
        return
    try:
        size, length = os.fstat(descriptor).st_size, CHUNK_FIRST
        while position < size:
            chunk = os.pread(descriptor, length + FRAME_MAX, position)
            stop, length = min(length, len(chunk)), CHUNK
            frames = scan(chunk, seed=file.header.seed, position=0, stop=stop, last_sequence=last_sequence)
            yield chunk, position, frames
            if frames.position < stop:
                return
            position += frames.position
    finally:
        os.close(descriptor)


def find_definitions(file: SegmentFile) -> Iterator[bytes]:
    """Yield every whole definition of a series anywhere in the file, for where the expected one was damaged."""
    if file.header is None:
        return
    content = file.path.read_bytes()
    position = content.find(SERIES_START)
    while position >= 0:
        frames = scan(content, seed=file.header.seed, position=position, stop=position + 8, last_sequence=1)
        if len(frames.offsets) and frames.kinds[0] == SERIES:
            yield content[position : position + int(frames.lengths[0])]
        position = content.find(SERIES_START, position + 2)
