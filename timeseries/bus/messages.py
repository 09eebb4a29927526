"""The messages of the bus: ticks as JSON or as an Arrow batch, with their format and version in the headers.

JSON is one tick or a list of them, with the keys of `process_tick` and a ``symbol``; ``timestamp`` is integer ns UTC or
a text of ISO 8601 with its offset. Arrow is a stream of IPC with the same names as columns. A row without a time has
that of its message. A message without headers is taken for JSON of version 1, as other producers send it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from timeseries.recording.columns import ColumnCells
from timeseries.values import EPOCH, MICROSECOND, TickDict

JSON, ARROW = "json", "arrow"
FORMAT, VERSION = "velox-format", "velox-version"  # headers
VERSION_NOW, JSON_NOW, ARROW_NOW = b"1", JSON.encode(), ARROW.encode()
ROWS_MAX = 1_000_000  # of one message: a packed batch may hold any number

Headers: TypeAlias = list[tuple[str, bytes]]
TickRows: TypeAlias = list[TickDict] | dict[str, ColumnCells]


class Unreadable(Exception):
    """A message that holds no ticks that can be read; its text says why."""


@dataclass(frozen=True, slots=True)
class BusMessage:
    """A message as it came from one partition; ``time_ns`` is the broker's or the producer's, in ns UTC."""

    offset: int
    time_ns: int
    content: bytes
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """The ticks of a message, as `Recorder.ticks` takes them."""

    rows: TickRows
    count: int

    def after(self, skipped: int) -> TickRows:
        """Return the rows but the first ones."""
        if isinstance(self.rows, dict):
            return {name: column[skipped:] for name, column in self.rows.items()}
        return self.rows[skipped:]


def headers_of(form: str) -> Headers:
    """Return the headers of a message in a format."""
    return [(FORMAT, form.encode()), (VERSION, VERSION_NOW)]


def decode(message: BusMessage) -> DecodedRows:
    """Return the ticks of a message. Raises: Unreadable."""
    named = dict(message.headers)  # the last one of a name counts
    form, version = named.get(FORMAT, JSON_NOW), named.get(VERSION, VERSION_NOW)
    if version != VERSION_NOW:
        raise Unreadable(f"its version is {version!r}, and 1 is read here")
    if form == JSON_NOW:
        return _of_json(message)
    if form == ARROW_NOW:
        return _of_arrow(message)
    raise Unreadable(f"its format is {form!r}, and json and arrow are read here")


def json_message(rows: Sequence[Mapping[str, str | int | float | None]]) -> bytes:
    """Return ticks as the content of a JSON message: one by itself, more as a list."""
    return orjson.dumps(rows[0] if len(rows) == 1 else list(rows), option=orjson.OPT_SERIALIZE_NUMPY)


def arrow_message(table: pa.Table) -> bytes:
    """Return ticks as the content of an Arrow message."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _of_json(message: BusMessage) -> DecodedRows:
    try:
        body = orjson.loads(message.content)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"it is no JSON: {error}") from error
    rows = [body] if isinstance(body, dict) else body
    if not isinstance(rows, list) or not rows or not all(type(row) is dict for row in rows):
        raise Unreadable("it is no tick and no list of ticks")
    for row in rows:
        at = row.get("timestamp")
        if at is None:
            row["timestamp"] = message.time_ns
        elif type(at) is str:
            with suppress(ValueError, OverflowError):  # what is no time is refused by the recorder, as a row
                moment = datetime.fromisoformat(at)
                if moment.tzinfo is not None:
                    moment = moment.astimezone(UTC).replace(tzinfo=None)
                    row["timestamp"] = (moment - EPOCH) // MICROSECOND * 1000
    return DecodedRows(rows, len(rows))


def _of_arrow(message: BusMessage) -> DecodedRows:
    try:
        with pa.ipc.open_stream(message.content) as reader:
            table = reader.read_all()
        table.validate(full=True)  # a damaged batch could otherwise lead beyond its own memory
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"it is no Arrow stream: {error}") from error
    if not 0 < len(table) <= ROWS_MAX:
        raise Unreadable(f"it has {len(table)} rows")
    if len(set(table.column_names)) < len(table.column_names):
        raise Unreadable("two of its columns have one name")
    columns: dict[str, ColumnCells] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        cells = _cells(name, column, message.time_ns)
        if cells is not None:
            columns[name] = cells
    columns.setdefault("timestamp", np.full(len(table), message.time_ns, dtype=np.int64))
    return DecodedRows(columns, len(table))


def _cells(name: str, column: pa.ChunkedArray, time_ns: int) -> ColumnCells | None:
    """Return a column as a flat array, texts as a list; None for a kind that means nothing here."""
    kind = column.type
    try:
        if name == "timestamp":
            if pa.types.is_timestamp(kind) and kind.tz is not None:
                column = column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64())
            elif not pa.types.is_integer(kind):
                raise Unreadable(f"its timestamps are {kind}: give times with a zone, or integer ns UTC")
            instants: npt.NDArray[np.int64] = column.fill_null(time_ns).cast(pa.int64()).to_numpy()
            return instants
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return [str(text) if text is not None else "" for text in column.to_pylist()]
        if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            numbers: npt.NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
            return numbers
    except pa.ArrowException as error:
        raise Unreadable(f"its column {name!r} cannot be read: {error}") from error
    return None
