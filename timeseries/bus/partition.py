"""One partition of a topic on its way into one lane: where to go on, and each row recorded once.

Beside the lane stand marks (`spool/marks.py`): before rows are put, that they are those from a position on of the batch
that begins at an offset. Whoever takes the partition next asks the lane how far that came, reads again from the
offset, and passes over what is done. What the broker keeps as committed is for its lag alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, groupby

import pyarrow as pa

from timeseries.bus.messages import (
    JSON,
    BusMessage,
    BusMessages,
    MessageRows,
    TickRows,
    Unreadable,
    decode,
    form_of,
    joined,
    plain_ticks,
)
from timeseries.errors import InvalidValue, SpoolFailed, VeloxError
from timeseries.measurements import TICKS
from timeseries.recording.marked import MarkedStream, Marker
from timeseries.recording.recorder import Recorder
from timeseries.spool.folder import Spool
from timeseries.spool.hand_overs import GIVEN, TAKEN, HandOver, note, noted
from timeseries.spool.marks import RejectedRow

PIECE_ROWS = 65_536  # from so many on the next message's rows are recorded by a call of their own


class OffsetGone(VeloxError):
    """A partition that no longer holds the message at which recording has to go on, or holds it damaged."""

    code = "offset_gone"


class HandedOver(VeloxError):
    """A partition that another source records from now on."""

    code = "handed_over"


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A message that could not be recorded, or not all of it, and why."""

    message: BusMessage
    reason: str


@dataclass
class TakenMessages:
    """What became of messages: how many rows were recorded and refused, and what is to go to the dead letters."""

    accepted: int = 0
    rejected: int = 0
    refused: list[RefusedMessage] = field(default_factory=list)


class MessageClock:
    """The time of the message that is recorded, in ns UTC: its rows are judged by the same clock whenever they come."""

    now_ns = 0

    def __call__(self) -> int:
        """Return the message's time."""
        return self.now_ns


OpenRecorder = Callable[[str, MessageClock], Recorder]  # of a source


class PartitionRecorder:
    """The recording of one partition under a source of its own, by one process at a time."""

    def __init__(self, recorder: Recorder, clock: MessageClock, name: str) -> None:
        """``recorder`` raises storage faults and reads ``clock``. ``name`` tells the partition from any other, a topic
        that was deleted and made anew included."""
        self.recorder, self._clock, self.name = recorder, clock, name
        self._stream, self._folder = MarkedStream(recorder, TICKS, name), Spool(recorder.root).folder(recorder.source)
        self._batch = self._position = self._skip = 0
        self._refused: tuple[RejectedRow, ...] = ()  # of the rows that are passed over
        self._expected: int | None = None  # the offset that has to come first
        self._next: int | None = None  # the one behind the last message of a batch that no mark has ended yet
        self._ended: int | None = None  # the one at which the newest mark has a batch end

    def resume(self) -> int | None:
        """Return the offset to go on at, None where nothing of the partition was recorded yet.

        Raises: SourceBusy, SpoolFull, SpoolFailed, HandedOver.
        """
        newest = self._stream.newest()  # which takes the source's lock: what is noted of it stands still
        handed = noted(self._folder, GIVEN)
        if handed is not None:
            raise HandedOver(
                f"{handed.source} was handed over to {handed.taker} at offset {handed.offset}.",
                hint="Record the partition there, or under another --source here.",
            )
        taken = noted(self._folder, TAKEN) if newest is None else None
        if taken is not None and taken.stream == self.name:
            self._stream.begin(taken.offset, taken.passed, taken.rejected)
            newest = taken.offset
        self._expected, self._next, self._ended, self._position, self._skip = newest, None, None, 0, 0
        if self._expected is not None:
            self._batch = self._expected
            progress = self._stream.progress(self._batch)
            if progress is not None and progress.answer is not None:
                self._expected = self._ended = int(progress.answer)
                self._position = progress.rows
            elif progress is not None:
                self._skip, self._refused = progress.rows, progress.rejected
        return self._expected

    def take(self, messages: Sequence[BusMessage]) -> TakenMessages:
        """Record the next messages of the partition, in order of their offsets.

        What was refused before a kill, and could not be told any more, is told again.

        Raises: SpoolFull, SpoolFailed (`resume` tells where to go on), OffsetGone, SourceBusy.
        """
        messages = BusMessages.of(messages)
        first = messages.offsets[0]
        self.must_go_on_at(first)
        if not self._skip:
            self._batch, self._position = first, 0
        self._expected, self._next, self._ended, outcome = None, None, None, TakenMessages()
        for together in pieces_of(messages, outcome.refused):
            self._clock.now_ns = together.messages[-1].time_ns
            passed = min(self._skip, together.count)
            start = self._position
            self._skip, self._position = self._skip - passed, start + passed
            before = [row for row in self._refused if start <= row[0] < start + passed]
            outcome.refused += together.refused([(row[0] - start, row[1], row[2] or "") for row in before])
            if passed < together.count:
                marker = Marker(self.name, self._batch, self._position)
                batch = self.recorder.ticks(together.after(passed), marker=marker)
                self._position += together.count - passed
                outcome.accepted += batch.accepted
                outcome.rejected += len(batch.rejected)
                outcome.refused += together.refused([(row[0] + passed, row[1], row[2]) for row in batch.rejected])
        self._next = None if self._skip else messages.offsets[-1] + 1
        return outcome

    def must_go_on_at(self, first: int) -> None:
        """Raise OffsetGone where another offset than this one has to come next."""
        if self._expected is not None and first != self._expected:
            raise OffsetGone(
                f"{self.name} goes on at {first}, and {self._expected} has to come next.",
                hint="The topic's retention took messages that nobody recorded. --skip-lost goes on behind them.",
            )

    @property
    def expected(self) -> int | None:
        """Return the offset that has to come first, None once it has come, or where any may."""
        return self._expected

    def pass_gap(self, first: int) -> None:
        """Go on at this offset, since the topic has no message between the one that had to come and it: records of
        transactions have offsets, too. One of which rows are recorded already has to come all the same."""
        if not self._skip:
            self._expected = first

    def reach_end(self, end: int) -> None:
        """Go on behind the topic's end, to which all its messages came: records of transactions that lie behind the
        last one are no message that has to come, and retention may take them."""
        reached = self._ended if self._next is None else self._next
        if reached is not None and end > reached:
            self._next = end
            self._expected = end if self._expected is not None else None

    def settle(self) -> None:
        """Mark that the batch has ended, so that its messages are not needed to go on behind it.

        Raises: SpoolFull, SpoolFailed, SourceBusy.
        """
        if self._next is not None:
            self._stream.end(self._batch, self._position, str(self._next))
            self._ended, self._next = self._next, None

    def hand_over(self, taker: str, *, at_ns: int) -> HandOver:
        """Let another source, such as another host's, record the partition from here on; the same one again changes
        nothing.

        Raises: InvalidValue where nothing of it was recorded, SourceBusy, SpoolFull, SpoolFailed, HandedOver.
        """
        try:
            offset = self.resume()
        except HandedOver:
            handed = noted(self._folder, GIVEN)
            if handed is None or (handed.stream, handed.taker) != (self.name, taker):
                raise
            return handed
        if offset is None or taker == self.recorder.source:
            raise InvalidValue(
                f"Nothing of {self.name} is to be handed over from {self.recorder.source} to {taker}.",
                hint="What was recorded here goes to another source; what was not, to any.",
            )
        hand_over = HandOver(self.name, offset, self._skip, self._refused, at_ns, self.recorder.source, taker)
        try:
            self.recorder.sync()  # nobody reads again what a power loss would take now
        except OSError as error:
            raise SpoolFailed(f"The disk refused the spool: {error}.", hint="Look at the disk.") from error
        note(self._folder, GIVEN, hand_over)
        return hand_over

    def forget(self) -> None:
        """Go on at whichever message comes next: what was to be passed over is gone."""
        self._expected, self._skip = None, 0

    def close(self, *, is_told: bool = True) -> None:
        """Seal what was recorded and free the source. Without ``is_told`` the last messages come again, so that what
        was refused of them can be told."""
        with suppress(VeloxError):
            if is_told:
                self.settle()
        self.recorder.close()


