"""Workbooks for tests: whole ones by the writers of other people, broken ones by hand."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time

import openpyxl
import xlwt

TestCell = str | int | float | bool | date | datetime | time | None
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def xlsx(sheets: Mapping[str, Sequence[Sequence[TestCell]]]) -> bytes:
    """Return an XLSX workbook of these rows."""
    book = openpyxl.Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xls(sheets: Mapping[str, Sequence[Sequence[TestCell]]]) -> bytes:
    """Return an XLS workbook of these rows."""
    styles = {
        datetime: xlwt.easyxf(num_format_str="DD-MM-YYYY HH:MM:SS"),
        date: xlwt.easyxf(num_format_str="DD-MM-YYYY"),
        time: xlwt.easyxf(num_format_str="HH:MM:SS"),
    }
    book = xlwt.Workbook()
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for number, row in enumerate(rows):
            for column, content in enumerate(row):
                if content is not None:
                    sheet.write(number, column, content, styles.get(type(content), xlwt.Style.default_style))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xlsx_by_hand(
    rows: str | bytes = "",
    *,
    texts: str | bytes = "",
    styles: str | bytes = "",
    book: str = "",
    parts: Mapping[str, str | bytes] | None = None,
    before_root: str = "",
) -> bytes:
    """Return an XLSX whose one sheet has this XML between the tags of its data; ``parts`` replace whole parts."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>{before_root}'
    wrapped = {
        "_rels/.rels": f'{head}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{head}<workbook xmlns="{NAMESPACE}" xmlns:r="{_RELATIONS}">{book}'
        '<sheets><sheet name="Trades" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{head}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{_RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
        f'<Relationship Id="r3" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": _wrapped(head, "worksheet", b"<sheetData>", rows, b"</sheetData>"),
        "xl/sharedStrings.xml": _wrapped(head, "sst", b"", texts, b""),
        "xl/styles.xml": _wrapped(head, "styleSheet", b"", styles, b""),
    }
    return archive({**wrapped, **(parts or {})})


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP of these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path, part in parts.items():
            packed.writestr(path, part)
    return out.getvalue()


def biff_records(stream: bytes) -> list[tuple[int, int, int]]:
    """Return each record of an XLS workbook's stream: kind, where its content starts, size."""
    position, records = 0, []
    while position + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, position)
        if kind == 0:
            break
        records.append((kind, position + 4, size))
        position += 4 + size
    return records


def _wrapped(head: str, root: str, before: bytes, inner: str | bytes, after: bytes) -> bytes:
    content = inner.encode() if isinstance(inner, str) else inner
    return f'{head}<{root} xmlns="{NAMESPACE}">'.encode() + before + content + after + f"</{root}>".encode()
