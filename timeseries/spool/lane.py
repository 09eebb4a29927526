"""A lane: the numbered records of one source and one measurement, as they lie on disk."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from timeseries.measurements import Measurement, PointBatch
from timeseries.spool import durable, lease
from timeseries.spool.counter import read_counter, read_unread
from timeseries.spool.decode import Batching, Points, decode, parse_definition
from timeseries.spool.feed_keys import COUNTED
from timeseries.spool.frames import HEADER_SIZE, MARKER_BYTES, SERIES, Scan
from timeseries.spool.group_sync import GroupSync
from timeseries.spool.lease import Lease, LeaseHeld, LeaseLost
from timeseries.spool.segment import SegmentFile, find_definitions, find_segments, read_frames, segment_names

__all__ = ["Lane", "Lease", "LeaseHeld", "LeaseLost", "Outcome", "PendingSlice", "Span", "Tail"]

MARKS = 32  # places remembered in each segment, so that the next slice begins where the last ended
SEGMENTS_KNOWN = 64  # of which anything is remembered: a companion passes a thousand a day


@dataclass(frozen=True)
class Outcome:
    """What became of the sequences up to ``through``; the counts are disjoint."""

    through: int = 0
    stored: dict[str, int] = field(default_factory=dict)  # account to count
    dead_lettered: dict[str, int] = field(default_factory=dict)  # reason to count
    expired: int = 0
    damaged: int = 0
    cleared: int = 0
    cleared_through: dict[str, int] = field(default_factory=dict)  # account to sequence
    retried: tuple[int, ...] = ()  # dead letters that were settled anew and may still stand in their file
    quarantined: int = 0  # frames of a kind or version that this code does not know: kept on disk


@dataclass(frozen=True)
class PendingSlice:
    """Records after a sequence.

    ``last_sequence`` is where the next slice goes on; it may exceed the batch's last one when records were skipped.
    ``damaged`` counts sequences that a segment should hold and does not; those of a segment that is gone count nowhere.
    ``quarantined`` counts whole frames of a kind, version or field that is not known here.
    """

    batch: PointBatch
    last_sequence: int
    damaged: int
    quarantined: int


class Tail(NamedTuple):
    """``whole`` frames wait; ``damaged`` sequences are missing from segments that should hold them."""

    whole: int
    damaged: int


@dataclass(frozen=True)
class Span:
    """A segment and the sequences it should hold; ``last`` is None when nothing tells."""

    file: SegmentFile
    first: int
    last: int | None


@dataclass
class _Known:
    """What reading a segment once has taught; forgotten when the file is another one."""

    writer: bytes
    definitions: dict[int, dict[str, str]] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)  # sequence to the place after its frame
    whole: int | None = None  # how many whole frames the segment has, once it is sealed and counted


class Lane:
    """Every method may be called from any process and thread while others record, ship and read."""

    def __init__(self, folder: Path, source: str, measurement: Measurement) -> None:
        self.folder, self.source, self.measurement = folder, source, measurement
        self._known: OrderedDict[Path, _Known] = OrderedDict()
        self._sync = GroupSync(folder)

    def __repr__(self) -> str:
        return f"Lane({self.source!r}, {self.measurement.name})"

    def issued(self) -> int:
        """Return the last sequence issued; take it before counting frames."""
        return read_counter(self.folder).issued

    def refused(self) -> tuple[int, int, int]:
        """Return how many records storage faults cost: (spool full, spool failed, ns UTC of the last one)."""
        counter = read_counter(self.folder)
        return counter.full, counter.failed, counter.refused_ns

    def unread_keys(self) -> dict[str, int]:
        """Return how many ticks had each key of a feed that is not read, since a recorder opened the lane."""
        counts = read_unread(self.folder)
        return {key: count for key, count in zip(COUNTED, counts, strict=False) if count}

    def removed(self) -> int:
        """Return how many records went with a folder that was removed or replaced under their recorder, or were refused
        for it."""
        return read_counter(self.folder).removed

    def outcome(self) -> Outcome:
        """Return what became of the records so far; all zero before the first `settle`."""
        try:
            kept = orjson.loads((self.folder / "outcome").read_bytes())
        except FileNotFoundError:
            return Outcome()
        known = {item.name for item in fields(Outcome)}
        found = Outcome(**{name: value for name, value in kept.items() if name in known})
        return replace(found, retried=tuple(found.retried))  # JSON knows lists alone

    def settle(self, outcome: Outcome, held: Lease) -> None:
        """Make the outcome durable.

        Raises:
            LeaseLost: another shipper has taken over, and its outcome stands.
            OSError: the disk refuses; settle again before the outcome is relied upon.
        """
        held.put("outcome", orjson.dumps(asdict(outcome)))

    def segments(self) -> list[Path]:
        """Return the segment files, oldest first."""
        return [self.folder / name for name in segment_names(self.folder)]

    def spans(self, issued: int, *, after: int = -1) -> list[Span]:
        """Return the segments and the sequences that each should hold, oldest first; of those that end at or before
        ``after`` some may be left out."""
        files = find_segments(self.folder, segment_names(self.folder), after=after)
        spans: list[Span] = []
        before: int | None = None
        for file, following in zip(files, [*files[1:], None], strict=False):
            first = file.header.first_sequence if file.header else (before or 0) + 1
            last = _last_of(file, following, issued)
            spans.append(Span(file, first, last))
            before = last
        return spans

    def pending(self, *, after: int, limit: int) -> PendingSlice:
        """Return at most ``limit`` records with a sequence above ``after``, in order of arrival."""
        issued = self.issued()
        batching = Batching(self.measurement, self.source)
        damaged = quarantined = 0
        last = after
        for span in self.spans(issued, after=after):
            if limit <= 0 or (span.last is not None and span.last <= after):
                continue
            part = self._read(span, max(after, span.first - 1), issued, limit, batching)
            last = max(last, part.last)
            damaged += part.damaged
            quarantined += part.quarantined
            limit -= part.taken
        return PendingSlice(batching.batch(), last, damaged, quarantined)

    def tail(self, *, after: int) -> Tail:
        """Count what is on disk above ``after``, frame by frame."""
        issued = self.issued()
        whole = damaged = 0
        for span in self.spans(issued, after=after):
            if span.last is not None and span.last <= after:
                continue
            begin = max(after, span.first - 1)
            count, expected = self._count(span, begin, issued), (span.last or begin) - begin
            whole += count
            damaged += max(0, expected - count)
        return Tail(whole, damaged)

    def waiting(self, *, after: int) -> int:
        """Count the whole frames above ``after`` that are on disk, those of an unknown kind included."""
        return self.tail(after=after).whole

    def _count(self, span: Span, after: int, issued: int) -> int:
        if not span.file.known:
            return max(0, (span.last or issued) - after) if _holds_frames(span.file) else 0
        known = self._known_of(span)
        entire = span.file.sealed and after < span.first
        if entire and known.whole is not None:
            return known.whole
        count = sum(len(_records_of(found, after).sequences) for _, _, found in self._frames(span, after, issued))
        if entire:
            known.whole = count
        return count

    def oldest_pending_ns(self, after: int) -> int | None:
        """Return the received_time (ns UTC) of the first record above ``after``; None when there is none."""
        batch = self.pending(after=after, limit=1).batch
        return int(batch.received_time[0]) if len(batch) else None

    def lease(self, *, owner: str) -> AbstractContextManager[Lease]:
        """Keep two shippers apart: free when the holder dies, taken over when it is silent (see `lease.hold`).

        Raises LeaseHeld at once.
        """
        return lease.hold(self.folder, owner=owner)

    def sync(self) -> None:
        """fsync what a power loss could still cost, and put right what could not be synced before (see `GroupSync`).

        Raises OSError: not all that was recorded is safe.
        """
        self._sync.sync()

    def unsynced(self) -> int | None:
        """Return the last sequence of which a power loss takes nothing, None where it would take nothing at all."""
        counter = read_counter(self.folder)
        return counter.synced if counter.synced < counter.issued else None

    def oldest_unsynced_ns(self) -> int | None:
        """Return the received_time (ns UTC) of the oldest record that a power loss would take; None for none."""
        synced = self.unsynced()
        return None if synced is None else self.oldest_pending_ns(synced)

    def doubt(self) -> int:
        """Return the errno of a failed sync that is not put right yet; 0 when all is well."""
        return read_counter(self.folder).doubt[2]

    def removed_until(self) -> int:
        """Return the highest exchange_time (ns) of records removed with `remove_kept`; 0 for none."""
        try:
            return int((self.folder / "removed_until").read_text())
        except FileNotFoundError:
            return 0

    def remove_kept(self, *, before_ns: int, through: int) -> int:
        """Remove sealed segments last written before ``before_ns`` whose records are all settled; returns how many.

        A segment that holds a quarantined frame stays.
        """
        issued = self.issued()
        gone = 0
        for span in self.spans(issued):
            header = span.file.header
            if header is None or not header.sealed or header.last_sequence > through or not span.file.known:
                continue
            if span.file.identity[1] >= before_ns or self._has_unknown(span, issued):
                continue
            durable.replace_file(self.folder / "removed_until", str(max(self.removed_until(), header.latest)).encode())
            span.file.path.unlink(missing_ok=True)
            self._known.pop(span.file.path, None)
            gone += 1
        return gone

    def points(self, span: Span, issued: int) -> Iterator[tuple[Points, dict[int, dict[str, str]]]]:
        """Yield all points of one segment with the definitions of their series."""
        for data, _, found in self._frames(span, span.first - 1, issued):
            points, _ = decode(self.measurement, data, _records_of(found, span.first - 1))
            yield points, self._definitions(span, points)

    def _has_unknown(self, span: Span, issued: int) -> bool:
        return any(
            decode(self.measurement, data, _records_of(found, 0))[1]
            for data, _, found in self._frames(span, span.first - 1, issued)
        )

    def _read(self, span: Span, after: int, issued: int, limit: int, batching: Batching) -> _Part:
        if not span.file.known:
            last = max(after, span.last if span.last is not None else issued)
            kept = _holds_frames(span.file)
            return _Part(last=last, quarantined=(last - after) * kept, damaged=(last - after) * (not kept))
        part = _Part(last=after)
        whole = 0
        for data, offset, found in self._frames(span, after, issued):
            frames = _records_of(found, part.last)
            cut = len(frames.sequences) > limit - whole
            if cut:
                frames = _first(frames, limit - whole)
                self._mark(self._known_of(span), offset, frames)
            points, unknown = decode(self.measurement, data, frames)
            definitions = self._definitions(span, points)
            if lost := [number for number in np.unique(points.series).tolist() if number not in definitions]:
                points = points.take(~np.isin(points.series, lost))
            batching.add(points, definitions)
            part.quarantined += unknown
            part.taken += len(points)
            whole += len(frames.sequences)
            if len(frames.sequences):
                part.last = int(frames.sequences[-1])
            if cut or whole >= limit:
                break
        else:
            part.last = max(part.last, min(span.last, issued) if span.last is not None else 0)
        part.damaged = part.last - after - part.taken - part.quarantined
        part.taken = whole
        return part

    def _frames(self, span: Span, after: int, issued: int) -> Iterator[tuple[bytes, int, Scan]]:
        """Yield the segment's frames from the last known place at or before ``after`` on, and learn the way."""
        known = self._known_of(span)
        begin = max((sequence for sequence in list(known.marks) if sequence <= after), default=0)
        position = known.marks.get(begin, HEADER_SIZE)
        last = min(issued, span.last) if span.last is not None else issued
        live = not span.file.sealed
        for data, offset, found in read_frames(span.file, position=position, last_sequence=last):
            if live and found.torn:
                # Perhaps these bytes were just being written by another processor: look once more.
                time.sleep(0.001)
                yield from self._again(span, known, offset, last)
                return
            self._learn(known, data, offset, found)
            yield data, offset, found

    def _again(self, span: Span, known: _Known, position: int, last: int) -> Iterator[tuple[bytes, int, Scan]]:
        for data, offset, found in read_frames(span.file, position=position, last_sequence=last):
            self._learn(known, data, offset, found)
            yield data, offset, found

    def _known_of(self, span: Span) -> _Known:
        header = span.file.header
        writer = header.writer if header else b""
        known = self._known.get(span.file.path)
        if known is None or known.writer != writer:
            known = self._known[span.file.path] = _Known(writer)
        with contextlib.suppress(KeyError):  # another thread may have let it go
            self._known.move_to_end(span.file.path)
            if len(self._known) > SEGMENTS_KNOWN:
                self._known.popitem(last=False)
        return known

    def _learn(self, known: _Known, data: bytes, offset: int, found: Scan) -> None:
        is_series = found.prefixes >> 16 & 0xFF == SERIES
        for row in np.flatnonzero(is_series).tolist():
            start = int(found.offsets[row])
            number, tags = parse_definition(data[start : start + int(found.lengths[row])])
            known.definitions[number] = tags
        self._mark(known, offset, _records_of(found, 0))

    def _mark(self, known: _Known, offset: int, frames: Scan) -> None:
        if len(frames.sequences):
            known.marks[int(frames.sequences[-1])] = offset + int(frames.offsets[-1] + frames.lengths[-1])
        for sequence in list(known.marks)[:-MARKS]:
            known.marks.pop(sequence, None)

    def _definitions(self, span: Span, points: Points) -> dict[int, dict[str, str]]:
        known = self._known_of(span).definitions
        if set(np.unique(points.series).tolist()) <= known.keys():
            return known
        return dict(parse_definition(frame) for frame in find_definitions(span.file)) | known


@dataclass
class _Part:
    last: int
    taken: int = 0
    damaged: int = 0
    quarantined: int = 0


def _holds_frames(file: SegmentFile) -> bool:
    """Tell whether a segment that cannot be read holds anything that somebody might yet read."""
    try:
        return file.header is not None or MARKER_BYTES in file.path.read_bytes()
    except FileNotFoundError:
        return False


def _last_of(file: SegmentFile, following: SegmentFile | None, issued: int) -> int | None:
    if file.header is not None and file.header.sealed:
        return file.header.last_sequence
    if following is None:
        return issued
    if following.number == file.number + 1 and following.header is not None:
        return following.header.first_sequence - 1
    return None


def _records_of(found: Scan, after: int) -> Scan:
    """Return the frames that carry a sequence, above ``after`` and rising."""
    keep = (found.prefixes >> 16 & 0xFF != SERIES) & (found.sequences > after)
    return _select(found, keep)


def _first(found: Scan, count: int) -> Scan:
    return _select(found, slice(0, count))


def _select(found: Scan, keep: slice | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Scan:
    return Scan(
        found.offsets[keep],
        found.lengths[keep],
        found.prefixes[keep],
        found.sequences[keep],
        found.position,
        found.torn,
    )
