"""A recorder's hold on its source: opened at the first record, shared within the process, freed at the end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from timeseries.counter import FAILED, FULL, REFUSED_NS
from timeseries.errors import RecorderClosed, SpoolFull
from timeseries.measurements import Measurement
from timeseries.writer import (
    LaneWriter,
    Patience,
    SourceWriter,
    StorageFault,
    fault_of,
    guard_of,
    leave_source,
    open_source,
)


class SourceUser:
    """What every kind of record needs: the lane's open end under the process's guard, and faults counted."""

    def __init__(
        self,
        root: Path,
        source: str,
        *,
        raises: bool,
        max_bytes: int | None,
        segment_bytes: int,
        clock: Callable[[], int],
        on_first_record: Callable[[], None] | None,
    ) -> None:
        self.root, self.source, self.raises = root, source, raises
        self.faults: dict[str, int] = {}
        self._max_bytes, self._segment_bytes = max_bytes, segment_bytes
        self._clock, self._on_first_record = clock, on_first_record
        self._guard = guard_of(root, source)
        self._writer: SourceWriter | None = None
        self._last_fault: StorageFault | None = None
        self._closed = self._told = False
        self._patience = Patience()
        self._owed: dict[tuple[str, bool], int] = {}  # refused before there was a lane to count in: by name, fullness

    @contextlib.contextmanager
    def _lane(self, measurement: Measurement) -> Iterator[LaneWriter]:
        """Hold the guard and give the lane's open end. Raises StorageFault, SourceBusy, RecorderClosed."""
        while True:
            writer = self._open()
            with self._guard:
                self._check_open()
                if not writer.gone:
                    yield self._lane_of(writer, measurement)
                    return

    def _open(self) -> SourceWriter:
        self._check_open()
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
            self._writer, self._told = writer, False
        return writer

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
        for name, full in list(self._owed):
            if name == measurement.name:
                lane.words[FULL if full else FAILED] += self._owed.pop((name, full))
                lane.words[REFUSED_NS] = self._clock()
        return lane

    def _check_open(self) -> None:
        if self._closed:
            raise RecorderClosed("This recorder is closed.", hint="Open a new DataManager.")

    def _first_record(self) -> None:
        if not self._told:
            self._told = True
            if self._on_first_record is not None:
                self._on_first_record()

    def _refused(self, measurement: Measurement, fault: StorageFault, count: int) -> bool:
        """Count what the disk kept out; answers False, or raises for who wants that."""
        with self._guard:
            self._last_fault = fault
            self.faults[fault.reason] = self.faults.get(fault.reason, 0) + count
            writer = self._writer
            lane = writer.lanes.get(measurement.name) if writer is not None and not writer.gone else None
            if lane is not None:
                lane.refused(fault, count, self._clock())
            else:
                key = measurement.name, isinstance(fault.error, SpoolFull)
                self._owed[key] = self._owed.get(key, 0) + count
        if self.raises:
            raise fault.error.with_traceback(None)
        return False

    def sync(self) -> None:
        """Make everything recorded so far survive a power loss. Raises OSError."""
        if self._writer is not None and not self._writer.gone:
            self._writer.sync()

    def close(self, timeout: float = 5.0) -> None:
        """Seal the segments and free the source, in at most ``timeout`` seconds. Again: nothing."""
        with self._guard:
            self._closed = True
            self._let_go()
            writer, self._writer = self._writer, None
        if writer is None or writer.gone:
            return
        # A disk that hangs must not hang the strategy: the thread is left behind then, and the kernel frees the lock.
        closing = threading.Thread(target=self._leave, args=(writer,), name="velox-close", daemon=True)
        closing.start()
        closing.join(timeout)

    def _let_go(self) -> None:
        """Forget what belongs to open segments; with the guard held."""

    def _leave(self, writer: SourceWriter) -> None:
        leave_source(writer, user=self)
        with contextlib.suppress(OSError):
            writer.sync()
