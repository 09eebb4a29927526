"""The bytes of a segment: its header, its frames, and how they are found again after damage.

docs/decisions/0001-spool-format.md draws them. Little-endian throughout; every frame's length is a multiple of 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import cache
from zlib import crc32

import numpy as np
import orjson

from timeseries.measurements import IntArray, Mask
from timeseries.spool.checksums import crcs_of

MAGIC = b"VELOXSEG"
FORMAT_VERSION = 1
HEADER_SIZE = 256
FRAME_MAX = 128 * 1024  # an indicators' record holds at most 64 kB of JSON
FRAME_MIN = 32

MARKER = 0xA5F7
MARKER_BYTES = MARKER.to_bytes(2, "little")
SERIES, TICK, RECORD = 1, 2, 3
SERIES_START = struct.pack("<HBB", MARKER, SERIES, 0)

# The order of a tick's values in its frame and of their bits in its bitmap. Fields are only ever added at the end.
TICK_FIELDS = ("close", "open", "high", "low", "bid", "ask", "last_quantity", "volume", "day_volume", "oi")
TICK_BITS = {name: 1 << number for number, name in enumerate(TICK_FIELDS)}
BAR = 1 << 31
TICK_KNOWN = BAR | sum(TICK_BITS.values())

_HEADER = struct.Struct("<8sHHHHQQqqqII16s64s64s")
_PREFIX = struct.Struct("<HBBIQ")
_RECORD = struct.Struct("<QQqqII")
_SERIES = struct.Struct("<QQI")
TICK_FIXED = np.dtype(
    [
        ("prefix", "<u8"),
        ("sequence", "<u8"),
        ("exchange_time", "<i8"),
        ("received_time", "<i8"),
        ("series", "<u4"),
        ("bitmap", "<u4"),
        ("ordinal", "<u4"),
    ]
)
RECORD_FIXED = np.dtype([*TICK_FIXED.descr[:5], ("ordinal", "<u4")])


@dataclass(frozen=True)
class Header:
    """The first 256 bytes of a segment, repeated in its last 256: either copy tells whose frames these are.

    ``last_sequence``, ``earliest`` and ``latest`` (bounds of exchange_time in ns) count once ``sealed``.
    """

    source: str
    measurement: str
    schema_version: int
    first_sequence: int
    created_ns: int
    pid: int
    writer: bytes
    sealed: bool = False
    last_sequence: int = 0
    earliest: int = 0
    latest: int = 0
    version: int = FORMAT_VERSION

    @property
    def seed(self) -> int:
        """The start of every frame's CRC, from the writer's random bytes: no text inside a frame can pass for one."""
        return crc32(self.writer)

    def seal(self, *, last_sequence: int, earliest: int, latest: int) -> Header:
        """Return the header of the same segment once it is closed."""
        return replace(self, sealed=True, last_sequence=last_sequence, earliest=earliest, latest=latest)

    def pack(self) -> bytes:
        """Return the header's 256 bytes."""
        body = _HEADER.pack(
            MAGIC,
            self.version,
            HEADER_SIZE,
            self.schema_version,
            int(self.sealed),
            self.first_sequence,
            self.last_sequence,
            self.earliest,
            self.latest,
            self.created_ns,
            self.pid,
            0,
            self.writer,
            self.source.encode(),
            self.measurement.encode(),
        ).ljust(HEADER_SIZE - 4, b"\0")
        return body + crc32(body).to_bytes(4, "little")


def unpack_header(block: bytes) -> Header | None:
    """Return the header in these 256 bytes; None when damaged. Another version's still tells its sequences."""
    if len(block) != HEADER_SIZE or block[:8] != MAGIC or crc32(block[:-4]) != int.from_bytes(block[-4:], "little"):
        return None
    (_, version, _, schema, sealed, first, last, earliest, latest, created, pid, _, writer, source, name) = (
        _HEADER.unpack_from(block)
    )
    return Header(
        source=source.rstrip(b"\0").decode(),
        measurement=name.rstrip(b"\0").decode(),
        schema_version=schema,
        first_sequence=first,
        created_ns=created,
        pid=pid,
        writer=writer,
        sealed=bool(sealed),
        last_sequence=last,
        earliest=earliest,
        latest=latest,
        version=version,
    )


def prefix_of(kind: int, size: int) -> int:
    """Return a frame's first eight bytes as a number; ``size`` counts all of its bytes."""
    return MARKER | kind << 16 | size << 32


