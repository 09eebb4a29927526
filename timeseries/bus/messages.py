"""The messages of the bus: ticks as JSON or as an Arrow batch, with their format and version in the headers.

JSON is one tick or a list of them, with the keys of `process_tick` and a ``symbol``; ``timestamp`` is integer ns UTC or
a text of ISO 8601 with its offset. Arrow is a stream of IPC with the same names as columns. A row without a time has
that of its message. A message without headers is taken for JSON of version 1, as other producers send it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, compress, islice, pairwise
from operator import ne
from typing import NamedTuple, TypeAlias, overload

import numpy as np
import orjson
import pyarrow as pa

from timeseries.recording.columns import ColumnCells, RepeatedTexts, columns_of
from timeseries.values import EPOCH, MICROSECOND, TickDict

JSON, ARROW = "json", "arrow"
FORMAT, VERSION = "velox-format", "velox-version"  # headers
VERSION_NOW, JSON_NOW, ARROW_NOW = b"1", JSON.encode(), ARROW.encode()
ROWS_MAX = 1_000_000  # of one message: a packed batch may hold any number
MINUTE_MS, MILLISECOND_NS = 60_000, 10**6

Headers: TypeAlias = Sequence[tuple[str, str | bytes | None]]
TickRows: TypeAlias = list[TickDict] | dict[str, ColumnCells]
MessageRows: TypeAlias = list[TickDict] | pa.Table


class Unreadable(Exception):
    """A message that holds no ticks that can be read; its text says why."""


class BusMessage(NamedTuple):
    """A message as it came from one partition; ``time_ns`` is the broker's or the producer's, in ns UTC."""

    offset: int
    time_ns: int
    content: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class BusMessages(Sequence[BusMessage]):
    """Messages of one partition in order, as columns: an object of each would cost as much as to read its tick."""

    offsets: list[int]
    times_ms: list[int]  # since the epoch, as Kafka has them
    contents: list[bytes]
    headers: list[Headers]

    @classmethod
    def of(cls, messages: Sequence[BusMessage]) -> BusMessages:
        """Return messages as columns; those that are columns stay as they are."""
        if isinstance(messages, cls):
            return messages
        offsets, times_ns, contents, headers = map(list, zip(*messages, strict=True))
        return cls(offsets, [time_ns // MILLISECOND_NS for time_ns in times_ns], contents, headers)

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, place: int) -> BusMessage: ...
    @overload
    def __getitem__(self, place: slice) -> BusMessages: ...
    def __getitem__(self, place: int | slice) -> BusMessage | BusMessages:
        if isinstance(place, slice):
            return BusMessages(self.offsets[place], self.times_ms[place], self.contents[place], self.headers[place])
        time_ns = self.times_ms[place] * MILLISECOND_NS
        return BusMessage(self.offsets[place], time_ns, self.contents[place], self.headers[place])

    def alike(self) -> Iterator[BusMessages]:
        """Yield the runs of messages that have the same headers and are of one minute."""
        minutes = [min(self.times_ms) // MINUTE_MS, max(self.times_ms) // MINUTE_MS]
        if minutes[0] < minutes[1]:
            minutes = [time_ms // MINUTE_MS for time_ms in self.times_ms]
        for start, stop in runs_of(self.headers, minutes):
            yield self[start:stop]


def runs_of(*columns: Sequence[str | int | Headers | None]) -> Iterator[tuple[int, int]]:
    """Yield the bounds of each run of rows in which no column changes. The first column has a row at least."""
    starts, length = {0}, len(columns[0])
    for column in columns:
        if column.count(column[0]) < len(column):  # this is told sooner than where it changes
            starts.update(compress(range(1, length), map(ne, column, islice(column, 1, None))))
    return pairwise([*sorted(starts), length])


def headers_of(form: str) -> Headers:
    """Return the headers of a message in a format."""
    return [(FORMAT, form.encode()), (VERSION, VERSION_NOW)]


def form_of(headers: Headers) -> str:
    """Return the format that headers name. Raises: Unreadable."""
    named = dict(headers)  # the last one of a name counts
    form, version = named.get(FORMAT, JSON_NOW), named.get(VERSION, VERSION_NOW)
    if version != VERSION_NOW:
        raise Unreadable(f"its version is {version!r}, and 1 is read here")
    if form not in (JSON_NOW, ARROW_NOW):
        raise Unreadable(f"its format is {form!r}, and json and arrow are read here")
    return JSON if form == JSON_NOW else ARROW


def decode(message: BusMessage, form: str) -> MessageRows:
    """Return the ticks of a message: dicts, or a table of plain columns. Raises: Unreadable."""
    return _of_json(message) if form == JSON else _of_arrow(message)


def plain_ticks(contents: Sequence[bytes]) -> TickRows | None:
    """Return the ticks of JSON messages that are one tick each with a time in ns, as columns where they are alike; None
    where `decode` has to look."""
    try:
        rows = list(map(orjson.loads, contents))
    except orjson.JSONDecodeError:
        return None
    columns = columns_of(rows, None)
    if columns is not None:
        times = columns.columns.get("timestamp")
        return columns.columns if times is not None and set(map(type, times)) == {int} else None
    if set(map(type, rows)) != {dict} or {type(row.get("timestamp")) for row in rows} != {int}:
        return None
    return rows


def joined(decoded: Sequence[MessageRows]) -> TickRows:
    """Return the rows of messages, of JSON or tables of one schema, as `Recorder.ticks` takes them."""
    tables = [rows for rows in decoded if isinstance(rows, pa.Table)]
    if not tables:
        return list(chain.from_iterable(decoded))
    table, columns = pa.concat_tables(tables), dict[str, ColumnCells]()
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type):
            coded = column.combine_chunks().dictionary_encode()
            columns[name] = RepeatedTexts(coded.indices.to_numpy(), coded.dictionary.to_pylist())
        else:  # a null is what the row has not
            columns[name] = column.to_pylist() if column.null_count else column.to_numpy()
    return columns


def json_message(rows: Sequence[Mapping[str, str | int | float | None]]) -> bytes:
    """Return ticks as the content of a JSON message: one by itself, more as a list."""
    return orjson.dumps(rows[0] if len(rows) == 1 else list(rows), option=orjson.OPT_SERIALIZE_NUMPY)


def arrow_message(table: pa.Table) -> bytes:
    """Return ticks as the content of an Arrow message."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _of_json(message: BusMessage) -> list[TickDict]:
    try:
        body = orjson.loads(message.content)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"it is no JSON: {error}") from error
    rows = [body] if type(body) is dict else body
    if type(rows) is not list or not rows:
        raise Unreadable("it is no tick and no list of ticks")
    for row in rows:
        if type(row) is not dict:
            raise Unreadable("it is no tick and no list of ticks")
        at = row.get("timestamp")
        if at is None:
            row["timestamp"] = message.time_ns
        elif type(at) is str:
            with suppress(ValueError, OverflowError):  # what is no time is refused by the recorder, as a row
                moment = datetime.fromisoformat(at)
                if moment.tzinfo is not None:
                    moment = moment.astimezone(UTC).replace(tzinfo=None)
                    row["timestamp"] = (moment - EPOCH) // MICROSECOND * 1000
    return rows


def _of_arrow(message: BusMessage) -> pa.Table:
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
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain = _plain(name, column, message.time_ns)
        if plain is not None:
            columns[name] = plain
    columns.setdefault("timestamp", pa.array(np.full(len(table), message.time_ns, dtype=np.int64)))
    return pa.table(columns)


def _plain(name: str, column: pa.ChunkedArray, time_ns: int) -> pa.ChunkedArray | None:
    """Return a column as texts, floats or, of times, integers; None for a kind that means nothing here."""
    kind = column.type
    try:
        if name == "timestamp":
            if pa.types.is_timestamp(kind) and kind.tz is not None:
                column = column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64())
            elif not pa.types.is_integer(kind):
                raise Unreadable(f"its timestamps are {kind}: give times with a zone, or integer ns UTC")
            return (column.fill_null(time_ns) if column.null_count else column).cast(pa.int64())
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return (column.fill_null("") if column.null_count else column).cast(pa.string())
        if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            return column.cast(pa.float64(), safe=False)
    except pa.ArrowException as error:
        raise Unreadable(f"its column {name!r} cannot be read: {error}") from error
    return None
