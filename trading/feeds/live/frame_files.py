"""The raw stream of a feed in files: what came, when it came, compressed, so that it can be decoded again.

A file is gzip of lines: a first one that names format and feed, then per message the instant of its receipt in ns UTC,
its kind and its content. A kill may cut the last lines off; what is before them is read.
"""

from __future__ import annotations

import binascii
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from timeseries.spool import durable
from trading.errors import InvalidValue

FORMAT = "velox-frames 1"
BINARY, TEXT, CONNECTED = "b", "t", "c"
ROTATED_AT_BYTES = 256 * 2**20  # before compression
_LEVEL = 3


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """One message as it came; of `CONNECTED` the content is empty."""

    received_ns: int
    kind: str
    content: bytes | str


class FrameFile:
    """The files that a recorder writes, one after the other: ``path`` with the instant of its first message."""

    def __init__(self, path: Path, feed: str, *, rotated_at: int = ROTATED_AT_BYTES) -> None:
        self.path, self.feed, self.rotated_at = path, feed, rotated_at
        self._file: gzip.GzipFile | None = None
        self._raw: io.BufferedWriter | None = None
        self._size = 0

    def write(self, frame: KeptFrame) -> None:
        """Add a message. Raises OSError."""
        if isinstance(frame.content, bytes):
            content = binascii.b2a_base64(frame.content, newline=False)
        else:
            content = json.dumps(frame.content).encode()
        line = b"%d %s %s\n" % (frame.received_ns, frame.kind.encode(), content)
        if self._file is None or self._size + len(line) > self.rotated_at:
            self._rotate(frame.received_ns)
        if self._file is not None:
            self._file.write(line)
            self._size += len(line)

    def flush(self) -> None:
        """Hand everything to the system, so that a kill loses none of it. Raises OSError."""
        if self._file is not None and self._raw is not None:
            self._file.flush(zlib.Z_SYNC_FLUSH)
            self._raw.flush()

    def close(self) -> None:
        """End the file, durable on return. Raises OSError."""
        file, raw = self._file, self._raw
        self._file = self._raw = None
        if file is not None and raw is not None:
            file.close()
            raw.flush()
            durable.sync(raw.fileno())
            raw.close()

    def abandon(self) -> None:
        """Close the file as it is on a disk that takes no more; what was not handed over is lost."""
        raw, self._file, self._raw = self._raw, None, None
        if raw is not None:
            raw.raw.close()

    def _rotate(self, first_ns: int) -> None:
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        name = self.path.with_name(f"{self.path.name}.{first_ns}.frames.gz")
        self._raw = name.open("xb")
        self._file = gzip.GzipFile("", fileobj=self._raw, mode="wb", compresslevel=_LEVEL, mtime=0)
        head = f"{FORMAT} {self.feed}\n".encode()
        self._file.write(head)
        self._size = len(head)
        self.flush()  # a file says what it is, whenever the process is killed


def feed_of(path: Path) -> str:
    """Return the feed that a file of frames is of. Raises: InvalidValue."""
    head = next(_lines(path), b"").decode("ascii", "replace")
    words = head.rpartition(" ")
    if words[0] != FORMAT or not words[2]:
        raise InvalidValue(
            f"{path} is no file of frames.", field="frames", hint="`manage.py record --frames FILE` writes them."
        )
    return words[2]


def read_frames(paths: Iterable[Path]) -> Iterator[KeptFrame]:
    """Yield the messages of some files, in their order; what a kill has cut is left out. Raises: InvalidValue."""
    for path in paths:
        feed_of(path)
        for number, line in enumerate(_lines(path)):
            words = line.split(b" ", 2)
            if not number or len(words) < 3:
                continue
            try:
                kind = words[1].decode("ascii")
                content = binascii.a2b_base64(words[2], strict_mode=True) if kind == BINARY else json.loads(words[2])
                yield KeptFrame(int(words[0]), kind, content)
            except ValueError as error:
                raise InvalidValue(f"Line {number + 1} of {path} cannot be read.", field="frames") from error


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a compressed file, up to where it was cut. Raises: InvalidValue."""
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield line[:-1]
    except EOFError:
        return  # the process that wrote it was killed
    except (OSError, zlib.error) as error:
        raise InvalidValue(f"{path} cannot be read: {error}.", field="frames") from error
