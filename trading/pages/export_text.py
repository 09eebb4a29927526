"""Blocks of exported rows as what files are made of: lines of CSV, JSON objects, and rows of Python's values.

Every text is made a column at a time and then joined, so that a file of a million rows costs some seconds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trading.domain.display import plain
from trading.domain.exit_columns import local_micros
from trading.domain.export import ColumnKind, ExportBlock
from trading.domain.spreadsheet import cell
from trading.domain.unit_columns import unit_texts
from trading.queries.period import desk_zone

# Texts that CSV and JSON hold as they are, and that no spreadsheet takes for a formula.
_PLAIN_IN_CSV = r'^(?:[0-9A-Za-z][^",\r\n]*)?$'
_PLAIN_IN_JSON = r'^[^"\\\x00-\x1f\x7f]*$'
Writes = Callable[[str], str]
SAMPLE = 256  # cells that tell whether few of a column differ
_SECOND, _DAY = 10**6, 24 * 3600 * 10**6


def written_beside(write: Callable[[ExportBlock], bytes], blocks: Iterable[ExportBlock]) -> Iterator[bytes]:
    """Yield what is written of each block, in a thread while the next one is read: Arrow computes beside Python."""
    with ThreadPoolExecutor(max_workers=1) as writer:
        before: Future[bytes] | None = None
        for block in blocks:
            writing = writer.submit(write, block)
            if before is not None:
                yield before.result()
            before = writing
        if before is not None:
            yield before.result()


def csv_header(names: tuple[str, ...]) -> str:
    """Return the first line of a CSV file."""
    return _csv_line(names)


def csv_lines(block: ExportBlock) -> bytes:
    """Return the rows as lines of CSV: decimals plain, times at the desk, None empty; no text can run as a formula."""
    cells = [_csv_cells(block, name) for name in block.columns]
    return _joined([*cells[:-1], pc.binary_join_element_wise(cells[-1], "\r\n", "", null_handling="replace")], ",")


def json_objects(block: ExportBlock) -> bytes:
    """Return the rows as JSON objects with `, ` between them: decimals as texts, times ISO in UTC with `Z`."""
    parts: list[pa.StringArray | pa.StringScalar] = []
    for number, name in enumerate(block.columns):
        parts += [pa.scalar(f"{', ' if number else '{'}{json.dumps(name)}: "), _json_cells(block, name)]
    return _joined([*parts, pa.scalar("}, ")], "", of_null="null")[:-2]


def rows_of(block: ExportBlock) -> Iterator[tuple[str | int | Decimal | date | dict[str, str] | None, ...]]:
    """Yield the rows as tuples: money Decimal, times at the desk (a date where the time of day is not known)."""
    columns = []
    zone = desk_zone()
    for name, column in block.columns.items():
        cells = column.to_pylist()
        if block.kinds.get(name) == ColumnKind.TIME:
            untimed = block.times(name)[1].to_pylist()
            local = [None if at is None else at.astimezone(zone) for at in cells]
            cells = [at.date() if at and is_day else at for at, is_day in zip(local, untimed, strict=True)]
        elif block.kinds.get(name) == ColumnKind.OBJECT:
            cells = list(map(json.loads, cells))
        elif pa.types.is_decimal(column.type):
            cells = [None if amount is None else Decimal(plain(amount)) for amount in cells]
        columns.append(cells)
    yield from zip(*columns, strict=True)


def _joined(cells: Sequence[pa.StringArray | pa.StringScalar], separator: str, *, of_null: str = "") -> bytes:
    """Return all the texts of a block as one: the memory in which Arrow has them is the text itself. What is alike in
    all rows is put together first: each column costs a look at every row."""
    size = max(len(column) for column in cells if isinstance(column, pa.Array))
    columns: list[pa.StringArray] = []
    for are_alike, some in groupby(cells, lambda column: isinstance(column, pa.Scalar) or column.null_count == size):
        if are_alike:
            alike = separator.join(column.as_py() if isinstance(column, pa.Scalar) else of_null for column in some)
            columns.append(pa.repeat(alike, size))
        else:
            columns += some
    lines = pc.binary_join_element_wise(*columns, separator, null_handling="replace", null_replacement=of_null)
    _, offsets, texts = lines.buffers()
    first, end = np.frombuffer(offsets, dtype=np.int32)[[lines.offset, lines.offset + len(lines)]].tolist()
    return bytes(memoryview(texts)[first:end])


def _csv_cells(block: ExportBlock, name: str) -> pa.StringArray | pa.StringScalar:
    column, kind = block.columns[name], block.kinds.get(name)
    if pa.types.is_decimal(column.type):
        return decimal_texts(column)
    if kind == ColumnKind.TIME:
        times, untimed = block.times(name)
        return time_texts(times, untimed, desk_zone())
    if kind == ColumnKind.DAY:
        return _day_texts(column.cast(pa.int32()).to_numpy())
    if kind == ColumnKind.OBJECT:  # one without a name in quotes is `{}`
        has_texts = pc.match_substring(column, '"')
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
        return quoted if pc.all(has_texts).as_py() else pc.if_else(has_texts, quoted, column)
    return _texts(column, _PLAIN_IN_CSV, lambda text: _csv_line((cell(text), "")).removesuffix(",\r\n"))


def _json_cells(block: ExportBlock, name: str) -> pa.StringArray | pa.StringScalar:
    column, kind = block.columns[name], block.kinds.get(name)
    if kind in (ColumnKind.OBJECT, ColumnKind.COUNT):
        return column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        texts = decimal_texts(column)
    elif kind == ColumnKind.TIME:
        times, untimed = block.times(name)
        texts = time_texts(times, untimed, None)
    elif kind == ColumnKind.DAY:
        texts = _day_texts(column.cast(pa.int32()).to_numpy())
    else:
        return _texts(column, _PLAIN_IN_JSON, lambda text: json.dumps(text, ensure_ascii=False), quote='"')
    return texts if texts.null_count == len(texts) else pc.binary_join_element_wise('"', texts, '"', "")


def _texts(column: pa.Array, plain_texts: str, write: Writes, *, quote: str = "") -> pa.StringArray | pa.StringScalar:
    """Return texts in the form of a file: those that match are themselves between quotes, others are written."""
    if pa.types.is_dictionary(column.type):
        words = _texts(column.dictionary, plain_texts, write, quote=quote)
        if len(words) == 1 and not column.null_count:
            return words[0]
        return words.take(column.indices)
    texts = column.cast(pa.string())
    if texts.null_count == len(texts):
        return texts
    is_plain = pc.match_substring_regex(texts, plain_texts).fill_null(True)
    written = pc.binary_join_element_wise(quote, texts, quote, "") if quote else texts
    if pc.all(is_plain).as_py():
        return written
    pairs = zip(texts.to_pylist(), written.to_pylist(), is_plain.to_pylist(), strict=True)
    return pa.array([form if is_one else write(text) for text, form, is_one in pairs], pa.string())


def decimal_texts(column: pa.Decimal128Array) -> pa.StringArray:
    """Return decimals of 8 places as `display.plain` writes them."""
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.string())
    halves = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
    low, high = halves[column.offset : column.offset + len(column)].T
    if not np.array_equal(high, low >> 63) or int(low.min()) == -(2**63):  # 64 bits do not hold each
        return pa.array([None if amount is None else plain(amount) for amount in column.to_pylist()], pa.string())
    is_there = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    few = len(np.unique(low[:SAMPLE])) < min(SAMPLE, len(low)) // 2  # as of quantities and charges
    if few:
        coded = pa.array(low, mask=None if is_there is None else ~is_there).dictionary_encode()
        return unit_texts(coded.dictionary.to_numpy()).take(coded.indices)
    return unit_texts(low, is_there)


def _day_texts(days: NDArray[np.int64]) -> pa.StringArray:
    """Return days since 1970 as ISO texts; few differ."""
    coded = pa.array(days).dictionary_encode()
    return coded.dictionary.cast(pa.int32()).cast(pa.date32()).cast(pa.string()).take(coded.indices)


@cache
def _clock_texts() -> pa.StringArray:
    """Return the text of each second of a day: `T09:15:00`."""
    seconds = pa.array(np.arange(_DAY // _SECOND, dtype=np.int32)).cast(pa.time32("s")).cast(pa.string())
    return pc.binary_join_element_wise("T", seconds, "")


def time_texts(times: pa.TimestampArray, untimed: pa.BooleanArray, zone: ZoneInfo | None) -> pa.StringArray:
    """Return instants as ISO texts, of the clock in the zone, or with None in UTC with `Z`; of those that are known to
    the day only the date at the desk."""
    if times.null_count == len(times):
        return pa.nulls(len(times), pa.string())
    if times.null_count:
        is_there = times.is_valid()
        texts = time_texts(times.filter(is_there), untimed.filter(is_there), zone)
        has_time = is_there.to_numpy(zero_copy_only=False)
        return texts.take(pa.array((np.cumsum(has_time) - 1).astype(np.int32), mask=~has_time))
    micros = times.cast(pa.int64()).to_numpy()
    local = micros if zone is None else local_micros(micros, zone)
    days = _day_texts(local // _DAY)
    clock = _clock_texts().take(pa.array(local % _DAY // _SECOND))
    parts = local % _SECOND
    if parts.any():
        digits = pc.utf8_slice_codeunits(pa.array(parts + _SECOND).cast(pa.string()), 1)
        written = pc.binary_join_element_wise(".", digits, "")
        clock = pc.binary_join_element_wise(clock, pc.if_else(pa.array(parts != 0), written, ""), "")
    ahead = pa.array((local - micros) // _SECOND).dictionary_encode()
    endings = pa.array([_offset_text(seconds) if zone else "Z" for seconds in ahead.dictionary.to_pylist()])
    texts = pc.binary_join_element_wise(days, clock, endings.take(ahead.indices), "")
    if not pc.any(untimed).as_py():
        return texts
    at_desk = days if zone == desk_zone() else _day_texts(local_micros(micros, desk_zone()) // _DAY)
    return pc.if_else(untimed, at_desk, texts)


def _offset_text(seconds: int) -> str:
    """Return how far a clock is ahead of UTC, as ISO texts end: `+05:30`."""
    sign, magnitude = "-" if seconds < 0 else "+", abs(seconds)
    ending = f":{magnitude % 60:02}" if magnitude % 60 else ""
    return f"{sign}{magnitude // 3600:02}:{magnitude // 60 % 60:02}{ending}"


def _csv_line(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