def partition_of(topic: str, number: int, topic_id: str, source: str, open_recorder: OpenRecorder) -> PartitionRecorder:
    """Return the recording of a topic's partition, under the source `<source>.<number>`, or `<topic>.<number>`."""
    clock = MessageClock()
    recorder = open_recorder(f"{source or topic}.{number}", clock)
    return PartitionRecorder(recorder, clock, f"{topic}/{number}@{topic_id}")


@dataclass(frozen=True)
class Piece:
    """Rows of several messages that are recorded by one call; ``ends`` are where each message's end."""

    rows: TickRows
    messages: Sequence[BusMessage]
    ends: Sequence[int]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.ends[-1]

    def after(self, skipped: int) -> TickRows:
        """Return the rows but the first ones."""
        if isinstance(self.rows, dict):
            return {name: column[skipped:] for name, column in self.rows.items()}
        return self.rows[skipped:]

    def refused(self, rows: Sequence[tuple[int, str, str]]) -> Iterator[RefusedMessage]:
        """Yield each message of which rows were refused: (index in the piece, the error's code, its hint)."""
        for place, of_message in groupby(rows, lambda row: bisect_right(self.ends, row[0])):
            several = list(of_message)
            size = self.ends[place] - (self.ends[place - 1] if place else 0)
            reason = f"{len(several)} of {size} rows were refused, the first: {several[0][1]}: {several[0][2]}"
            yield RefusedMessage(self.messages[place], reason)


def pieces_of(messages: BusMessages, refused: list[RefusedMessage]) -> Iterator[Piece]:
    """Yield the rows of messages in order, many at once; what cannot be read is refused.

    The messages of a piece are of one minute, so that the last one's clock may judge them all.
    """
    for together in messages.alike():
        try:
            form = form_of(together.headers[0])
        except Unreadable as error:
            refused += [RefusedMessage(message, str(error)) for message in together]
            continue
        ticks = plain_ticks(together.contents) if form == JSON else None
        if ticks is not None:
            yield Piece(ticks, together, range(1, len(together) + 1))
        else:
            yield from _decoded_pieces(together, form, refused)


def _decoded_pieces(messages: Sequence[BusMessage], form: str, refused: list[RefusedMessage]) -> Iterator[Piece]:
    """Yield the rows of messages of one format, each decoded by itself, until they are many or their columns change."""
    together, decoded, count, kind = list[BusMessage](), list[MessageRows](), 0, None
    for message in messages:
        try:
            rows = decode(message, form)
        except Unreadable as error:
            refused.append(RefusedMessage(message, str(error)))
            continue
        schema = rows.schema if isinstance(rows, pa.Table) else None
        if together and (schema != kind or count >= PIECE_ROWS):
            yield Piece(joined(decoded), together, list(accumulate(map(len, decoded))))
            together, decoded, count = [], [], 0
        kind, count = schema, count + len(rows)
        together.append(message)
        decoded.append(rows)
    if together:
        yield Piece(joined(decoded), together, list(accumulate(map(len, decoded))))