class TickLayout:
    """The binary layout of ticks that have one set of fields.

    ``pack(prefix, sequence, exchange_time, received_time, series, bitmap, ordinal, *values)`` gives the frame without
    its CRC; ``size`` counts the CRC.
    """

    __slots__ = ("bar", "bitmap", "dtype", "names", "pack", "prefix", "size")

    def __init__(self, names: tuple[str, ...], bar: bool) -> None:
        packer = struct.Struct(f"<QQqqIII{len(names)}d")
        self.names, self.bar = names, bar
        self.pack = packer.pack
        self.size = packer.size + 4
        self.prefix = prefix_of(TICK, self.size)
        self.bitmap = sum(TICK_BITS[name] for name in names) | (BAR if bar else 0)
        self.dtype = np.dtype([*TICK_FIXED.descr, ("values", "<f8", (len(names),)), ("crc", "<u4")])


@cache  # at most 2 × 2^10 of them exist
def tick_layout(names: tuple[str, ...], *, bar: bool) -> TickLayout:
    """Return the layout of these fields, which stand in the order of TICK_FIELDS."""
    return TickLayout(names, bar)


def with_crc(body: bytes, seed: int) -> bytes:
    """Return the frame of this body: with its CRC behind it."""
    return body + crc32(body, seed).to_bytes(4, "little")


def series_body(number: int, tags: dict[str, str]) -> bytes:
    """Return the frame, without its CRC, that defines a series' number in its segment."""
    text = orjson.dumps(tags)
    text += b" " * (-(_SERIES.size + len(text) + 4) % 8)  # spaces may follow any JSON
    return _SERIES.pack(prefix_of(SERIES, _SERIES.size + len(text) + 4), 0, number) + text


def record_body(sequence: int, exchange: int, received: int, series: int, ordinal: int, text: bytes) -> bytes:
    """Return the frame, without its CRC, of a record whose fields are JSON; times in ns UTC."""
    text += b" " * (-(_RECORD.size + len(text) + 4) % 8)  # spaces may follow any JSON
    prefix = prefix_of(RECORD, _RECORD.size + len(text) + 4)
    return _RECORD.pack(prefix, sequence, exchange, received, series, ordinal) + text


