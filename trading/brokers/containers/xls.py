"""Workbooks of the old XLS kind (BIFF), whose cells calamine reads, once their records show what they hold.

The library reserves what a workbook claims and holds each sheet as a full rectangle, so that a file of a few kilobytes
could take a gigabyte: this counts the rectangle first, writes the true one over the claimed one, and hands on a
container of its own making, without anything else that stood in the file.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice

import olefile
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum

from trading.brokers.containers.limits import Allowance, refused
from trading.brokers.containers.ole import container_of
from trading.brokers.document import CellRow, CellValue, Sheet
from trading.errors import FileLocked, UnreadableFile

_STREAM_BYTES_MAX = 16 << 20
_RECTANGLES_MAX = 700_000  # cells of all sheets together, empty ones too
_SHEETS_MAX = 100
_RECORD = struct.Struct("<HH")
_PLACE = struct.Struct("<HH")
_BOF, _EOF, _SHEET = 0x0809, 0x000A, 0x0085
_DIMENSIONS, _DATE_MODE, _FILE_PASS, _FORMULA, _TRUTH_OR_ERROR = 0x0200, 0x0022, 0x002F, 0x0006, 0x0205
_MANY = frozenset({0x00BD, 0x00BE})  # MULRK, MULBLANK: the last column stands at their end
# NUMBER, RK, LABEL, LABELSST, RSTRING, BLANK, BOOLERR, FORMULA: row and column stand first.
_CELLS = frozenset({0x0203, 0x027E, 0x0204, 0x00FD, 0x00D6, 0x0201, _TRUTH_OR_ERROR, _FORMULA})
_SIZES = {_FORMULA: 14, _TRUTH_OR_ERROR: 8}  # the least of a cell's record, where it is not that of its place
# Results of a formula: an error, and the empty text that a writer leaves who computes nothing. Empty to the library.
_NO_RESULT = {2: "an error instead of a value", 3: "a formula without a value"}


@dataclass(slots=True)
class Rectangle:
    """The cells of one sheet: rows and columns from the first to the last that stands, and where its claim lies."""

    rows: int = 0
    columns: int = 0
    claim_at: int | None = None


def read_xls(content: bytes, allowance: Allowance, rows_max: int | None) -> tuple[Sheet, ...]:
    """Return a workbook's sheets in their order, of each the first rows; hidden ones too.

    Raises: UnreadableFile, FileLocked for one that is encrypted.
    """
    stream = checked_stream(_workbook_stream(content, allowance), allowance.name, rows_max)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(container_of(bytes(stream))))
        names = [each.name for each in workbook.sheets_metadata if each.typ is SheetTypeEnum.WorkSheet]
        return tuple(Sheet(name, _rows(workbook.get_sheet_by_name(name), allowance, rows_max)) for name in names)
    except (KeyboardInterrupt, SystemExit, UnreadableFile):
        raise
    except BaseException as error:  # the library's panics are no exceptions of the ordinary kind
        raise _damaged(allowance.name) from error


def checked_stream(stream: bytearray, name: str, rows_max: int | None) -> bytearray:
    """Return a workbook's records, each sheet's claim of its size replaced by what stands in it, and each sheet ended
    after ``rows_max`` rows.

    Raises: UnreadableFile where they are cut, too many, or hold an error or a formula without a value; FileLocked.
    """
    rectangles = [_checked_sheet(stream, at, name, rows_max) for at in _sheet_starts(stream, name)]
    if sum(each.rows * each.columns for each in rectangles) > _RECTANGLES_MAX:
        raise refused(name, f"spans more than {_RECTANGLES_MAX} cells", "Save it anew as XLSX or CSV.")
    for each in rectangles:
        if each.claim_at is not None:
            struct.pack_into("<IIHH", stream, each.claim_at, 0, each.rows, 0, each.columns)
    return stream


def _sheet_starts(stream: bytearray, name: str) -> list[int]:
    """Return where the sheets' records begin, as the workbook's own say; they come first."""
    starts: list[int] = []
    for kind, start, size in _records(stream, 0, name):
        if kind == _FILE_PASS:
            raise FileLocked(f"{name} is a locked workbook.", field="file", hint="Save it without a password.")
        if kind == _DATE_MODE and stream[start]:
            raise refused(name, "counts its dates from 1904", "Save it anew as CSV.")
        if kind == _SHEET and size >= 6:
            starts.append(struct.unpack_from("<I", stream, start)[0])
    if not 0 < len(set(starts)) == len(starts) <= _SHEETS_MAX:
        raise refused(name, f"has {len(set(starts))} sheets of {len(starts)} that it names")
    return starts


def _checked_sheet(stream: bytearray, at: int, name: str, rows_max: int | None) -> Rectangle:
    """Return the rectangle of a sheet's cells. Raises: UnreadableFile."""
    rectangle = Rectangle()
    for kind, start, size in _records(stream, at, name):
        if kind == _DIMENSIONS:
            if size < 12:
                raise refused(name, "is of a kind before BIFF8", "Save it anew as XLSX or CSV.")
            rectangle.claim_at = start
        elif kind in _CELLS or kind in _MANY:
            if size < _SIZES.get(kind, 6):
                raise _damaged(name)
            row, column = _PLACE.unpack_from(stream, start)
            if rows_max is not None and row >= rows_max:
                _RECORD.pack_into(stream, start - 4, _EOF, 0)
                return rectangle
            last = struct.unpack_from("<H", stream, start + size - 2)[0] if kind in _MANY else column
            if not column <= last < 256:
                raise _damaged(name)
            rectangle.rows = max(rectangle.rows, row + 1)
            rectangle.columns = max(rectangle.columns, last + 1)
            fault = _fault(kind, stream[start : start + 14])
            if fault:
                raise refused(name, f"has {fault} in row {row + 1}", "Save it anew as CSV.")
    return rectangle


