"""A lane: the numbered records of one source and one measurement, as they lie on disk."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from timeseries.measurements import Measurement, PointBatch
from timeseries.spool import durable, lease
from timeseries.spool.counter import read_counter, read_unread
from timeseries.spool.decode import Batching, DecodedPoints, decode, parse_definition
from timeseries.spool.feed_keys import COUNTED
from timeseries.spool.frames import HEADER_SIZE, SERIES, Scan
from timeseries.spool.group_sync import GroupSync
from timeseries.spool.lease import Lease, LeaseHeld, LeaseLost
from timeseries.spool.segment import SegmentFile, find_definitions, find_segments, read_frames, segment_names

__all__ = ["Lane", "Lease", "LeaseHeld", "LeaseLost", "Outcome", "PendingSlice", "SegmentSpan", "Tail"]

MARKS = 32  # places remembered in each segment, so that the next slice begins where the last ended
FEW = 16  # records looked at first where one is wanted
SEGMENTS_REMEMBERED = 64  # of which anything is remembered: a companion passes a thousand a day


@dataclass(frozen=True)
class Outcome:
    """The fate of a lane's sequences up to ``through``, in disjoint counts."""

    through: int = 0
    stored: dict[str, int] = field(default_factory=dict)  # account to count
    dead_lettered: dict[str, int] = field(default_factory=dict)  # reason to count
    expired: int = 0
    damaged: int = 0
    cleared: int = 0
    cleared_through: dict[str, int] = field(default_factory=dict)  # account to sequence
    retried: tuple[int, ...] = ()  # dead letters that were settled anew and may still stand in their file
    quarantined: int = 0  # frames of a kind or version that this code does not know: kept on disk
    damaged_ns: int = 0  # when records were last passed over as damaged or quarantined, ns UTC


@dataclass(frozen=True)
class PendingSlice:
    """Points of a lane after a sequence, in order of arrival, with what could not be read on the way.

    ``last_sequence`` is where the next slice goes on; it may exceed the batch's last one when records were skipped.
    ``damaged`` counts sequences that a segment should hold and does not; those of a segment that is gone count nowhere.
    ``quarantined`` counts whole frames of a kind, version or field that is not known here.
    """

    batch: PointBatch
    last_sequence: int
    damaged: int
    quarantined: int


class Tail(NamedTuple):
    """Counts of a lane's end: ``whole`` frames, and ``damaged`` sequences that segments should hold and do not."""

    whole: int
    damaged: int


@dataclass(frozen=True)
class SegmentSpan:
    """A segment and the first and last sequence it should hold; ``last`` is None where nothing tells."""

    file: SegmentFile
    first: int
    last: int | None


@dataclass
class _Memory:
    """What is remembered of a segment that was read; void when the file is another writer's."""

    writer: bytes
    definitions: dict[int, dict[str, str]] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)  # sequence to the place after its frame
    whole: int | None = None  # how many whole frames the segment has, once it is sealed and counted


