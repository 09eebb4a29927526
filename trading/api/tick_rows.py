"""Rows and columns of ticks as they stand in a body, each told apart from what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import Column
from timeseries.recording.bulk import UnreadableRow
from timeseries.values import EPOCH_UTC, MICROSECOND, Input
from trading.api.plain import DEPTH_MAX, depth_of
from trading.errors import InvalidValue

PIECE_BYTES = 64 << 10
BLOCK_BYTES = 256 << 10  # about as many rows as are recorded at once
LINE_END, BRACE = b"\n{"
LINE_BYTES_MAX = 64 << 10
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(?P<fraction>\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
ZONE_HINT = "Write a time with its zone, such as 2026-11-27T03:45:00.25Z, or whole nanoseconds since 1970 in UTC."

TickRow = dict[str, Input]


class BodyReader(Protocol):
    """A body that comes in pieces."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most ``size`` of them; none at its end."""


def body_blocks(body: BodyReader) -> Iterator[bytes]:
    """Yield a body's whole lines, many at once, without the end of the last one. Raises: InvalidValue."""
    rest = b""
    while piece := body.read(BLOCK_BYTES):
        whole, end, rest = (rest + piece).rpartition(b"\n")
        if max(_longest(whole), len(rest)) > LINE_BYTES_MAX:
            raise InvalidValue(f"A line has more than {LINE_BYTES_MAX} bytes.", field="body", code="too_large")
        if end:
            yield whole
    if rest:
        yield rest


def _longest(lines: bytes) -> int:
    """Return the bytes of the longest line, or of all of them where these are few."""
    if len(lines) <= LINE_BYTES_MAX:
        return len(lines)
    ends = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == LINE_END)
    return int(np.diff(ends, prepend=-1, append=len(lines)).max()) - 1


def lines_of(block: bytes) -> list[bytes]:
    """Return a block's lines without what is empty."""
    return [line for line in map(bytes.strip, block.split(b"\n")) if line]


def objects_of(block: bytes) -> list[TickRow] | None:
    """Return lines of plain objects as they are parsed all at once; None where each is to be looked at.

    Each line begins with the only brace that opens in it. So where as many objects as lines are parsed, and nothing
    else, each of them begins with its line, and none holds the beginning of the next.
    """
    text = np.frombuffer(block, dtype=np.uint8)
    starts = np.flatnonzero(text == LINE_END) + 1
    count = len(starts) + 1
    if b"[" in block or np.count_nonzero(text == BRACE) != count or block[-1:] == b"\n":
        return None
    if text[0] != BRACE or (text[starts] != BRACE).any():
        return None
    try:
        rows: list[TickRow] = orjson.loads(b"[" + block.replace(b"\n", b",") + b"]")
    except orjson.JSONDecodeError:
        return None
    if len(rows) != count or set(map(type, rows)) != {dict}:
        return None
    times = {type(row.get("timestamp")) for row in rows}
    return rows if times <= {int, type(None)} else list(map(tick_of, rows))


def parsed(text: bytes, what: str) -> Input:
    """Return JSON as it was parsed. Raises: InvalidValue."""
    if text.count(b"[") + text.count(b"{") > DEPTH_MAX and (depth := depth_of(text)) > DEPTH_MAX:
        raise InvalidValue(f"{what} is {depth} levels deep.", field="body", hint=f"At most {DEPTH_MAX}.")
    try:
        parsed: Input = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidValue(f"{what} is no JSON: {error}.", field="body", code="unreadable") from error
    return parsed


def tick_of(row: Input) -> TickRow:
    """Return a row with its time as ns UTC."""
    if not isinstance(row, dict):
        return UnreadableRow(
            InvalidValue("The row is no tick.", field="body", hint='Send {"symbol": "TCS", "ltp": 1}.')
        )
    time = row.get("timestamp")
    if type(time) is str:
        try:
            row["timestamp"] = instant_of(time)
        except InvalidValue as error:
            return UnreadableRow(error)
    return row


def instant_of(text: str) -> int:
    """Return ns UTC of an ISO time with its zone, or of whole nanoseconds. Raises: InvalidValue."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    match = _TIME.fullmatch(text)
    if match is None:
        raise InvalidValue(f"timestamp is {text[:40]!r}.", field="timestamp", hint=ZONE_HINT)
    fraction = match["fraction"] or ""
    try:
        moment = datetime.fromisoformat(text if len(fraction) <= 6 else text.replace(fraction, fraction[:6], 1))
    except ValueError:
        raise InvalidValue(f"timestamp is {text[:40]!r}.", field="timestamp", hint=ZONE_HINT) from None
    return (moment - EPOCH_UTC) // MICROSECOND * 1000 + int(fraction[6:9].ljust(3, "0") if len(fraction) > 6 else 0)


def column_of_texts(name: str, texts: Sequence[str]) -> Column | Sequence[Input]:
    """Return a column of CSV whose cells are all filled. Raises: InvalidValue for a time that is none."""
    if name == "symbol":
        return list(texts)
    if name == "timestamp":
        return [instant_of(text) for text in texts]
    try:
        numbers: Column = pc.cast(pa.array(texts, pa.string()), pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return list(texts)
    return numbers


def column_of_arrow(column: pa.Array) -> Column | Sequence[Input]:
    """Return a column as numbers without a gap, else as texts, numbers and None."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            raise InvalidValue("A column of times has no zone.", field="timestamp", hint="Send timestamp[ns, UTC].")
        try:
            column = column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
        except pa.ArrowInvalid:
            micros = column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()).to_pylist()
            return [None if time is None else time * 1000 for time in micros]  # what is too large is refused by itself
    if column.null_count or pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        cells: list[Input] = column.to_pylist()
        return cells
    numbers: Column = column.to_numpy(zero_copy_only=False)
    return numbers
