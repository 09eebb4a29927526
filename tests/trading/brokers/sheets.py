"""Files of brokers as tests write them: a CSV's text as `Document`, and sheets from rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from decimal import Decimal
from io import StringIO

from trading.brokers.document import CellRow, Document, Sheet

SHA256 = "0" * 64


def csv_document(content: str, name: str = "report.csv") -> Document:
    """Return a CSV as the containers open it: one sheet, every cell a text."""
    return Document(name, SHA256, "csv", sheets=(Sheet("", [tuple(row) for row in csv.reader(StringIO(content))]),))


def sheet_document(*sheets: tuple[str, Sequence[CellRow]], container: str = "xlsx") -> Document:
    """Return a workbook of (name, rows)."""
    opened = tuple(Sheet(name, rows) for name, rows in sheets)
    return Document(f"book.{container}", SHA256, container, opened, sheet_names=tuple(sheet.name for sheet in opened))


def pdf_document(content: str, name: str = "note.pdf") -> Document:
    """Return a PDF's text, line by line."""
    return Document(name, SHA256, "pdf", lines=tuple(content.splitlines()))


def decimals(*numbers: str) -> list[Decimal]:
    """Return exact numbers."""
    return [Decimal(number) for number in numbers]
