"""What stands above a table or beside it: labels with their values, titles with a period."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from trading.brokers.cells import PlacedCell
from trading.brokers.document import Document, Sheet
from trading.brokers.tables import header_key, is_blank_row
from trading.brokers.values import Place


def labelled(document: Document, sheet: Sheet, label: str, rows_max: int | None = None) -> PlacedCell | None:
    """Return the cell right of a label, in whichever column that stands; None where no row of the first ``rows_max``
    has the label with something beside it."""
    for name, cell in labels(document, sheet, rows_max):
        if header_key(name) == header_key(label):
            return cell
    return None


def labels(document: Document, sheet: Sheet, rows_max: int | None = None) -> Iterator[tuple[str, PlacedCell]]:
    """Yield each row's first text and the next cell that is not empty, by row; rows with one cell alone are none."""
    for index, row in enumerate(islice(sheet.rows, rows_max)):
        filled = [cell for cell in row if not is_blank_row([cell])]
        if len(filled) > 1 and isinstance(filled[0], str):
            name = " ".join(filled[0].split())
            yield name, PlacedCell(filled[1], name, Place(document.name, sheet.name, index + 1))


def texts(sheet: Sheet, rows_max: int | None = None) -> Iterator[str]:
    """Yield every text of the first rows, cell by cell, blanks single."""
    for row in islice(sheet.rows, rows_max):
        yield from (" ".join(cell.split()) for cell in row if isinstance(cell, str))
