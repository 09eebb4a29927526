"""A workbook (XLSX) of one sheet, written row by row: numbers with every digit they have, texts that never run.

A number stands in the file as its plain decimal, as Office Open XML has it (ECMA-376, 18.3.1.96); libraries that write
workbooks make it a binary float of 16 digits first. A text that a spreadsheet could take for a formula is marked as one
that was typed behind an apostrophe, and stays as it is.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from xml.sax.saxutils import escape

from trading.domain.chain import JSON
from trading.domain.display import json_text, plain
from trading.domain.spreadsheet import is_formula
from trading.errors import InvalidValue

ROWS_MAX = 1_048_575  # of a sheet, below its head
TEXT_MAX = 32_767  # characters of a cell
_PLAIN, _HEAD, _QUOTED, _MOMENT, _DAY = range(5)  # places among the styles below
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)  # day 0 of a sheet's dates from March 1900 on
# What XML cannot hold, a return, which it would change, and what reads like such an escape.
_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_HEADER = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        'ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/worksheet" '
        f'Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        "</Relationships>"
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
        '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss.000"/>'
        '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="5"><xf xfId="0"/><xf xfId="0" fontId="1" applyFont="1"/><xf xfId="0" quotePrefix="1"/>'
        '<xf xfId="0" numFmtId="164" applyNumberFormat="1"/><xf xfId="0" numFmtId="165" applyNumberFormat="1"/>'
        "</cellXfs>"
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    ),
}


def workbook(title: str, header: Sequence[str], rows: Iterable[Sequence[JSON | Decimal | date]]) -> bytes:
    """Return a workbook of one sheet; a row at a time is in memory, and the file as it is packed.

    Decimals are numbers, times the clock of their own zone, a dict its JSON; a text of more than 32,767 characters is
    cut.

    Raises: InvalidValue for more rows than a sheet has.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as package:
        for name, text in _PARTS.items():
            package.writestr(name, _HEADER + text)
        sheets = f'<sheets><sheet name="{escape(title)}" sheetId="1" r:id="rId1"/></sheets>'
        package.writestr(
            "xl/workbook.xml", f'{_HEADER}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">{sheets}</workbook>'
        )
        with package.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            frozen = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
            view = f'<sheetViews><sheetView workbookViewId="0">{frozen}</sheetView></sheetViews>'
            head = "".join(_text(column, _HEAD) for column in header)
            sheet.write(f'{_HEADER}<worksheet xmlns="{_MAIN}">{view}<sheetData><row>{head}</row>'.encode())
            for number, row in enumerate(rows, 1):
                if number > ROWS_MAX:
                    raise InvalidValue(
                        f"A sheet has {ROWS_MAX} rows.", field="rows", hint="Narrow the list, or take it as CSV."
                    )
                sheet.write(f"<row>{''.join(map(_cell, row))}</row>".encode())
            sheet.write(b"</sheetData></worksheet>")
    return file.getvalue()


def _cell(content: JSON | Decimal | date) -> str:
    if content is None or content == "":
        return "<c/>"
    if isinstance(content, Decimal):
        return f"<c><v>{plain(content)}</v></c>"
    if isinstance(content, int | float):
        return f"<c><v>{content + 0!r}</v></c>"  # of a truth its number
    if isinstance(content, datetime):
        # To the microsecond, as the ledger has it.
        microseconds = (content.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
        return f'<c s="{_MOMENT}"><v>{plain(round(Decimal(microseconds) / 86_400_000_000, 11))}</v></c>'
    if isinstance(content, date):
        return f'<c s="{_DAY}"><v>{(content - _EPOCH.date()).days}</v></c>'
    text = json_text(content) if isinstance(content, dict | list) else str(content)
    return _text(text, _QUOTED if is_formula(text) else _PLAIN)


@lru_cache(maxsize=8192)  # most texts of a sheet stand in many rows
def _text(text: str, style: int) -> str:
    text = escape(_ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", text[:TEXT_MAX]))
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{text}</t></is></c>'
