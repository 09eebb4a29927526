"""Bodies of ticks, read piece by piece: JSON, lines of JSON, CSV or an Arrow stream, as slices of a bounded size.

Whatever is wrong with one row makes an `UnreadableRow` of it; whatever is wrong with the body is raised.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from timeseries.measurements import Column
from timeseries.recording.bulk import ROWS_AT_ONCE, UnreadableRow
from timeseries.recording.columns import WANTED
from timeseries.values import Input
from trading.api.arrow_batches import arrow_batches
from trading.api.plain import BODY_BYTES_MAX
from trading.api.problems import BodyTooLarge, WrongMediaType
from trading.api.tick_rows import (
    PIECE_BYTES,
    BodyReader,
    TickRow,
    body_blocks,
    column_of_arrow,
    column_of_texts,
    lines_of,
    objects_of,
    parsed,
    tick_of,
)
from trading.errors import InvalidValue

TickSlice = Sequence[TickRow] | dict[str, Column | Sequence[Input]]  # rows, or columns of one length


def read_ticks(body: BodyReader, media_type: str) -> Iterator[TickSlice]:
    """Yield the ticks of a body, in order. Raises: WrongMediaType, BodyTooLarge, InvalidValue."""
    if media_type not in READERS:
        raise WrongMediaType(f"The body is {media_type!r}.", hint=f"Send {', '.join(READERS)}.")
    return READERS[media_type](body)


def rows_in(ticks: TickSlice) -> int:
    """Return how many rows a slice has."""
    return len(next(iter(ticks.values()), ())) if isinstance(ticks, dict) else len(ticks)


def rows_from(ticks: TickSlice, start: int) -> TickSlice:
    """Return a slice without its first rows."""
    if not start:
        return ticks
    if isinstance(ticks, dict):
        return {name: column[start:] for name, column in ticks.items()}
    return ticks[start:]


def _json(body: BodyReader) -> Iterator[TickSlice]:
    """Yield the rows of one JSON text: a list of ticks, or an object that has it as `ticks`."""
    text = b""
    while piece := body.read(PIECE_BYTES):
        text += piece
        if len(text) > BODY_BYTES_MAX:
            raise BodyTooLarge(
                f"JSON has at most {BODY_BYTES_MAX} bytes here.", hint="Send lines of JSON (application/x-ndjson)."
            )
    rows = parsed(text, "The body")
    if isinstance(rows, dict) and set(rows) == {"ticks"}:
        rows = rows["ticks"]
    if not isinstance(rows, list):
        raise InvalidValue("The body is no list of ticks.", field="body", hint='Send [{"symbol": "TCS", "ltp": 1}].')
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield [tick_of(row) for row in rows[start : start + ROWS_AT_ONCE]]


def _lines_of_json(body: BodyReader) -> Iterator[TickSlice]:
    """Yield the rows of lines that hold a tick each; empty lines are none."""
    for block in body_blocks(body):
        if (parsed_at_once := objects_of(block)) is not None:
            yield parsed_at_once
            continue
        rows: list[TickRow] = []
        for line in lines_of(block):
            try:
                rows.append(tick_of(parsed(line, "The line")))
            except InvalidValue as error:
                rows.append(UnreadableRow(error))
        yield rows


def _csv(body: BodyReader) -> Iterator[TickSlice]:
    """Yield the rows of CSV in UTF-8 whose first line has the names; what is between commas is absent."""
    header: list[str] | None = None
    for block in body_blocks(body):
        if not (lines := lines_of(block)):
            continue
        try:
            cells = list(csv.reader((line.decode() for line in lines), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InvalidValue(f"The body is no CSV in UTF-8: {error}.", field="body", code="unreadable") from error
        if len(cells) != len(lines):
            raise InvalidValue("A cell holds a line break.", field="body", code="unreadable")
        if header is None:
            header, cells = [name.strip("\ufeff ") for name in cells[0]], cells[1:]
            if len(set(header)) < len(header):
                raise InvalidValue("A name stands twice in the first line.", field="body", code="unreadable")
        if cells:
            yield _columns_of_texts(header, cells)


def _columns_of_texts(header: list[str], cells: list[list[str]]) -> TickSlice:
    """Return CSV's rows as columns of numbers, instants and names; as rows where they are not all alike."""
    if all(len(row) == len(header) for row in cells):
        columns = dict(zip(header, zip(*cells, strict=True), strict=True))
        filled = {name: column for name, column in columns.items() if name in WANTED and any(column)}
        if filled and all(map(all, filled.values())):
            with suppress(InvalidValue):  # of a time, whose row is found below
                return {name: column_of_texts(name, column) for name, column in filled.items()}
    rows: list[TickRow] = []
    for row in cells:
        if len(row) != len(header):
            text = f"The row has {len(row)} cells, the first line {len(header)}."
            rows.append(UnreadableRow(InvalidValue(text, field="body", code="unreadable")))
        else:
            rows.append(tick_of({name: cell for name, cell in zip(header, row, strict=True) if cell}))
    return rows


def _arrow(body: BodyReader) -> Iterator[TickSlice]:
    """Yield the rows of an Arrow IPC stream as columns."""
    for batch in arrow_batches(body, WANTED):
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            rows = batch.slice(start, ROWS_AT_ONCE)
            yield {name: column_of_arrow(rows.column(name)) for name in rows.schema.names}


READERS: dict[str, Callable[[BodyReader], Iterator[TickSlice]]] = {
    "application/json": _json,
    "application/x-ndjson": _lines_of_json,
    "text/csv": _csv,
    "application/vnd.apache.arrow.stream": _arrow,
}
