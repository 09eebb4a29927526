"""A recorder's use of its source: opened at the first record, shared within the process, freed at the end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from timeseries.errors import RecorderClosed, SpoolFailed
from timeseries.measurements import Measurement
from timeseries.recording.held_sources import forsake_source, guard_of, leave_source, open_source
from timeseries.recording.writer import GONE, LaneWriter, Patience, SourceWriter, StorageFault, fault_of
from timeseries.spool.counter import REMOVED

# A recorder looks at what it depends on whenever its clock, in ns, shows other bits from here on: about once a second,
# also where the clock was set back.
LOOK_BITS = 30


class SourceUser:
    """One user of a source in this process: the lanes' open ends under the guard, and the count of storage faults."""

    def __init__(
        self,
        root: Path,
        source: str,
        *,
        raises: bool,
        max_bytes: int | None,
        segment_bytes: int,
        clock: Callable[[], int],
        look_after: Callable[[], None] | None,
    ) -> None:
        self.root, self.source, self.raises = root, source, raises
        self.faults: dict[str, int] = {}
        self._max_bytes, self._segment_bytes = max_bytes, segment_bytes
        self._clock, self._look_after = clock, look_after
        self._guard = guard_of(root, source)
        self._writer: SourceWriter | None = None
        self._last_fault: StorageFault | None = None
        self._closed = self._due = False
        self._looked = -1  # the clock at the last look, without its last `LOOK_BITS`
        self._patience = Patience()
        self._owed: Counter[tuple[str, int]] = Counter()  # not kept before there was a lane to count in: by name, word

    @contextlib.contextmanager
    def writing(self, measurement: Measurement) -> Iterator[LaneWriter]:
        """Yield the lane's open end under the guard. Raises StorageFault, SourceBusy, RecorderClosed."""
        while True:
            writer = self._open()
            with self._guard:
                self._check_open()
                if not writer.gone:
                    yield self._lane_of(writer, measurement)
                    return

    def _open(self) -> SourceWriter:
        """Return the source's writer, opened where it is not; about once a second look for its files."""
        self._check_open()
        moment = self._clock() >> LOOK_BITS
        if moment != self._looked:
            self._looked, self._due = moment, True
            self._look()
        writer = self._writer
        if writer is None or writer.gone:
            self._patience.check()
            asked = time.monotonic_ns()
            try:
                writer = open_source(
                    self.root, self.source, user=self, max_bytes=self._max_bytes, segment_bytes=self._segment_bytes
                )
            except OSError as error:
                fault = fault_of(error)
                self._patience.lost(fault, asked)
                raise fault from error
            self._writer, self._due = writer, True
        return writer

    def _look(self) -> None:
        """Raise StorageFault where the source's files were removed or replaced: nothing that was put there is kept."""
        writer = self._writer
        if writer is None or writer.gone:
            return
        with self._guard:
            if writer.gone or writer.is_there():
                return
        for name, lost in forsake_source(writer).items():
            self._owed[name, REMOVED] += lost
        fault = StorageFault(
            SpoolFailed(
                f"The files of the source {self.source!r} were removed or replaced while it was recorded.",
                hint="Look who emptied the data folder. Recording goes on in a new one by itself.",
                code=GONE,
            )
        )
        self._patience.lost(fault, asked=0)  # for as long as it can be: somebody may be at it still
        raise fault

    def _lane_of(self, writer: SourceWriter, measurement: Measurement) -> LaneWriter:
        """Return the lane's open end, and count there what was refused before there was one."""
        if measurement.name not in writer.lanes:
            self._patience.check()
        asked = time.monotonic_ns()
        try:
            lane = writer.lane(measurement)
        except StorageFault as fault:
            self._patience.lost(fault, asked)
            raise
        for name, word in list(self._owed):
            if name == measurement.name:
                lane.count(word, self._owed.pop((name, word)), self._clock())
        return lane

    def _check_open(self) -> None:
        if self._closed:
            raise RecorderClosed("This recorder is closed.", hint="Open a new DataManager.")

    def after_record(self) -> None:
        """Call ``look_after`` where it is due: after the first record, then about once a second."""
        if self._due:
            self._due = False
            if self._look_after is not None:
                self._look_after()

    def refuse(self, measurement: Measurement, fault: StorageFault, count: int) -> bool:
        """Count records that the disk refused; answer False, or raise the fault where the caller wants that."""
        with self._guard:
            self._last_fault = fault
            self.faults[fault.reason] = self.faults.get(fault.reason, 0) + count
            writer = self._writer
            lane = writer.lanes.get(measurement.name) if writer is not None and not writer.gone else None
            if lane is not None:
                lane.count(fault.word, count, self._clock())
            else:
                self._owed[measurement.name, fault.word] += count
        if self.raises:
            raise fault.error.with_traceback(None)
        return False

    def sync(self) -> None:
        """Make everything recorded so far survive a power loss. Raises OSError."""
        if self._writer is not None and not self._writer.gone:
            self._writer.sync()

    def release(self) -> None:
        """Seal the segments, sync them and free the source until the next record, which opens it anew."""
        with self._guard:
            self.forget_segments()
            writer, self._writer = self._writer, None
        if writer is not None and not writer.gone:
            leave_source(writer, user=self)

    def close(self, timeout: float = 5.0) -> None:
        """Seal the segments and free the source, in at most ``timeout`` seconds; a second call does nothing."""
        with self._guard:
            self._closed = True
            self.forget_segments()
            writer, self._writer = self._writer, None
        if writer is None or writer.gone:
            return
        # A disk that hangs must not hang the strategy: the thread is left behind then, and the kernel frees the lock.
        leave = partial(leave_source, writer, user=self)
        closing = threading.Thread(target=leave, name="velox-close", daemon=True)
        closing.start()
        closing.join(timeout)

    def forget_segments(self) -> None:
        """Forget what is remembered of open segments; with the guard held."""
