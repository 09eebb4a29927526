"""The repair of a lane whose writer is gone: its counter and its open segments. Needs the source's lock."""

from __future__ import annotations

import os
from dataclasses import dataclass

from timeseries.spool import durable
from timeseries.spool.counter import ISSUED, CounterMap, read_counter
from timeseries.spool.decode import parse_definition
from timeseries.spool.frames import HEADER_SIZE, SERIES
from timeseries.spool.lane import Lane, SegmentSpan
from timeseries.spool.segment import NO_LINK, find_definitions, read_frames

ANY = 2**63 - 1


@dataclass(frozen=True)
class LaneState:
    """The end of a lane: its last sequence, its last segment's number, its highest exchange_time (ns UTC)."""

    sequence: int
    number: int
    latest: int


def mend_lane(lane: Lane) -> LaneState:
    """Seal the lane's open segments and set its counter from the last record that stands. Raises OSError."""
    for leftover in lane.folder.glob("*.new"):
        leftover.unlink(missing_ok=True)
    issued = sequence = max(read_counter(lane.folder).issued, lane.outcome().through)
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
            sequence, newest = _seal(span, sequence, issued=issued, final=final)
            latest = max(latest, newest)
    counter = CounterMap(lane.folder)
    counter.words[ISSUED] = sequence
    counter.close()
    return LaneState(sequence, spans[-1].file.number if spans else 0, latest)


def _seal(span: SegmentSpan, sequence: int, *, issued: int, final: bool) -> tuple[int, int]:
    """Seal an open segment behind its last whole frame, the ``final`` one behind its last record that stands.

    ``issued`` is what the lane's counter says. Returns (last sequence issued, highest exchange_time in ns).
    """
    header = span.file.header
    assert header is not None
    may_be_torn = final and issued >= header.first_sequence - 1  # else the counter is none of this segment
    position, last, earliest, latest = HEADER_SIZE, header.first_sequence - 1, ANY, 0
    for chunk, offset, scan in read_frames(span.file, position=HEADER_SIZE, last_sequence=ANY):
        records = scan.take(scan.kinds != SERIES)
        count = len(records.sequences)
        if may_be_torn:
            records = records.standing(last, issued)
        if len(records.sequences):
            last = int(records.sequences[-1])
            position = offset + int(records.offsets[-1] + records.lengths[-1])
            exchange, times = records.times(chunk)
            earliest, latest = min(earliest, int(exchange.min())), max(latest, int(times.max()))
        if len(records.sequences) < count:
            break
    sequence = max(sequence, last) if final else sequence
    end = sequence if final else (span.last or last)
    if end < header.first_sequence:
        span.file.path.unlink()
        return sequence, 0
    sealed = header.seal(last_sequence=end, earliest=min(earliest, latest), latest=latest).pack()
    definitions = {parse_definition(frame)[0]: frame for frame in find_definitions(span.file)}
    tail = b"".join(definitions.values()) + sealed
    descriptor = os.open(span.file.path, os.O_RDWR | NO_LINK)
    try:
        os.pwrite(descriptor, tail, position)
        os.pwrite(descriptor, sealed, 0)
        os.ftruncate(descriptor, position + len(tail))
        try:
            durable.sync(descriptor)
        except OSError as error:
            # Sealed it looks like any other; whoever syncs the lane next must know not to believe this file.
            counter = CounterMap(span.file.path.parent)
            counter.doubt(span.file.number, span.file.number, error.errno or 0)
            counter.close()
            raise
    finally:
        os.close(descriptor)
    return sequence, latest
