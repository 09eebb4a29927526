"""An Arrow IPC stream as its messages, each looked at before a library allocates what it announces.

The library believes lengths: of a message, of what a compressed buffer holds, of the rows of a column without bytes.
A flatbuffer's table is found by the table of offsets before it (https://flatbuffers.dev/internals); the tables are
those of Arrow's Message.fbs.
"""

from __future__ import annotations

import struct

from trading.api.tick_rows import BodyReader
from trading.errors import InvalidValue

CONTINUES = b"\xff\xff\xff\xff"
METADATA_BYTES_MAX = 256 << 10
MESSAGE_BYTES_MAX = 16 << 20
ROWS_MAX = 1 << 20  # of one message
SCHEMA, DICTIONARY, RECORDS = 1, 2, 3  # kinds of messages


def next_message(body: BodyReader) -> tuple[int, bytes] | None:
    """Return the next message's kind and bytes, None at the stream's end."""
    start = _exactly(body, 4, may_end=True)
    if not start or start == bytes(4):
        return None
    if start != CONTINUES:
        raise unreadable("it does not begin as a stream does")
    prefix = _exactly(body, 4)
    (size,) = struct.unpack("<i", prefix)
    if size == 0:
        return None
    if not 0 < size <= METADATA_BYTES_MAX:
        raise unreadable(f"the metadata of a message have {size} bytes")
    metadata = _exactly(body, size)
    try:
        kind, length = _measured(metadata)
    except (struct.error, IndexError) as error:
        raise unreadable("the metadata of a message cannot be read") from error
    if not 0 <= length <= MESSAGE_BYTES_MAX:
        raise InvalidValue(
            f"A message of the Arrow stream has {length} bytes.",
            field="body", code="too_large", hint=f"Write batches of fewer rows: at most {MESSAGE_BYTES_MAX} bytes.",
        )  # fmt: skip
    return kind, start + prefix + metadata + _exactly(body, length)


def _measured(metadata: bytes) -> tuple[int, int]:
    """Return the kind of a message and the bytes of its body. Raises: InvalidValue, struct.error."""
    message = struct.unpack_from("<I", metadata)[0]
    kind = _scalar(metadata, message, 1, "<B")
    length = _scalar(metadata, message, 3, "<q")
    records = _table(metadata, message, 2)
    if kind == DICTIONARY:
        records = _table(metadata, records, 1)
    elif kind != RECORDS:
        return kind, length
    if _place(metadata, records, 3):
        raise unreadable("it is compressed; write it without")
    if not 0 <= _scalar(metadata, records, 0, "<q") <= ROWS_MAX:
        raise unreadable(f"a batch has more than {ROWS_MAX} rows")
    return kind, length


def _place(buffer: bytes, table: int, slot: int) -> int:
    """Return where a table's field stands, 0 where it is absent."""
    offsets = table - struct.unpack_from("<i", buffer, table)[0]
    if offsets < 0 or 4 + 2 * slot >= struct.unpack_from("<H", buffer, offsets)[0]:
        return 0
    offset = struct.unpack_from("<H", buffer, offsets + 4 + 2 * slot)[0]
    return int(table + offset) if offset else 0


def _scalar(buffer: bytes, table: int, slot: int, form: str) -> int:
    place = _place(buffer, table, slot)
    return int(struct.unpack_from(form, buffer, place)[0]) if place else 0


def _table(buffer: bytes, table: int, slot: int) -> int:
    place = _place(buffer, table, slot)
    if not place:
        raise struct.error("a table is missing")
    return place + int(struct.unpack_from("<I", buffer, place)[0])


def _exactly(body: BodyReader, size: int, *, may_end: bool = False) -> bytes:
    """Return so many bytes; none at the end where the body may end here."""
    pieces, left = [], size
    while left:
        piece = body.read(left)
        if not piece:
            if may_end and left == size:
                return b""
            raise unreadable("it ends early")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def unreadable(what: str) -> InvalidValue:
    """Return the refusal of a stream."""
    return InvalidValue(f"The body is no Arrow stream that is read here: {what}.", field="body", code="unreadable")
