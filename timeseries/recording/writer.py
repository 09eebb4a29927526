"""The writer of a source in this process: its lock, the open ends of its lanes, one segment after another."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from pathlib import Path

from timeseries.errors import SpoolFailed, SpoolFull, VeloxError
from timeseries.measurements import Measurement
from timeseries.spool import durable
from timeseries.spool.counter import DOUBT, FAILED, FULL, ISSUED, REFUSED_NS, REMOVED, CounterMap
from timeseries.spool.disk_space import Room
from timeseries.spool.folder import SourceLock, Spool
from timeseries.spool.frames import Header, record_body
from timeseries.spool.group_sync import prove
from timeseries.spool.marks import LaneMarks, RowMark
from timeseries.spool.ordinals import NextOrdinal, Ordinals, Series, SeriesKey
from timeseries.spool.repair import mend_lane
from timeseries.spool.segment import SUFFIX, SegmentWriter

SEGMENT_BYTES_MIN = 1 << 20
SEGMENT_BYTES_MAX = 8 << 20
# After a fault the disk is not asked again before this many times the cost of asking: recovery needs no restart, and a
# full disk costs a strategy five percent of its time at most.
PATIENCE = 20
PATIENCE_NS_MAX = 2 * 10**9
# A recorder that was told to stop waits so long for the companion to prove the disk, then it asks the disk itself.
PROOF_NS = 2 * 10**9
GONE = "spool_removed"


class StorageFault(Exception):
    """The disk's refusal of a record: ``reason`` is counted, ``error`` raised where the caller wants that."""

    def __init__(self, error: VeloxError) -> None:
        super().__init__(str(error))
        self.error = error
        self.reason = error.code

    @property
    def word(self) -> int:
        """The word of the lane's counter for records that this fault kept out."""
        if self.reason == GONE:
            return REMOVED
        return FULL if isinstance(self.error, SpoolFull) else FAILED


def fault_of(error: OSError) -> StorageFault:
    """Return an error of the disk as the fault that is counted."""
    name = errno.errorcode.get(error.errno or 0, "EIO")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFault(SpoolFull(f"The disk is full: {error}.", hint="Make room on the disk.", code=name))
    return StorageFault(SpoolFailed(f"The disk refused the spool: {error}.", hint="Look at the disk.", code=name))


class Patience:
    """The memory of a disk's refusal: the fault stands until it is time to ask again."""

    def __init__(self) -> None:
        self._fault: StorageFault | None = None
        self._until = 0

    def check(self) -> None:
        """Raise the fault while it stands."""
        if self._fault is not None and time.monotonic_ns() < self._until:
            # Without its past: a fault that is raised for each tick of a day would keep every call's frames.
            raise self._fault.with_traceback(None) from None

    def lost(self, fault: StorageFault, asked: int) -> None:
        """Note a fault; ``asked`` is when the disk was asked (monotonic ns)."""
        now = time.monotonic_ns()
        self._fault, self._until = fault, now + min(PATIENCE * (now - asked), PATIENCE_NS_MAX)