def _fault(kind: int, cell: bytes | bytearray) -> str:
    """Return why a cell's record holds no value that can be read, "" where it holds one."""
    if kind == _TRUTH_OR_ERROR and cell[7]:
        return _NO_RESULT[2]
    return _NO_RESULT.get(cell[6], "") if kind == _FORMULA and cell[12:14] == b"\xff\xff" else ""


def _records(stream: bytearray, at: int, name: str) -> Iterator[tuple[int, int, int]]:
    """Yield each record from a beginning to its end: its kind, where its content starts, the content's size."""
    position, depth = at, 0
    while position + 4 <= len(stream):
        kind, size = _RECORD.unpack_from(stream, position)
        depth += (kind == _BOF) - (kind == _EOF)
        if (position == at and kind != _BOF) or position + 4 + size > len(stream):
            break
        if depth == 0:
            return
        yield kind, position + 4, size
        position += 4 + size
    raise _damaged(name)


def _damaged(name: str) -> UnreadableFile:
    return refused(name, "is a damaged XLS workbook", "Download it anew, or save it as XLSX or CSV.")


def _workbook_stream(content: bytes, allowance: Allowance) -> bytearray:
    """Return the records of the workbook in a compound file. Raises: UnreadableFile, FileLocked."""
    try:
        with olefile.OleFileIO(io.BytesIO(content)) as compound:
            if compound.exists("EncryptedPackage"):
                raise FileLocked(
                    f"{allowance.name} is a locked workbook.", field="file", hint="Save it without a password."
                )
            if not compound.exists("Workbook"):
                raise refused(allowance.name, "holds no workbook of Excel 97 or later", "Save it as XLSX or CSV.")
            if compound.get_size("Workbook") > _STREAM_BYTES_MAX:
                raise refused(allowance.name, f"is larger than {_STREAM_BYTES_MAX >> 20} MB", "Save it as XLSX or CSV.")
            return bytearray(compound.openstream("Workbook").read())
    except UnreadableFile:
        raise
    except Exception as error:  # a damaged compound file raises whatever its numbers lead to
        raise _damaged(allowance.name) from error


def _rows(sheet: CalamineSheet, allowance: Allowance, rows_max: int | None) -> list[CellRow]:
    """Return a sheet's rows from the first one on."""
    rows: list[CellRow] = []
    if sheet.start is None:
        return rows
    for cells in islice(sheet.iter_rows(), rows_max):
        contents = [_content(cell, allowance) for cell in cells]
        while contents and contents[-1] is None:
            contents.pop()
        allowance.take(56 + 8 * len(contents))
        rows.append(tuple(contents))
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _content(cell: str | float | bool | time | date | datetime | timedelta, allowance: Allowance) -> CellValue:
    """Return what stands in a cell, None where it is empty; a whole double as a whole number."""
    if isinstance(cell, str):
        return allowance.text(cell) if cell else None
    allowance.take(32)
    if isinstance(cell, timedelta):
        return cell / timedelta(days=1)
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return int(cell)
    return cell
