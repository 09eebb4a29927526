"""Workbooks as bytes, as a broker's server would write them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from openpyxl import Workbook

from trading.brokers.containers.opening import open_document
from trading.brokers.document import CellRow, Document


def xlsx_of(*sheets: tuple[str, Sequence[CellRow]]) -> bytes:
    """Return an XLSX of (name, rows)."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()


def opened(*sheets: tuple[str, Sequence[CellRow]], name: str = "book.xlsx") -> Document:
    """Return an XLSX of (name, rows), written and opened again."""
    return open_document(xlsx_of(*sheets), name)
