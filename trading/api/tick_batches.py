"""Ticks in batches, each recorded once however often it comes: the body is read and recorded slice by slice.

A batch has a place: the stream that the client names, and a sequence that rises in it. What was accepted of it is
marked beside the lane before it is written, so the same batch again goes on where the last attempt ended.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Annotated, Literal
from weakref import WeakValueDictionary

import structlog
from ninja import Schema
from pydantic import Field, StringConstraints

from timeseries.measurements import TICKS
from timeseries.recording.marked import MarkedStream, Marker
from timeseries.recording.recorder import Recorder
from timeseries.spool.marks import BatchProgress
from trading.api.desk import recorder_of
from trading.api.problems import BatchBroken, BodyTooLarge, OutOfSequence, StreamBusy, TooSlow
from trading.api.shapes import Name, Sent
from trading.api.tick_bodies import read_ticks, rows_from, rows_in
from trading.api.tick_rows import PIECE_BYTES, BodyReader
from trading.errors import IdConflict, InvalidValue, SpoolFailed, SpoolFull
from trading.models import ApiToken

log = structlog.get_logger("market_data")

BATCH_BYTES_MAX = 64 << 20
AHEAD_BYTES_MAX = 1 << 20  # a body is read by blocks, which come out otherwise each time
PATIENCE_SECONDS = 5.0
_streams: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
_guard = threading.Lock()


class StreamPlace(Sent):
    """Which stream it is; ``symbol`` is that of rows without one, ``sync`` waits for the disk."""

    stream: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")]
    symbol: Name | None = None
    sync: bool = False


class MessageHead(Sent):
    """Which batch of its stream it is: a number that rises."""

    sequence: Annotated[int, Field(ge=0, le=2**53)]


class BatchPlace(StreamPlace, MessageHead):
    """Which batch of which stream it is."""


class SocketPlace(StreamPlace):
    """The stream of a WebSocket, and in which form its messages hold ticks."""

    form: Literal["ndjson", "csv", "arrow"] = "ndjson"


class RejectedTick(Schema):
    """A row that was not recorded, counted from 0 in the body."""

    index: int
    code: str
    field: str | None


class BatchAnswer(Schema):
    """What became of a batch. Of the rejected rows the first thousand are listed."""

    stream: str
    sequence: int
    rows: int
    accepted: int
    rejected_count: int
    rejected: list[RejectedTick]


class _MeasuredBody:
    """A body that is counted and digested on its way, from what it is called on, and compared with what is known of it.

    What is known is how far it was read when rows of it were recorded, and the digest of so much.
    """

    def __init__(self, body: BodyReader, called: str, known: str | None) -> None:
        self._body, self._digest, self._size, self._ahead = body, sha256(called.encode()), 0, b""
        size, _, self._known = (known or "0").partition(" ")
        self._known_size = int(size)

    def read(self, size: int, /) -> bytes:
        """Return the next bytes. Raises: BodyTooLarge, IdConflict."""
        if not self._ahead:
            return self._received(size)
        piece, self._ahead = self._ahead[:size], self._ahead[size:]
        return piece

    def must_be_the_same(self) -> None:
        """Read so far ahead that all that is known is compared. Raises: BodyTooLarge, IdConflict."""
        if self._known_size - self._size > AHEAD_BYTES_MAX:
            raise another_body()
        while self._size < self._known_size:
            if not (piece := self._received(PIECE_BYTES)):
                raise another_body()
            self._ahead += piece

    def prefix(self) -> str:
        """Return what is known of it now."""
        return f"{self._size} {self._digest.hexdigest()}"

    def digest(self) -> str:
        """Read what is left and return the SHA-256 of all. Raises: BodyTooLarge, IdConflict."""
        while self._received(PIECE_BYTES):
            pass
        if self._size < self._known_size:
            raise another_body()
        return self._digest.hexdigest()

    def _received(self, size: int) -> bytes:
        piece = self._body.read(size)
        left = self._known_size - self._size
        self._size += len(piece)
        if self._size > BATCH_BYTES_MAX:
            raise BodyTooLarge(f"The batch has more than {BATCH_BYTES_MAX} bytes.", hint="Send several.")
        self._digest.update(piece[: max(0, left)])
        if 0 < left <= len(piece) and self._digest.hexdigest() != self._known:
            raise another_body()
        self._digest.update(piece[max(0, left) :])
        return piece


def another_body() -> IdConflict:
    """Return the refusal of a body that comes under the number of another one."""
    hint = "Send it as it was, or under a higher number."
    return IdConflict("This batch is known with another body.", field="sequence", hint=hint)


def record_batch(token: ApiToken, place: BatchPlace, body: BodyReader, media_type: str) -> BatchAnswer:
    """Record what is not recorded yet of a batch and return its answer, the same each time.

    Raises:
        OutOfSequence: the stream is further on, and the batch is not remembered.
        IdConflict: the batch is known, in part or whole, with another body, type or symbol; nothing was written.
        BatchBroken: its body cannot be read to the end, or the spool stopped; it tells how many rows were kept.
        SourceBusy: another process records under the token's source.
        StreamBusy: another batch of the stream is on its way.
    """
    name = own_name(token, place.stream)
    with recorder_of(token) as recorder, _alone(name):
        stream = MarkedStream(recorder, TICKS, name)
        newest, done = stream.newest(), stream.progress(place.sequence)
        if done is None and newest is not None and place.sequence < newest:
            raise OutOfSequence(newest)
        measured = _MeasuredBody(body, f"{media_type} {place.symbol or ''}\n", done.prefix if done else None)
        try:
            if done is None or done.answer is None:
                rows = _record(recorder, stream, place, measured, media_type, done or BatchProgress())
                done, digest = stream.progress(place.sequence) or BatchProgress(), measured.digest()
                if rows != done.rows:
                    raise another_body()
                stream.end(place.sequence, rows, digest)
            elif measured.digest() != done.answer:
                raise another_body()
            if place.sync:
                recorder.sync()
        except OSError as error:
            fault = SpoolFailed(f"The disk did not sync the spool: {error}.", hint="Send the batch again.")
            raise BatchBroken(fault, stream.progress(place.sequence) or BatchProgress()) from error
        except (InvalidValue, SpoolFull, SpoolFailed, BodyTooLarge, TooSlow) as error:
            raise BatchBroken(error, stream.progress(place.sequence) or BatchProgress()) from error
    rejected = [RejectedTick(index=index, code=code, field=field) for index, code, field in done.rejected]
    return BatchAnswer(
        stream=place.stream, sequence=place.sequence, rows=done.rows, accepted=done.accepted,
        rejected_count=done.rows - done.accepted, rejected=rejected,
    )  # fmt: skip


def log_batches(token: ApiToken, answers: Sequence[BatchAnswer]) -> None:
    """Write a line about batches of one stream that were recorded."""
    if answers:
        last = answers[-1]
        log.info(
            "ticks were recorded", caller=token.name, account=token.account.code, stream=last.stream,
            sequence=last.sequence, batches=len(answers), rows=sum(answer.rows for answer in answers),
            accepted=sum(answer.accepted for answer in answers),
        )  # fmt: skip


def newest_batch(token: ApiToken, stream: str) -> int | None:
    """Return the sequence of a stream's newest batch that was answered. Raises: SourceBusy, SpoolFull, SpoolFailed."""
    with recorder_of(token) as recorder:
        return MarkedStream(recorder, TICKS, own_name(token, stream)).newest_ended()


