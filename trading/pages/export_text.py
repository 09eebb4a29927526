"""Blocks of exported rows as what files are made of: lines of CSV, JSON objects, and rows of Python's values.

Every text is made a column at a time and then joined, so that a file of a million rows costs some seconds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from trading.domain.cell_pieces import decimal_pieces, time_pieces
from trading.domain.display import plain
from trading.domain.export import ColumnKind, ExportBlock
from trading.domain.row_texts import BARE, CellFrame, CellPiece, joined, number_texts, text_pieces
from trading.domain.spreadsheet import cell
from trading.queries.period import desk_zone

Writes = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Form:
    """How a kind of file has its cells: texts that match it holds as they are, in a frame, others are written."""

    frame: CellFrame
    plain_texts: str
    write: Writes


def written_beside(write: Callable[[ExportBlock], memoryview], blocks: Iterable[ExportBlock]) -> Iterator[memoryview]:
    """Yield what is written of each block, in a thread while the next one is read: Arrow computes beside Python."""
    with ThreadPoolExecutor(max_workers=1) as writer:
        before: Future[memoryview] | None = None
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


def csv_lines(block: ExportBlock) -> memoryview:
    """Return the rows as lines of CSV: decimals plain, times at the desk, None empty; no text can run as a formula."""
    pieces: list[CellPiece] = []
    for name in block.columns:
        pieces += [*_cells(block, name, _CSV), ","]
    return joined([*pieces[:-1], "\r\n"], len(block))


def json_objects(block: ExportBlock) -> memoryview:
    """Return the rows as JSON objects with `, ` between them: decimals as texts, times ISO in UTC with `Z`."""
    pieces: list[CellPiece] = []
    for name in block.columns:
        pieces += [f"{', ' if pieces else '{'}{json.dumps(name)}: ", *_cells(block, name, _JSON)]
    return joined([*pieces, "}, "], len(block))[:-2]


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


def _cells(block: ExportBlock, name: str, form: _Form) -> list[CellPiece]:
    column, kind = block.columns[name], block.kinds.get(name)
    if column.null_count == len(column):
        return [form.frame.null]
    if pa.types.is_decimal(column.type):
        return decimal_pieces(column, form.frame)
    if kind == ColumnKind.TIME:
        times, untimed = block.times(name)
        return time_pieces(times, untimed, None if form is _JSON else desk_zone(), desk_zone(), form.frame)
    if kind == ColumnKind.OBJECT:
        return _object_pieces(column, form)
    if kind == ColumnKind.COUNT:
        return text_pieces(number_texts(column), CellFrame("", form.frame.null))
    return _text_pieces(number_texts(column) if kind == ColumnKind.DAY else column, form)


def _object_pieces(objects: pa.StringArray, form: _Form) -> list[CellPiece]:
    """Return JSON objects as a file holds them: in CSV in quotes, but for one without a name, which is `{}`."""
    if form is _JSON:
        return text_pieces(objects)
    has_names = pc.match_substring(objects, '"')
    is_quoted = None if pc.all(has_names).as_py() else has_names.to_numpy(zero_copy_only=False)
    return CellFrame('"', "").around(text_pieces(pc.replace_substring(objects, '"', '""')), is_quoted)


def _text_pieces(column: pa.DictionaryArray | pa.StringArray, form: _Form) -> list[CellPiece]:
    """Return texts as a file holds them: those that match are themselves in the frame, others are written."""
    is_coded, frame = pa.types.is_dictionary(column.type), form.frame
    texts = column.dictionary if is_coded else column
    is_plain = pc.match_substring_regex(texts, form.plain_texts).fill_null(True)
    if not pc.all(is_plain).as_py():
        texts, frame = pa.array(_written(texts, is_plain, form), pa.string()), CellFrame("", frame.null)
    return text_pieces(pa.DictionaryArray.from_arrays(column.indices, texts) if is_coded else texts, frame)


def _written(texts: pa.StringArray, is_plain: pa.BooleanArray, form: _Form) -> Iterator[str | None]:
    for text, is_one in zip(texts.to_pylist(), is_plain.to_pylist(), strict=True):
        plainly = text if text is None else f"{form.frame.quote}{text}{form.frame.quote}"
        yield plainly if is_one else form.write(text)


def _csv_line(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


# What CSV holds as it is, no spreadsheet takes for a formula.
_CSV = _Form(BARE, r'^(?:[0-9A-Za-z][^",\r\n]*)?$', lambda text: _csv_line((cell(text), "")).removesuffix(",\r\n"))
_JSON = _Form(CellFrame('"', "null"), r'^[^"\\\x00-\x1f\x7f]*$', lambda text: json.dumps(text, ensure_ascii=False))
