"""Marks beside a lane: which rows of whose input the next records are, noted before they are written.

Whoever sends its input again until it is answered (a client over a network, a broker that delivers again) gets each row
recorded once, wherever the process was killed in between. A line of the file `marks` says of a stream which of its rows
follow as records behind a sequence of the lane, and which are refused. What the lane has issued behind that sequence
tells how many were written: at most as many as the mark announces, and none beyond the next mark. A mark behind what
the lane has issued is void: a power loss took its records.

Only the lane's writer adds marks, under the guard of its source, and the records follow at once.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import orjson

from timeseries.spool import durable
from timeseries.spool.counter import read_counter

NAME = "marks"
ENDED_KEPT = 16  # batches of each stream
REJECTED_KEPT = 1000  # of each batch, by place; of more only the number is kept
BYTES_KEPT = 16 << 20  # about so much is remembered; streams without a mark for longest are forgotten first
FILE_BYTES = 4 << 20  # from then on the file is written anew where it has doubled
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW

RejectedRow = tuple[int, str, str | None]  # its place in the batch, the error's code and field


@dataclass(frozen=True)
class RowMark:
    """Rows of a stream's batch from ``position`` on, of which all but the ``rejected`` follow as records, at once.

    A stream's batches are numbered, rising, and positions count from 0 in each. A mark with an ``answer`` (any text)
    ends its batch. A ``prefix`` (any text) tells of the input so far, so that whoever sends another one is found out.
    """

    stream: str
    batch: int
    position: int
    rows: int = 0
    accepted: int = 0
    rejected: tuple[RejectedRow, ...] = ()
    answer: str | None = None
    prefix: str | None = None


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch has come: its first ``rows`` rows need not come again, ``accepted`` of them are recorded."""

    rows: int = 0
    accepted: int = 0
    rejected: tuple[RejectedRow, ...] = ()  # the first ones; their number is rows - accepted
    answer: str | None = None  # of a batch that has ended
    prefix: str | None = None  # of the last mark that has one

    def after(self, mark: RowMark, written: int) -> BatchProgress:
        """Return it with a further mark, of which so many records are there."""
        rows = mark.position + (mark.rows if written >= mark.accepted else written)
        if written < mark.accepted:
            for place, _, _ in mark.rejected:
                rows += place < rows  # a refused row before the last one that is there
        rejected = [row for row in mark.rejected if row[0] < rows][: REJECTED_KEPT - len(self.rejected)]
        every = (*self.rejected, *rejected)
        return BatchProgress(rows, self.accepted + written, every, mark.answer, mark.prefix or self.prefix)


@dataclass
class _MarkLine:
    """A mark, the lane's last sequence before its records, and the number of these (None: what the lane issued since).

    Without a mark it says that the records from here on are nobody's.
    """

    sequence: int
    mark: RowMark | None
    written: int | None = None

    @property
    def end(self) -> int:
        """The sequence of the last record that may be the mark's."""
        return self.sequence + (self.mark.accepted if self.mark is not None and self.written is None else 0)

    def count(self, issued: int) -> int:
        """Return how many of the mark's records a lane has that issued so many."""
        return min(self.end, issued) - self.sequence if self.written is None else self.written

    def pack(self) -> bytes:
        parts = () if self.mark is None else tuple(vars(self.mark).values())
        text = orjson.dumps((self.sequence, self.written, *parts))
        return b"%08x %s\n" % (crc32(text), text)

    @classmethod
    def unpack(cls, line: bytes) -> _MarkLine | None:
        """Return a line as it was packed, None for one that was not written to its end."""
        try:
            if int(line[:8], 16) != crc32(line[9:]):
                return None
            sequence, written, *parts = orjson.loads(line[9:])
        except ValueError:
            return None
        if not parts:
            return cls(sequence, None)
        stream, batch, position, rows, accepted, rejected, *texts = parts
        mark = RowMark(stream, batch, position, rows, accepted, tuple(map(tuple, rejected)), *texts)
        return cls(sequence, mark, written)


@dataclass
class _Stream:
    """A stream's newest batch and how far it came before the last mark, and its last batches that have ended."""

    batch: int
    progress: BatchProgress = field(default_factory=BatchProgress)
    ended: OrderedDict[int, BatchProgress] = field(default_factory=OrderedDict)


