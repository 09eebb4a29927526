"""What a writer that is gone left behind: counters are put right, open segments sealed. Needs the source's lock."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from timeseries.measurements import IntArray
from timeseries.spool import durable
from timeseries.spool.counter import ISSUED, CounterMap, read_counter
from timeseries.spool.decode import parse_definition
from timeseries.spool.frames import HEADER_SIZE, SERIES, TICK, Scan
from timeseries.spool.lane import Lane, Span
from timeseries.spool.segment import NO_LINK, find_definitions, read_frames

ANY = 2**63 - 1


@dataclass(frozen=True)
class LaneState:
    """Where a new writer goes on: the last sequence issued, the last segment's number, the highest exchange_time."""

    sequence: int
    number: int
    latest: int


def mend_lane(lane: Lane) -> LaneState:
    """Seal what is open and repair the counter from the last whole frame. Raises OSError."""
    for leftover in lane.folder.glob("*.new"):
        leftover.unlink(missing_ok=True)
    sequence = max(read_counter(lane.folder).issued, lane.outcome().through)
    latest = lane.removed_until()
    spans = lane.spans(sequence)
    for number, span in enumerate(spans):
        header = span.file.header
        if header is None or not span.file.known:
            sequence = max(sequence, span.last or 0)
        elif header.sealed:
            sequence, latest = max(sequence, header.last_sequence), max(latest, header.latest)
        else:
            final = number == len(spans) - 1
            sequence, newest = _seal(span, sequence, final=final)
            latest = max(latest, newest)
    counter = CounterMap(lane.folder)
    counter.words[ISSUED] = sequence
    counter.close()
    return LaneState(sequence, spans[-1].file.number if spans else 0, latest)


def _seal(span: Span, sequence: int, *, final: bool) -> tuple[int, int]:
    """Seal the segment; returns (last sequence issued, highest exchange_time)."""
    header = span.file.header
    assert header is not None
    position, last, earliest, latest = HEADER_SIZE, header.first_sequence - 1, ANY, 0
    for data, offset, found in read_frames(span.file, position=HEADER_SIZE, last_sequence=ANY):
        records = found.prefixes >> 16 & 0xFF != SERIES
        if not records.any():
            continue
        row = int(np.flatnonzero(records)[-1])
        last = int(found.sequences[row])
        position = offset + int(found.offsets[row] + found.lengths[row])
        exchange, times = (part[records] for part in _times(data, found))
        earliest, latest = min(earliest, int(exchange.min())), max(latest, int(times.max()))
    sequence = max(sequence, last) if final else sequence
    end = sequence if final else (span.last or last)
    if end < header.first_sequence:
        span.file.path.unlink()
        return sequence, 0
    sealed = header.seal(last_sequence=end, earliest=min(earliest, latest), latest=latest).pack()
    tail = b"".join(_one_of_each(find_definitions(span.file))) + sealed
    descriptor = os.open(span.file.path, os.O_RDWR | NO_LINK)
    try:
        os.pwrite(descriptor, tail, position)
        os.pwrite(descriptor, sealed, 0)
        os.ftruncate(descriptor, position + len(tail))
        _sync(span, descriptor)
    finally:
        os.close(descriptor)
    return sequence, latest


def _sync(span: Span, descriptor: int) -> None:
    try:
        durable.sync(descriptor)
    except OSError as error:
        # Sealed it looks like any other; whoever syncs the lane next must know that this file is not to be believed.
        counter = CounterMap(span.file.path.parent)
        counter.doubt(span.file.number, span.file.number, error.errno or 0)
        counter.close()
        raise


def _one_of_each(frames: Iterable[bytes]) -> Iterable[bytes]:
    return {parse_definition(frame)[0]: frame for frame in frames}.values()


def _times(data: bytes, found: Scan) -> tuple[IntArray, IntArray]:
    """Return each frame's exchange_time, and its time: where an instant holds many points it lies far behind."""
    words = np.frombuffer(data, dtype="<i8", count=len(data) // 8)
    halves = np.frombuffer(data, dtype="<u4", count=len(data) // 4)
    exchange = words[found.offsets // 8 + 2].astype(np.int64)
    ordinal = np.where(found.prefixes >> 16 & 0xFF == TICK, 10, 9)
    places = np.minimum(found.offsets // 4 + ordinal, len(halves) - 1)  # a frame of an unknown kind may be shorter
    return exchange, exchange + halves[places]
