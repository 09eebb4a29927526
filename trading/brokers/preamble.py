"""What stands above a table or beside it: labels with their values, titles with a period."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import islice, pairwise

from trading.brokers.cells import PlacedCell, day, text
from trading.brokers.document import CellRow, CellValue, Document, Sheet
from trading.brokers.tables import header_key, is_blank_row
from trading.brokers.values import Place

LABEL_ROWS_MAX = 60
_DAYS = re.compile(
    r"(?P<first>\d{2}-(?:\d{2}|[A-Za-z]{3})-\d{4})\s+to\s+(?P<last>\d{2}-(?:\d{2}|[A-Za-z]{3})-\d{4})", re.IGNORECASE
)
_DAY_STYLES = ("%d-%m-%Y", "%d-%b-%Y")


def labelled(document: Document, sheet: Sheet, label: str, rows_max: int | None = None) -> PlacedCell | None:
    """Return the next cell with something in it right of a label, in whichever column that stands; None where no row of
    the first ``rows_max`` has the label with something beside it."""
    for index, filled in _filled(sheet, rows_max):
        for name, cell in pairwise(filled):
            if header_key(name) == header_key(label):
                return PlacedCell(cell, " ".join(str(name).split()), Place(document.name, sheet.name, index + 1))
    return None


def labelled_text(document: Document, sheet: Sheet, label: str) -> str | None:
    """Return what stands right of a label in the first rows as text: `UCC`, then the client's code; else None."""
    cell = labelled(document, sheet, label, LABEL_ROWS_MAX)
    return None if cell is None else text(cell)


def labels(document: Document, sheet: Sheet, rows_max: int | None = None) -> Iterator[tuple[str, PlacedCell]]:
    """Yield each row's first text and the next cell that is not empty, by row; rows with one cell alone are none."""
    for index, filled in _filled(sheet, rows_max):
        if len(filled) > 1 and isinstance(filled[0], str):
            name = " ".join(filled[0].split())
            yield name, PlacedCell(filled[1], name, Place(document.name, sheet.name, index + 1))


def texts(sheet: Sheet, rows_max: int | None = None) -> Iterator[str]:
    """Yield every text of the first rows, cell by cell, blanks single."""
    for row in islice(sheet.rows, rows_max):
        yield from (" ".join(cell.split()) for cell in row if isinstance(cell, str))


def row_texts(cells: CellRow) -> list[str]:
    """Return a row's cells as texts; see `trading.brokers.cells.text`."""
    return [text(PlacedCell(cell, "", Place("", "", 0))) for cell in cells]


def has_label(sheet: Sheet, start: str) -> bool:
    """Say whether a cell among the first rows starts with a text, whatever its case."""
    rows = islice(sheet.rows, LABEL_ROWS_MAX)
    return any(cell.casefold().startswith(start.casefold()) for row in rows for cell in row_texts(row))


def period(document: Document, sheet: Sheet, label: str = "") -> tuple[date, date] | None:
    """Return the days of the first `01-07-2026 to 29-07-2026` in a row that has ``label``, day first; None where no
    row has any. Raises: UnreadableCell where such a text is no day."""
    for index, cells in enumerate(islice(sheet.rows, LABEL_ROWS_MAX)):
        row = row_texts(cells)
        match = _DAYS.search(" ".join(row))
        if match is not None and any(cell.casefold().startswith(label.casefold()) for cell in row):
            place = Place(document.name, sheet.name, index + 1)
            first, last = (day(PlacedCell(match[name], label, place), *_DAY_STYLES) for name in ("first", "last"))
            return first, last
    return None


def _filled(sheet: Sheet, rows_max: int | None) -> Iterator[tuple[int, list[CellValue]]]:
    """Yield the first rows, each with its index and the cells that have something in them."""
    for index, row in enumerate(islice(sheet.rows, rows_max)):
        yield index, [cell for cell in row if not is_blank_row([cell])]