class _MarkMemory:
    """What marks say, taken in their order."""

    def __init__(self, lines: Iterable[_MarkLine] = ()) -> None:
        self.streams: OrderedDict[str, _Stream] = OrderedDict()
        self.last: _MarkLine | None = None
        for line in lines:
            self.take(line)

    def take(self, line: _MarkLine) -> None:
        """Count what was written of the mark before this line, and turn to this one."""
        former = None if self.last is None else self.last.mark
        if self.last is not None and former is not None and (stream := self.streams.get(former.stream)) is not None:
            stream.progress = stream.progress.after(former, self.last.count(line.sequence))
            if former.answer is not None:
                stream.ended[former.batch] = stream.progress
                if len(stream.ended) > ENDED_KEPT:
                    stream.ended.popitem(last=False)
        self.last = line
        if (mark := line.mark) is not None:
            stream = self.streams.pop(mark.stream, None) or _Stream(mark.batch)
            if mark.batch != stream.batch:
                stream.batch, stream.progress = mark.batch, BatchProgress()
            self.streams[mark.stream] = stream

    def progress(self, name: str, batch: int, issued: int) -> BatchProgress | None:
        """Return how far a batch has come, None where it is not remembered."""
        stream = self.streams.get(name)
        if stream is None or batch != stream.batch:
            return stream.ended.get(batch) if stream is not None else None
        mark = self.last.mark if self.last is not None else None
        if self.last is None or mark is None or mark.stream != name:
            return stream.progress
        return stream.progress.after(mark, self.last.count(issued))

    def lines(self) -> Iterator[_MarkLine]:
        """Yield lines that say the same of all but the last mark."""
        for name, stream in self.streams.items():
            for batch, done in {**stream.ended, stream.batch: stream.progress}.items():
                mark = RowMark(name, batch, 0, done.rows, done.accepted, done.rejected, done.answer, done.prefix)
                yield _MarkLine(0, mark, done.accepted)

    def forget(self, bytes_kept: int) -> None:
        """Forget the streams that were longest without a mark, where all take more room."""
        sizes = [len(line.pack()) for line in self.lines()]
        while len(self.streams) > 1 and sum(sizes) > bytes_kept:
            _, stream = self.streams.popitem(last=False)
            del sizes[: len({*stream.ended, stream.batch})]


class LaneMarks:
    """The marks of a lane as its writer has them."""

    def __init__(self, folder: Path, *, issued: int) -> None:
        """Read the marks of a lane that has ``issued`` so many; no file is made before the first. Raises OSError."""
        self._path, self._descriptor = folder / NAME, -1
        self._size, self._size_max, self._is_torn = 0, FILE_BYTES, False
        lines = self._read()
        valid = [line for line in lines if line.sequence <= issued]
        self._memory = _MarkMemory(valid)
        if len(valid) < len(lines) or self._is_torn:
            self._write_anew(valid)
        last = self._memory.last
        if last is not None and last.end > issued:
            self._add(_MarkLine(issued, None))  # whoever records next may be another

    def add(self, mark: RowMark, *, sequence: int) -> None:
        """Note a mark behind the lane's last ``sequence``. Raises OSError: nothing is noted."""
        self._add(_MarkLine(sequence, mark))

    def newest(self, stream: str) -> int | None:
        """Return the number of the stream's newest batch, None where none is remembered."""
        return self._memory.streams[stream].batch if stream in self._memory.streams else None

    def newest_ended(self, stream: str) -> int | None:
        """Return the number of the stream's newest batch that has ended, None where none is remembered."""
        last = self._memory.last
        if last is not None and last.mark is not None and last.mark.stream == stream and last.mark.answer is not None:
            return last.mark.batch
        remembered = self._memory.streams.get(stream)
        return None if remembered is None else next(reversed(remembered.ended), None)

    def progress(self, stream: str, batch: int, *, issued: int) -> BatchProgress | None:
        """Return how far a batch has come in a lane that has ``issued`` so many; None where it is not remembered."""
        return self._memory.progress(stream, batch, issued)

    def close(self) -> None:
        """Close the file; the marks stay."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _add(self, line: _MarkLine) -> None:
        if self._size > self._size_max:
            self._write_anew(self._read())
        if self._descriptor < 0:
            is_new = not self._path.exists()
            self._descriptor = os.open(self._path, APPEND, 0o600)
            if is_new:
                durable.sync_file(self._path.parent)
        text = b"\n" * self._is_torn + line.pack()
        self._is_torn = True  # until all of it is there: the next one then begins a line of its own
        durable.write_all(self._descriptor, text)
        self._is_torn = False
        self._size += len(text)
        self._memory.take(line)

    def _read(self) -> list[_MarkLine]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            content = b""
        self._size, self._size_max = len(content), max(FILE_BYTES, 2 * len(content))
        self._is_torn = bool(content) and not content.endswith(b"\n")
        return [line for text in content.split(b"\n") if text and (line := _MarkLine.unpack(text)) is not None]

    def _write_anew(self, lines: list[_MarkLine]) -> None:
        """Write each line that a power loss may still make the last one, and before it what the others say.

        Raises OSError.
        """
        synced = read_counter(self._path.parent).synced
        first = next((number for number, line in enumerate(lines) if line.end > synced), max(0, len(lines) - 1))
        recent = lines[first:]
        former = _MarkMemory([*lines[:first], *(_MarkLine(line.sequence, None) for line in recent[:1])])
        for memory in (former, self._memory):
            memory.forget(BYTES_KEPT)
        content = b"".join(line.pack() for line in (*former.lines(), *recent))
        self.close()
        durable.replace_file(self._path, content)
        self._size, self._size_max, self._is_torn = len(content), max(FILE_BYTES, 2 * len(content)), False