class Lane:
    """The numbered records of one source and one measurement on disk.

    Every method may be called from any process and thread while others record, ship and read.
    """

    def __init__(self, folder: Path, source: str, measurement: Measurement) -> None:
        self.folder, self.source, self.measurement = folder, source, measurement
        self._memories: OrderedDict[Path, _Memory] = OrderedDict()
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
        """Return how many records were lost or refused because their folder was removed or replaced."""
        return read_counter(self.folder).removed

    def outcome(self) -> Outcome:
        """Return the fate of the records so far; all zero before the first `settle`."""
        try:
            counts = orjson.loads((self.folder / "outcome").read_bytes())
        except FileNotFoundError:
            return Outcome()
        names = {count.name for count in fields(Outcome)}
        outcome = Outcome(**{name: count for name, count in counts.items() if name in names})
        return replace(outcome, retried=tuple(outcome.retried))  # JSON knows lists alone

    def settle(self, outcome: Outcome, held: Lease) -> None:
        """Write the lane's outcome, durable on return.

        Raises:
            LeaseLost: another shipper has taken over, and its outcome stands.
            OSError: the disk refuses; settle again before the outcome is relied upon.
        """
        held.put("outcome", orjson.dumps(asdict(outcome)))

    def segments(self) -> list[Path]:
        """Return the segment files, oldest first."""
        return [self.folder / name for name in segment_names(self.folder)]

    def spans(self, issued: int, *, after: int = -1) -> list[SegmentSpan]:
        """Return the segments with the sequences that each should hold, oldest first.

        Of those that end at or before ``after`` some may be left out.
        """
        files = find_segments(self.folder, segment_names(self.folder), after=after)
        spans: list[SegmentSpan] = []
        before: int | None = None
        for file, following in zip(files, [*files[1:], None], strict=False):
            first = file.header.first_sequence if file.header else (before or 0) + 1
            before = None
            if file.header is not None and file.header.sealed:
                before = file.header.last_sequence
            elif following is None:
                before = issued
            elif following.number == file.number + 1 and following.header is not None:
                before = following.header.first_sequence - 1
            spans.append(SegmentSpan(file, first, before))
        return spans

    def pending(self, *, after: int, limit: int) -> PendingSlice:
        """Return the records of the next ``limit`` sequences above ``after``, in order of arrival."""
        issued = self.issued()
        batching = Batching(self.measurement, self.source)
        damaged = quarantined = 0
        last = after
        for span in self.spans(issued, after=after):
            if limit <= 0 or (span.last is not None and span.last <= after):
                continue
            begin = max(after, span.first - 1)
            share = self._read(span, begin, min(issued, begin + limit), batching)
            last = max(last, share.last)
            damaged += share.damaged
            quarantined += share.quarantined
            limit -= share.last - begin
        return PendingSlice(batching.batch(), last, damaged, quarantined)

    def holds_after(self, sequence: int) -> bool:
        """Tell whether every record that was issued after this one is still in a segment."""
        issued, following = self.issued(), sequence + 1
        for span in self.spans(issued, after=sequence):
            if span.last is not None and span.last < following:
                continue
            if span.first > following:
                return False
            following = issued + 1 if span.last is None else span.last + 1
        return following > issued

    def tail(self, *, after: int) -> Tail:
        """Count the frames on disk above ``after``, one by one."""
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

    def _count(self, span: SegmentSpan, after: int, issued: int) -> int:
        """Count the segment's whole frames above ``after``, in a segment of another version those it should hold."""
        if not span.file.known:
            return max(0, (span.last or issued) - after) if span.file.holds_frames() else 0
        memory = self._memory_of(span)
        is_entire = span.file.sealed and after < span.first
        if is_entire and memory.whole is not None:
            return memory.whole
        count = sum(len(scan.records(after=after).sequences) for _, _, scan in self._frames(span, after, issued))
        if is_entire:
            memory.whole = count
        return count

    def oldest_pending_ns(self, after: int) -> int | None:
        """Return the received_time (ns UTC) of the first record above ``after``; None when there is none."""
        limit = FEW
        while (pending := self.pending(after=after, limit=limit)).last_sequence > after:
            if len(pending.batch):
                return int(pending.batch.received_time[0])
            after, limit = pending.last_sequence, 4 * limit  # damaged so far
        return None

    def lease(self, *, owner: str) -> AbstractContextManager[Lease]:
        """Hold the lane's lease, which one shipper at a time has (see `lease.hold`).

        Raises LeaseHeld at once.
        """
        return lease.hold(self.folder, owner=owner)

    def sync(self) -> None:
        """Sync what a power loss could still cost, and put right what could not be synced before (see `GroupSync`).

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

    def written_days(self) -> set[date]:
        """Return the days (UTC) on which segments that are kept were last written."""
        days = set()
        for name in segment_names(self.folder):
            with contextlib.suppress(FileNotFoundError):
                days.add(datetime.fromtimestamp((self.folder / name).stat().st_mtime, UTC).date())
        return days

    def kept_spans(self, *, through: int) -> Iterator[SegmentSpan]:
        """Yield the sealed segments whose records are all settled, up to the sequence ``through``."""
        for span in self.spans(self.issued()):
            header = span.file.header
            if header is not None and header.sealed and header.last_sequence <= through and span.file.known:
                yield span

    def remove_kept(self, *, before_ns: int, through: int) -> int:
        """Remove kept segments (`kept_spans`) last written before ``before_ns``; returns how many.

        A segment that holds a quarantined frame stays.
        """
        issued = self.issued()
        gone = 0
        for span in self.kept_spans(through=through):
            header = span.file.header
            if header is None or span.file.identity[1] >= before_ns:
                continue
            if any(
                decode(self.measurement, chunk, scan.records(after=0))[1]
                for chunk, _, scan in self._frames(span, span.first - 1, issued)
            ):
                continue
            durable.replace_file(self.folder / "removed_until", str(max(self.removed_until(), header.latest)).encode())
            span.file.path.unlink(missing_ok=True)
            self._memories.pop(span.file.path, None)
            gone += 1
        return gone

    def points(self, span: SegmentSpan, issued: int) -> Iterator[tuple[DecodedPoints, dict[int, dict[str, str]]]]:
        """Yield all points of one segment with the definitions of their series."""
        for chunk, _, scan in self._frames(span, span.first - 1, issued):
            points, _ = decode(self.measurement, chunk, scan.records(after=span.first - 1))
            yield points, self._definitions(span, points)

    def _read(self, span: SegmentSpan, after: int, through: int, batching: Batching) -> _Share:
        """Add the segment's points above ``after``, up to the sequence ``through``, to the batch."""
        if not span.file.known:
            last = max(after, span.last if span.last is not None else through)
            is_kept = span.file.holds_frames()
            return _Share(last=last, quarantined=(last - after) * is_kept, damaged=(last - after) * (not is_kept))
        share, points_read = _Share(last=after), 0
        for chunk, _, scan in self._frames(span, after, through):
            frames = scan.records(after=share.last)
            points, unknown = decode(self.measurement, chunk, frames)
            definitions = self._definitions(span, points)
            if lost := [number for number in np.unique(points.series).tolist() if number not in definitions]:
                points = points.take(~np.isin(points.series, lost))
            batching.add(points, definitions)
            share.quarantined += unknown
            points_read += len(points)
            if len(frames.sequences):
                share.last = int(frames.sequences[-1])
        share.last = max(share.last, min(span.last, through) if span.last is not None else 0)
        share.damaged = share.last - after - points_read - share.quarantined
        return share

    def _frames(self, span: SegmentSpan, after: int, issued: int) -> Iterator[tuple[bytes, int, Scan]]:
        """Yield the segment's frames from the nearest mark at or before ``after`` on, and remember the way."""
        memory = self._memory_of(span)
        begin = max((sequence for sequence in list(memory.marks) if sequence <= after), default=0)
        position = memory.marks.get(begin, HEADER_SIZE)
        last = min(issued, span.last) if span.last is not None else issued
        may_be_half_written = not span.file.sealed
        while True:
            for chunk, offset, scan in read_frames(span.file, position=position, last_sequence=last):
                if may_be_half_written and scan.torn:
                    # Perhaps these bytes were just being written by another processor: look once more.
                    time.sleep(0.001)
                    position, may_be_half_written = offset, False
                    break
                for row in np.flatnonzero(scan.kinds == SERIES).tolist():
                    start = int(scan.offsets[row])
                    number, tags = parse_definition(chunk[start : start + int(scan.lengths[row])])
                    memory.definitions[number] = tags
                records = scan.records(after=0)
                _mark(memory, offset, records.take(records.sequences <= after))  # the same is often asked next
                _mark(memory, offset, records)
                yield chunk, offset, scan
            else:
                return

    def _memory_of(self, span: SegmentSpan) -> _Memory:
        header = span.file.header
        writer = header.writer if header else b""
        memory = self._memories.get(span.file.path)
        if memory is None or memory.writer != writer:
            memory = self._memories[span.file.path] = _Memory(writer)
        with contextlib.suppress(KeyError):  # another thread may have let it go
            self._memories.move_to_end(span.file.path)
            if len(self._memories) > SEGMENTS_REMEMBERED:
                self._memories.popitem(last=False)
        return memory

    def _definitions(self, span: SegmentSpan, points: DecodedPoints) -> dict[int, dict[str, str]]:
        """Return the tags of the points' series by number, from all of the file where one was damaged."""
        definitions = self._memory_of(span).definitions
        if set(np.unique(points.series).tolist()) <= definitions.keys():
            return definitions
        return dict(parse_definition(frame) for frame in find_definitions(span.file)) | definitions


@dataclass
class _Share:
    """What one segment gave to a slice: its last sequence, and how many frames were whole, damaged, unreadable."""

    last: int
    damaged: int = 0
    quarantined: int = 0


def _mark(memory: _Memory, offset: int, frames: Scan) -> None:
    """Remember where the frame after these begins; ``offset`` is that of their chunk in the file."""
    if len(frames.sequences):
        memory.marks[int(frames.sequences[-1])] = offset + int(frames.offsets[-1] + frames.lengths[-1])
    for sequence in list(memory.marks)[:-MARKS]:
        memory.marks.pop(sequence, None)
