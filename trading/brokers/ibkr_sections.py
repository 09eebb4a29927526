"""The sections of Interactive Brokers' activity statement: tables of different columns, one below the other.

Each row begins with its section's name and its kind: Header, Data, SubTotal, Total or Notes. A section may have several
headers, one for each kind of asset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trading.brokers.cells import PlacedCell, text
from trading.brokers.document import CellRow, Document
from trading.brokers.tables import SheetLine, is_blank_row, is_cut
from trading.brokers.values import Place

_NAMES_START = 2


@dataclass(frozen=True, slots=True)
class SectionLine:
    """One row that is no header: its section, its kind, and its cells by the names of the section's last header."""

    section: str
    kind: str
    cells: SheetLine

    def __getitem__(self, name: str) -> PlacedCell:
        """Return the cell of a column, an empty one where the section has no such column."""
        return self.cells.get(name)

    @property
    def place(self) -> Place:
        """Where the row stands."""
        return self.cells.place


def section_lines(document: Document) -> Iterator[SectionLine]:
    """Yield every row of a statement but headers and blank ones."""
    columns: dict[str, dict[str, int]] = {}
    for sheet in document.sheets:
        for count, row in enumerate(sheet.rows, 1):
            if is_blank_row(row):
                continue
            place = Place(document.name, sheet.name, count)
            section, kind = (_cell(row, index, place) for index in range(_NAMES_START))
            if kind == "Header":
                columns[section] = _names(row, place)
                continue
            names = columns.get(section, {})
            width = max(names.values(), default=_NAMES_START) + 1
            is_overlong = kind == "Data" and bool(names) and not is_blank_row(row[width:])
            yield SectionLine(section, kind, SheetLine(place, row, names, is_overlong, is_cut(sheet, count - 1, width)))


def fields_of(lines: list[SectionLine], section: str) -> dict[str, str]:
    """Return a section of names and contents, as `Account Information`."""
    return {
        text(line["Field Name"]): text(line["Field Value"])
        for line in lines
        if line.section == section and line.kind == "Data"
    }


def _names(row: CellRow, place: Place) -> dict[str, int]:
    names = {_cell(row, index, place): index for index in range(_NAMES_START, len(row))}
    names.pop("", None)
    return names


def _cell(row: CellRow, index: int, place: Place) -> str:
    return text(PlacedCell(row[index] if index < len(row) else None, "", place))
