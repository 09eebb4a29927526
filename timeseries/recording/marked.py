"""Batches of a stream that may come again: what of each is recorded is marked beside the lane, before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from timeseries.errors import VeloxError
from timeseries.measurements import Measurement
from timeseries.recording.source import SourceUser
from timeseries.recording.writer import LaneWriter, StorageFault
from timeseries.spool.marks import BatchProgress, RejectedRow, RowMark


class Rejected(tuple[int, str, str]):
    """A rejected row: (index, the error's code, its hint); ``field`` is the key at fault, or None."""

    field: str | None = None

    @classmethod
    def of(cls, index: int, error: VeloxError) -> Rejected:
        """Return the row at this index as rejected for an error."""
        return cls.at(index, error.code, error.hint, error.field)

    @classmethod
    def at(cls, index: int, code: str, hint: str, field: str | None) -> Rejected:
        """Return the row at this index as rejected."""
        row = cls((index, code, hint))
        row.field = field
        return row

    def moved(self, rows: int) -> Rejected:
        """Return it so many rows further on."""
        return Rejected.at(self[0] + rows, self[1], self[2], self.field)


@dataclass
class Marker:
    """The marks of one call's rows, which stand in a stream's batch from ``position`` on. Each call needs its own.

    A ``prefix`` tells of the input so far.
    """

    stream: str
    batch: int
    position: int = 0
    prefix: str | None = None
    marked: int = 0  # rows of the call
    _refused: int = 0  # and how many of them were rejected

    def mark(self, lane: LaneWriter, through: int, accepted: int, rejected: Sequence[Rejected]) -> None:
        """Mark the call's rows up to ``through``: the accepted ones of them are put next. Raises StorageFault.

        ``rejected`` are the call's so far, by index.
        """
        own = tuple(takewhile(lambda row: row[0] < through, rejected[self._refused :]))
        rows = tuple((self.position + row[0], row[1], row.field) for row in own)
        position = self.position + self.marked
        count = through - self.marked
        lane.mark(RowMark(self.stream, self.batch, position, count, accepted, rows, prefix=self.prefix))
        self.marked, self._refused = through, self._refused + len(own)


@dataclass(frozen=True)
class MarkedStream:
    """A stream of one lane. Whoever writes it holds off others that would write the same batch meanwhile.

    Its methods raise SourceBusy, RecorderClosed, and SpoolFull or SpoolFailed where the disk is at fault.
    """

    recorder: SourceUser
    measurement: Measurement
    name: str

    def newest(self) -> int | None:
        """Return the number of the newest batch, None where none is remembered."""
        try:
            with self.recorder.writing(self.measurement) as lane:
                return lane.marks.newest(self.name)
        except StorageFault as fault:
            raise fault.error from fault

    def newest_ended(self) -> int | None:
        """Return the number of the newest batch that has ended, None where none is remembered."""
        try:
            with self.recorder.writing(self.measurement) as lane:
                return lane.marks.newest_ended(self.name)
        except StorageFault as fault:
            raise fault.error from fault

    def progress(self, batch: int) -> BatchProgress | None:
        """Return how far a batch has come, None where it is not remembered."""
        try:
            with self.recorder.writing(self.measurement) as lane:
                return lane.marks.progress(self.name, batch, issued=lane.sequence)
        except StorageFault as fault:
            raise fault.error from fault

    def begin(self, batch: int, rows: int, rejected: tuple[RejectedRow, ...]) -> None:
        """Note that a batch begins of which another lane has so many rows, or rejected them."""
        try:
            with self.recorder.writing(self.measurement) as lane:
                lane.mark(RowMark(self.name, batch, 0, rows, 0, rejected))
        except StorageFault as fault:
            raise fault.error from fault

    def end(self, batch: int, rows: int, answer: str) -> None:
        """Note that a batch ended after so many rows, and what was answered."""
        try:
            with self.recorder.writing(self.measurement) as lane:
                lane.mark(RowMark(self.name, batch, rows, answer=answer))
        except StorageFault as fault:
            raise fault.error from fault
