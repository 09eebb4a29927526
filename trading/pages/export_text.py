"""Blocks of exported rows as what files are made of: lines of CSV, JSON objects, and rows of Python's values.

Every text is made a column at a time and then joined, so that a file of a million rows costs some seconds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trading.domain.display import plain
from trading.domain.exit_columns import local_micros
from trading.domain.export import ColumnKind, ExportBlock
from trading.domain.spreadsheet import cell
from trading.queries.period import desk_zone

# Texts that CSV and JSON hold as they are, and that no spreadsheet takes for a formula.
_PLAIN_IN_CSV = r'^(?:[0-9A-Za-z][^",\r\n]*)?$'
_PLAIN_IN_JSON = r'^[^"\\\x00-\x1f\x7f]*$'
Writes = Callable[[str], str]


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
    cells = [_csv_cells(block, name).fill_null("") for name in block.columns]
    cells[-1] = pc.binary_join_element_wise(cells[-1], "\r\n", "")
    return _joined(cells, ",")


def json_objects(block: ExportBlock) -> bytes:
    """Return the rows as JSON objects with `, ` between them: decimals as texts, times ISO in UTC with `Z`."""
    parts: list[pa.Array | str] = []
    for number, name in enumerate(block.columns):
        parts += [f"{', ' if number else '{'}{json.dumps(name)}: ", _json_cells(block, name).fill_null("null")]
    return _joined([pc.binary_join_element_wise(*parts, "}, ", "")], "")[:-2]


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


def _joined(cells: list[pa.Array], separator: str) -> bytes:
    """Return all the texts of a block as one: the memory in which Arrow has them is the text itself."""
    lines = pc.binary_join_element_wise(*cells, separator)
    _, offsets, texts = lines.buffers()
    first, end = np.frombuffer(offsets, dtype=np.int32)[[lines.offset, lines.offset + len(lines)]].tolist()
    return bytes(memoryview(texts)[first:end])


def _csv_cells(block: ExportBlock, name: str) -> pa.StringArray:
    column, kind = block.columns[name], block.kinds.get(name)
    if pa.types.is_decimal(column.type):
        return decimal_texts(column)
    if kind == ColumnKind.TIME:
        times, untimed = block.times(name)
        return time_texts(times, untimed, desk_zone())
    if kind == ColumnKind.OBJECT:  # begins with a brace
        has_texts = pc.match_substring_regex(column, '[",]')
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
        return pc.if_else(has_texts, quoted, column)
    return _texts(column, _PLAIN_IN_CSV, lambda text: _csv_line((cell(text), "")).removesuffix(",\r\n"))


def _json_cells(block: ExportBlock, name: str) -> pa.StringArray:
    column, kind = block.columns[name], block.kinds.get(name)
    if kind in (ColumnKind.OBJECT, ColumnKind.COUNT):
        return column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        texts = decimal_texts(column)
    elif kind == ColumnKind.TIME:
        times, untimed = block.times(name)
        texts = time_texts(times, untimed, None)
    elif kind == ColumnKind.DAY:
        texts = column.cast(pa.string())
    else:
        return _texts(column, _PLAIN_IN_JSON, lambda text: json.dumps(text, ensure_ascii=False), quote='"')
    return pc.binary_join_element_wise('"', texts, '"', "")


def _texts(column: pa.Array, plain_texts: str, write: Writes, *, quote: str = "") -> pa.StringArray:
    """Return texts in the form of a file: those that match are themselves between quotes, others are written."""
    if pa.types.is_dictionary(column.type):
        return _texts(column.dictionary, plain_texts, write, quote=quote).take(column.indices)
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
    halves = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
    low, high = halves[column.offset : column.offset + len(column)].T
    if column.null_count < len(column) and np.array_equal(high, low >> 63):  # 64 bits hold each
        nulls = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
        coded = pa.array(low, mask=nulls).dictionary_encode()
        if 2 * len(coded.dictionary) < len(low):  # as of quantities and charges
            units = coded.dictionary.to_numpy()
            halves = np.stack((units, units >> 63), axis=1)
            different = pa.Array.from_buffers(column.type, len(halves), [None, pa.py_buffer(halves)])
            return _decimal_texts(different).take(coded.indices)
    return _decimal_texts(column)


def _decimal_texts(column: pa.Decimal128Array) -> pa.StringArray:
    texts = column.cast(pa.string())
    if texts.null_count == len(texts):
        return texts
    trimmed = pc.ascii_rtrim(pc.ascii_rtrim(texts, "0"), ".")
    has_exponent = pc.match_substring(texts, "E")  # as 0 and what is smaller than a millionth
    if not pc.any(has_exponent).as_py():
        return trimmed
    short = pc.if_else(pc.equal(texts, "0E-8"), "0", trimmed)
    if not pc.any(pc.match_substring(short, "E")).as_py():
        return short
    return pa.array([None if amount is None else plain(amount) for amount in column.to_pylist()], pa.string())


def time_texts(times: pa.TimestampArray, untimed: pa.BooleanArray, zone: ZoneInfo | None) -> pa.StringArray:
    """Return instants as ISO texts, of the clock in the zone, or with None in UTC with `Z`; of those that are known to
    the day only the date at the desk."""
    if times.null_count == len(times):
        return pa.nulls(len(times), pa.string())
    micros = times.fill_null(0).cast(pa.int64()).to_numpy()
    local = local_micros(micros, zone or desk_zone())
    days = pa.array(local).cast(pa.timestamp("us")).cast(pa.date32(), safe=False).cast(pa.string())
    if zone is None:
        local, suffix = micros, pa.scalar("Z")
    else:
        offsets, places = np.unique((local - micros) // 10**6, return_inverse=True)
        words = pa.array([_offset_text(offset) for offset in offsets.tolist()], pa.string())
        suffix = words.take(pa.array(places.reshape(-1)))
    clock = pa.array(local).cast(pa.timestamp("us"))
    seconds = clock.cast(pa.timestamp("s"), safe=False).cast(pa.string())
    has_fraction = pa.array(local % 10**6 != 0)
    if pc.any(has_fraction).as_py():
        seconds = pc.if_else(has_fraction, clock.cast(pa.string()), seconds)
    texts = pc.binary_join_element_wise(pc.replace_substring(seconds, " ", "T", max_replacements=1), suffix, "")
    dated = pc.if_else(untimed, days, texts) if pc.any(untimed).as_py() else texts
    return pc.if_else(times.is_valid(), dated, pa.scalar(None, pa.string())) if times.null_count else dated


def _offset_text(seconds: int) -> str:
    """Return how far a clock is ahead of UTC, as ISO texts end: `+05:30`."""
    sign, magnitude = "-" if seconds < 0 else "+", abs(seconds)
    ending = f":{magnitude % 60:02}" if magnitude % 60 else ""
    return f"{sign}{magnitude // 3600:02}:{magnitude // 60 % 60:02}{ending}"


def _csv_line(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