class LaneWriter:
    """The open end of one lane. Callers hold ``guard`` of the source's writer around everything.

    ``hot`` are dicts of what recorders remember of the open segment; they are emptied when another one follows.
    """

    __slots__ = (
        "_counter",
        "_doubted",
        "_earliest",
        "_latest",
        "_numbers",
        "_patience",
        "_room",
        "_smallest",
        "hot",
        "lane",
        "marks",
        "measurement",
        "number",
        "ordinals",
        "seen",
        "segment",
        "segment_bytes",
        "sequence",
        "words",
    )

    def __init__(self, spool: Spool, source: str, measurement: Measurement, room: Room, segment_bytes: int) -> None:
        """Repair the lane on disk and go on behind its end. Raises OSError."""
        self.lane, self.measurement, self._room = spool.lane(source, measurement.name), measurement, room
        self.lane.folder.mkdir(mode=0o700, exist_ok=True)
        state = mend_lane(self.lane)
        self.sequence, self.number = state.sequence, state.number
        self.marks = LaneMarks(self.lane.folder, issued=state.sequence)
        self.seen = self.sequence  # the last one whose segment was found in its place
        self.ordinals = Ordinals(self.lane, latest=state.latest)
        self.segment: SegmentWriter | None = None
        self.segment_bytes = self._smallest = segment_bytes
        self.hot: list[dict[str, Series]] = []
        self._numbers: dict[SeriesKey, int] = {}
        self._counter = CounterMap(self.lane.folder)
        self._counter.forget_unread()
        self.words = self._counter.words
        self._patience, self._doubted = Patience(), 0
        self._earliest, self._latest = 2**63 - 1, 0

    def place(self, key: SeriesKey, size: int, instant: int) -> int:
        """Return the number of the series in the open segment, which then has room for ``size`` bytes.

        Raises:
            StorageFault: no further segment can be made.
        """
        while True:
            if self.segment is not None and not self.words[DOUBT]:
                number = self._number(key)
                if number and self.segment.position + size <= self.segment.limit:
                    self._earliest, self._latest = min(self._earliest, instant), max(self._latest, instant)
                    return number
            self.rotate()

    def place_many(self, keys: list[SeriesKey], size: int, earliest: int, latest: int) -> tuple[list[int], int] | None:
        """Return the series' numbers and how many frames of ``size`` fit; None when too many series at once.

        Raises:
            StorageFault: no further segment can be made.
        """
        for _ in range(2):
            if self.segment is not None and not self.words[DOUBT]:
                numbers = [number for key in keys if (number := self._number(key))]
                room = (self.segment.limit - self.segment.position) // size
                if len(numbers) == len(keys) and room > 0:
                    self._earliest, self._latest = min(self._earliest, earliest), max(self._latest, latest)
                    return numbers, room
            self.rotate()
        return None

    def room_for(self, key: SeriesKey, text: bytes, instant: int) -> int:
        """Return the number of the series in the open segment, which then has room for a record of this text."""
        return self.place(key, len(record_body(0, 0, 0, 0, 0, text)) + 4, instant)

    @property
    def seed(self) -> int:
        """The start of every CRC in the open segment; there has to be one."""
        assert self.segment is not None
        return self.segment.seed

    def late(self, series: Series, instant: int, history: NextOrdinal | None) -> int:
        """Return n of an instant (ns UTC) that is not after the series' newest."""
        self._earliest, self._latest = min(self._earliest, instant), max(self._latest, instant)
        return self.ordinals.next(series, instant, history)

    def mark(self, mark: RowMark) -> None:
        """Note what the records are that are put next; nothing may come in between. Raises StorageFault."""
        try:
            self.marks.add(mark, sequence=self.sequence)
        except OSError as error:
            raise fault_of(error) from error

    def put(self, frame: bytes, count: int = 1) -> None:
        """Append ``count`` whole frames of the next sequences, for which `place` made room, and issue them."""
        segment = self.segment
        assert segment is not None
        end = segment.position + len(frame)
        segment.map[segment.position : end] = frame
        # No signal can come between these: nothing here is called.
        self.sequence += count
        segment.position = end
        self.words[ISSUED] = self.sequence

    def rotate(self) -> None:
        """Seal the open segment and make the next. Raises StorageFault."""
        self._patience.check()
        asked = time.monotonic_ns()
        try:
            self.seal()
            self._wait_for_proof()
            self.segment = self._next_segment()
        except (OSError, SpoolFull) as error:
            fault = StorageFault(error) if isinstance(error, SpoolFull) else fault_of(error)
            self._patience.lost(fault, asked)
            raise fault from error

    def _wait_for_proof(self) -> None:
        """Raise OSError while the group sync doubts the disk: what was recorded now might never get there."""
        code = int(self.words[DOUBT])
        if not code:
            self._doubted = 0
            return
        now = time.monotonic_ns()
        self._doubted = self._doubted or now
        if now - self._doubted < PROOF_NS:
            raise OSError(code, os.strerror(code))
        self._doubted = 0  # nobody else does it: ask the disk, and if it refuses, wait as long again
        prove(self.lane.folder)
        self.words[DOUBT] = 0  # the segments that are suspect stay so until somebody syncs them

    def seal(self) -> None:
        """Close the open segment. Raises OSError; the segment is then left for the next writer to mend."""
        segment, self.segment = self.segment, None
        for symbols in self.hot:
            symbols.clear()
        self._numbers.clear()
        earliest, latest = self._earliest, max(self._latest, self.ordinals.newest())
        self._earliest, self._latest = 2**63 - 1, 0
        if segment is not None:
            segment.seal(last_sequence=self.sequence, earliest=earliest, latest=latest)
            self.ordinals.forget()

    def count(self, word: int, number: int, now_ns: int) -> None:
        """Add to the counter's ``word``, which other processes read, a number of records that were not kept."""
        self.words[word] += number
        self.words[REFUSED_NS] = now_ns

    def close(self) -> None:
        """Seal the open segment where the disk allows it, and close the files."""
        with contextlib.suppress(OSError):
            self.seal()
        self.marks.close()
        self.words.release()
        self._counter.close()

    def abandon(self) -> None:
        """Close the files without sealing: in a forked child, whose parent goes on writing, or where they are gone."""
        if self.segment is not None:
            self.segment.abandon()
        self.segment = None
        for symbols in self.hot:
            symbols.clear()
        self.marks.close()
        self.words.release()
        self._counter.close()

    def _number(self, key: SeriesKey) -> int | None:
        """Return the series' number in the open segment, defined there where it is new; None for want of room."""
        number = self._numbers.get(key)
        if number is None:
            assert self.segment is not None
            tags = dict(zip(("account", *self.measurement.tags), key, strict=True))
            number = len(self._numbers) + 1
            if not self.segment.define(number, tags):
                return None
            self._numbers[key] = number
        return number

    def _next_segment(self) -> SegmentWriter:
        """Make the next segment: twice the last one's size, or a small one where there is no room for that."""
        header = Header(
            source=self.lane.source,
            measurement=self.measurement.name,
            schema_version=self.measurement.version,
            first_sequence=self.sequence + 1,
            created_ns=time.time_ns(),
            pid=os.getpid(),
            writer=os.urandom(16),
        )
        path = self.lane.folder / f"{self.number + 1:010d}{SUFFIX}"
        while True:
            try:
                self._room.claim(self.segment_bytes)
                segment = SegmentWriter(path, header, self.segment_bytes)
                break
            except (OSError, SpoolFull):
                if self.segment_bytes == self._smallest:
                    raise
                self.segment_bytes = self._smallest
        self.number += 1
        self.segment_bytes = max(self.segment_bytes, min(2 * self.segment_bytes, SEGMENT_BYTES_MAX))
        return segment