def own_name(token: ApiToken, name: str) -> str:
    """Return the name of a stream or key of a token: one that is made anew under a name begins its streams anew."""
    return f"{token.sha256[:16]} {name}"


def _record(
    recorder: Recorder,
    stream: MarkedStream,
    place: BatchPlace,
    body: _MeasuredBody,
    media_type: str,
    done: BatchProgress,
) -> int:
    """Record the rows behind those that are done and return how many the batch has.

    Raises: IdConflict, InvalidValue, BodyTooLarge, TooSlow, SpoolFull, SpoolFailed.
    """
    position = 0
    for ticks in read_ticks(body, media_type):
        count = rows_in(ticks)
        if position + count > done.rows:
            body.must_be_the_same()
            start = max(0, done.rows - position)
            marker = Marker(stream.name, place.sequence, position + start, body.prefix())
            recorder.ticks(rows_from(ticks, start), symbol=place.symbol, marker=marker)
        position += count
    return position


@contextmanager
def _alone(stream: str) -> Iterator[None]:
    """Keep other requests from the stream meanwhile. Raises: StreamBusy."""
    with _guard:
        lock = _streams.get(stream)
        if lock is None:
            lock = _streams[stream] = threading.Lock()
    if not lock.acquire(timeout=PATIENCE_SECONDS):
        raise StreamBusy("Another batch of this stream is on its way.", hint="Send one at a time, in order.")
    try:
        yield
    finally:
        lock.release()
