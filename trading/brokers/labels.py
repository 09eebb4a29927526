"""What stands above a report's table: labels with their values, and the period that a title tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import islice

from trading.brokers.cells import PlacedCell, day, text
from trading.brokers.document import CellRow, Document, Sheet
from trading.brokers.values import Place

LABEL_ROWS_MAX = 60
_DAYS = re.compile(
    r"(?P<first>\d{2}-(?:\d{2}|[A-Za-z]{3})-\d{4})\s+to\s+(?P<last>\d{2}-(?:\d{2}|[A-Za-z]{3})-\d{4})", re.IGNORECASE
)
_DAY_STYLES = ("%d-%m-%Y", "%d-%b-%Y")


def texts(cells: CellRow) -> list[str]:
    """Return a row's cells as texts; see `trading.brokers.cells.text`."""
    return [text(PlacedCell(cell, "", Place("", "", 0))) for cell in cells]


def has_label(sheet: Sheet, start: str) -> bool:
    """Say whether a cell among the first rows starts with a text, whatever its case."""
    return any(cell.casefold().startswith(start.casefold()) for _, row in _labelled(sheet) for cell in row)


def labelled(sheet: Sheet, label: str) -> str | None:
    """Return the text behind a label in its row, None where it has none: `UCC`, then the client's code."""
    for _, row in _labelled(sheet):
        for index, cell in enumerate(row):
            if cell.casefold() == label.casefold():
                return next(filter(None, row[index + 1 :]), None)
    return None


def period(document: Document, sheet: Sheet, label: str = "") -> tuple[date, date] | None:
    """Return the days of the first `01-07-2026 to 29-07-2026` in a row that has ``label``, day first; None where no
    row has any. Raises: UnreadableCell where such a text is no day."""
    for index, row in _labelled(sheet):
        match = _DAYS.search(" ".join(row))
        if match is not None and any(cell.casefold().startswith(label.casefold()) for cell in row):
            place = Place(document.name, sheet.name, index + 1)
            first, last = (day(PlacedCell(match[name], label, place), *_DAY_STYLES) for name in ("first", "last"))
            return first, last
    return None


def _labelled(sheet: Sheet) -> list[tuple[int, list[str]]]:
    rows: Sequence[CellRow] = list(islice(sheet.rows, LABEL_ROWS_MAX))
    return [(index, texts(row)) for index, row in enumerate(rows)]