class SourceWriter:
    """The holder of a source's lock, which several recorders of this process share (`held_sources`)."""

    def __init__(
        self, root: Path, source: str, guard: threading.Lock, *, max_bytes: int | None, segment_bytes: int
    ) -> None:
        """Take the source's lock. Raises SourceBusy, OSError."""
        self.spool, self.source, self.segment_bytes = Spool(root), source, segment_bytes
        self.guard = guard
        self.lanes: dict[str, LaneWriter] = {}
        self.users: set[int] = set()
        self.gone = False
        folder = self.spool.folder(source)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._room = Room(root, max_bytes=max_bytes)
        self._lock = SourceLock(folder)
        self._lock.acquire(source=source)

    def lane(self, measurement: Measurement) -> LaneWriter:
        """Return the open end of the lane; with ``guard`` held. Raises StorageFault."""
        lane = self.lanes.get(measurement.name)
        if lane is None:
            try:
                lane = LaneWriter(self.spool, self.source, measurement, self._room, self.segment_bytes)
            except OSError as error:
                raise fault_of(error) from error
            self.lanes[measurement.name] = lane
        return lane

    def close(self) -> None:
        """Seal the open segments and free the source."""
        with self.guard:
            self.gone = True
            for lane in self.lanes.values():
                lane.close()
            self._lock.release()

    def sync(self) -> None:
        """Sync every lane, so that a power loss takes nothing recorded so far. Raises OSError."""
        faults = []
        for lane in list(self.lanes.values()):
            try:
                lane.lane.sync()
            except OSError as error:
                faults.append(error)
        durable.sync_file(self.spool.folder(self.source))
        if faults:
            raise faults[0]

    def is_there(self) -> bool:
        """Tell, with ``guard`` held, whether lock and open segments are still what their names lead to."""
        segments = [lane.segment for lane in self.lanes.values() if lane.segment is not None]
        if not self._lock.is_there() or not all(segment.is_there() for segment in segments):
            return False
        for lane in self.lanes.values():
            lane.seen = lane.sequence
        return True

    def forsake(self) -> dict[str, int]:
        """Leave files that are no longer there, with ``guard`` held.

        Returns how many records of each measurement were taken since they were seen there for the last time.
        """
        lost = {name: lane.sequence - lane.seen for name, lane in self.lanes.items()}
        self._lock.release()
        self.abandon()
        return lost

    def abandon(self) -> None:
        """Leave lock and files, in a forked child, to the parent, which goes on."""
        self.gone = True
        self._lock.drop()
        for lane in self.lanes.values():
            lane.abandon()