@dataclass(frozen=True)
class Scan:
    """The whole frames of a chunk in order: where each begins, its length, prefix (see `prefix_of`) and sequence.

    ``position`` is where the next scan goes on; ``torn`` tells that some bytes on the way were no whole frame.
    """

    offsets: IntArray
    lengths: IntArray
    prefixes: IntArray
    sequences: IntArray
    position: int
    torn: bool

    @property
    def kinds(self) -> IntArray:
        """The kind of each frame: SERIES, TICK, RECORD, or one that only later code knows."""
        return self.prefixes >> 16 & 0xFF

    def take(self, keep: slice | Mask) -> Scan:
        """Return the frames that a slice or a boolean mask names."""
        return Scan(
            self.offsets[keep],
            self.lengths[keep],
            self.prefixes[keep],
            self.sequences[keep],
            self.position,
            self.torn,
        )

    def records(self, *, after: int) -> Scan:
        """Return the frames that carry a sequence above ``after``, which rise."""
        return self.take((self.kinds != SERIES) & (self.sequences > after))

    def standing(self, last: int, issued: int) -> Scan:
        """Return the records that stand, behind a ``last`` one: all that were issued, and what follows without a gap.

        A process that is killed as it copies frames into the map may leave the first of them torn and others whole.
        None of them was issued, and whoever sends them again would be told that the torn one is there.
        """
        first = int(np.searchsorted(self.sequences, issued, side="right"))
        behind = max(issued, int(self.sequences[first - 1]) if first else last)
        is_gap = self.sequences[first:] != behind + 1 + np.arange(len(self.sequences) - first)
        return self.take(slice(first + int(is_gap.argmax()))) if is_gap.any() else self

    def times(self, chunk: bytes) -> tuple[IntArray, IntArray]:
        """Return exchange_time and time (ns UTC) of each record: where an instant holds many, they lie far apart."""
        words = np.frombuffer(chunk, dtype="<i8", count=len(chunk) // 8)
        halves = np.frombuffer(chunk, dtype="<u4", count=len(chunk) // 4)
        exchange = words[self.offsets // 8 + 2].astype(np.int64)
        ordinal = np.where(self.kinds == TICK, 10, 9)
        places = np.minimum(self.offsets // 4 + ordinal, len(halves) - 1)  # a frame of an unknown kind may be shorter
        return exchange, exchange + halves[places]


Run = tuple[int, int, int, int]  # like frames in a row: the first one's offset, their length, prefix and number
RUN = 16  # frames of one prefix in a row, from which on the next ones are checked in bulk


def scan(chunk: bytes, *, seed: int, position: int, stop: int, last_sequence: int) -> Scan:
    """Find the whole frames that begin in ``[position, stop)``, up to the one numbered ``last_sequence``.

    ``chunk`` reaches FRAME_MAX beyond ``stop`` or to the file's end. Damaged bytes are skipped to the next whole frame.
    """
    runs: list[Run] = []
    view = memoryview(chunk)
    torn, same, previous, sequence = False, 0, -1, 0
    while position < stop and sequence < last_sequence:
        prefix = _whole(chunk, view, position, seed)
        if prefix is None:
            torn = True
            position = _resync(chunk, view, position + 8, stop, seed)
            continue
        length = prefix >> 32
        same = same + 1 if prefix == previous else 0
        previous = prefix
        count = 1 if same < RUN else _run(chunk, position, stop, prefix, seed, last_sequence)
        runs.append((position, length, prefix, count))
        last = position + (count - 1) * length
        if prefix >> 16 & 0xFF != SERIES:
            sequence = int.from_bytes(chunk[last + 8 : last + 16], "little")
        position = last + length
    return _as_arrays(chunk, runs, position, torn, last_sequence)


def _whole(chunk: bytes, view: memoryview, position: int, seed: int) -> int | None:
    """Return the prefix of the frame at this place; None when none is whole there."""
    if chunk[position : position + 2] != MARKER_BYTES:
        return None
    prefix = int.from_bytes(chunk[position : position + 8], "little")
    length = prefix >> 32
    end = position + length
    if length < FRAME_MIN or length % 8 or length > FRAME_MAX or end > len(chunk):
        return None
    if crc32(view[position : end - 4], seed) != int.from_bytes(chunk[end - 4 : end], "little"):
        return None
    return prefix


def _run(chunk: bytes, position: int, stop: int, prefix: int, seed: int, last_sequence: int) -> int:
    """Count the frames of this prefix that follow one another whole, the one at ``position`` included.

    Records end with the one numbered ``last_sequence``.
    """
    length = prefix >> 32
    count = min((len(chunk) - position) // length, -(-(stop - position) // length))
    rows = np.frombuffer(chunk, dtype=_row(length), count=count, offset=position)
    unlike = rows["prefix"] != prefix
    if prefix >> 16 & 0xFF != SERIES:
        unlike |= rows["sequence"].astype(np.int64) > last_sequence
    count = max(1, int(unlike.argmax())) if unlike.any() else count  # the first is known to be whole
    words = np.frombuffer(chunk, "<u4", count=count * length // 4, offset=position).reshape(count, -1)
    sums = crcs_of(words[:, :-1], seed)
    broken = sums != rows["crc"][:count]
    return int(broken.argmax()) if broken.any() else count


@cache
def _row(length: int) -> np.dtype[np.void]:
    return np.dtype(
        {
            "names": ["prefix", "sequence", "crc"],
            "formats": ["<u8", "<u8", "<u4"],
            "offsets": [0, 8, length - 4],
            "itemsize": length,
        }
    )


def _resync(chunk: bytes, view: memoryview, position: int, stop: int, seed: int) -> int:
    """Return where the next whole frame begins, from ``position`` on; ``stop`` where none does before it."""
    while True:
        position = chunk.find(MARKER_BYTES, position)
        if position < 0 or position >= stop:
            return stop
        if position % 8 == 0 and _whole(chunk, view, position, seed) is not None:
            return position
        position += 1


def _as_arrays(chunk: bytes, runs: list[Run], position: int, torn: bool, last: int) -> Scan:
    """Return the scan of all frames of these runs whose sequence is not above ``last``."""
    if not runs:
        none = np.empty(0, dtype=np.int64)
        return Scan(none, none, none, none, position, torn)
    table = np.array(runs, dtype=np.int64)
    counts = table[:, 3]
    starts, lengths, prefixes = (np.repeat(table[:, column], counts) for column in range(3))
    within = np.arange(len(starts)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = starts + within * lengths
    words = np.frombuffer(chunk, dtype="<i8", count=len(chunk) // 8)
    sequences = words[offsets // 8 + 1].astype(np.int64)
    beyond = sequences > last
    if beyond.any():
        # A bulk check may run past the last one asked for: the next scan has to begin there.
        count = int(beyond.argmax())
        position = int(offsets[count])
        offsets, lengths, prefixes, sequences = (column[:count] for column in (offsets, lengths, prefixes, sequences))
    return Scan(offsets, lengths, prefixes, sequences, position, torn)
