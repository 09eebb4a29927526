"""The files of the intake: facts that wait for the ledger, and their outcomes. Crash-safe, written by many processes.

Both are sequences of frames, only ever appended to: a mark that no text contains, length, CRC, one JSON object. What a
killed process left half written is passed over: its call never returned.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar

from timeseries.spool import durable
from timeseries.spool.locks import WRITE, FileLock
from trading.domain.chain import JSON

MARK = b"\xffVX1"  # 0xff is in no UTF-8 text
_HEAD = struct.Struct("<4sII")


class SequencedFrame(TypedDict):
    """The field that every frame has: its place in its file, from 1 on."""

    sequence: int


Frame = TypeVar("Frame", bound=SequencedFrame)


class FrameLog(Generic[Frame]):
    """One file of frames. Reading needs no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: list[Frame] = []
        self._position, self._identity = 0, (0, 0)
        self._guard = threading.Lock()

    def append(self, fields: Mapping[str, JSON]) -> Frame:
        """Write one frame with the next sequence (1, 2, ...) and return it; it is on disk when this returns.

        Raises: OSError.
        """
        is_new = not self.path.exists()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.path, flags=WRITE | os.O_APPEND) as lock:
            lock.take(patient=True)
            before = self.frames()
            stamped: Any = {**fields, "sequence": (before[-1]["sequence"] if before else 0) + 1}
            text = json.dumps(stamped, ensure_ascii=False, separators=(",", ":")).encode()
            whole = _HEAD.pack(MARK, len(text), zlib.crc32(text)) + text
            if os.write(lock.descriptor, whole) != len(whole):
                raise OSError("the disk took only a part of a fact")
            durable.sync(lock.descriptor)
        if is_new:
            durable.sync_file(self.path.parent)
        frame: Frame = stamped
        return frame

    def frames(self) -> list[Frame]:
        """Return every whole frame, in order."""
        with self._guard:
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return []
            try:
                status = os.fstat(descriptor)
                identity = (status.st_dev, status.st_ino)
                if identity != self._identity:
                    self._read, self._position, self._identity = [], 0, identity
                tail = os.pread(descriptor, max(0, status.st_size - self._position), self._position)
            finally:
                os.close(descriptor)
            begin = self._position
            for end, text in _texts(tail):
                self._read.append(json.loads(text))
                self._position = begin + end
            return list(self._read)


def _texts(tail: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (where it ends, its text) of every whole frame."""
    at = tail.find(MARK)
    while 0 <= at <= len(tail) - _HEAD.size:
        _, length, crc = _HEAD.unpack_from(tail, at)
        text = tail[at + _HEAD.size : at + _HEAD.size + length]
        if len(text) == length and zlib.crc32(text) == crc:
            at += _HEAD.size + length
            yield at, text
            at = tail.find(MARK, at)
        else:
            at = tail.find(MARK, at + 1)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Give True to one process at a time, False to the others at once; the kernel frees it with a killed holder."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(path) as lock:
        yield lock.take()
