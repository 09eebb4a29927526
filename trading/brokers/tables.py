"""Tables inside sheets: a header row somewhere below a preamble, found by its columns' names, and the rows under it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from trading.brokers.cells import PlacedCell, UnreadableCell
from trading.brokers.document import CellRow, CellValue, Document, Sheet
from trading.brokers.values import Place
from trading.errors import UnknownLayout

HEADER_ROWS_MAX = 80  # rows from the top, or from where the caller says, among which a header is looked for
_NAMES_LISTED_MAX = 12


class UnknownColumns(UnknownLayout):
    """A table whose header lacks columns, or has others than its layout; ``likeness`` is how many of a layout's columns
    stand there, above 0 where they are most of them."""

    def __init__(self, message: str, *, likeness: int) -> None:
        super().__init__(
            message, hint="Nothing was read. Download the file anew, or describe its columns in a mapping file."
        )
        self.likeness = likeness

    @classmethod
    def of(cls, where: str, kind: str, fresh: Sequence[str], missing: Sequence[str], required: int) -> UnknownColumns:
        """Return the error of a place that has ``fresh`` columns, or fields, and lacks some of those ``required``."""
        likeness = required - len(missing)
        return cls(
            f"Unknown layout of {where}: new {kind} {_listed(fresh)}; missing {kind} {_listed(missing)}.",
            likeness=likeness if likeness > len(missing) else 0,
        )


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One row under a header. ``line["Price"]`` is its cell by the column's name, empty where the row ends before it.

    ``is_overlong``: cells stand beyond the header's last column, as where a name holds an unquoted comma; no cell of
    such a row is to be trusted, so that asking for one raises UnreadableCell. ``is_cut``: the file ends within the row,
    so that its last cell and those behind raise, too.
    """

    place: Place
    cells: CellRow
    columns: Mapping[str, int]
    is_overlong: bool
    is_cut: bool

    def __getitem__(self, name: str) -> PlacedCell:
        if self.is_overlong:
            raise UnreadableCell("the row has more cells than its header", place=self.place, column=name)
        index = self.columns[name]
        if self.is_cut and index >= len(self.cells) - 1:
            raise UnreadableCell("the file ends within this row", place=self.place, column=name)
        return PlacedCell(self.cells[index] if index < len(self.cells) else None, name, self.place)

    def get(self, name: str) -> PlacedCell:
        """Return the cell of a column that the file may lack; empty where it does."""
        return self[name] if name in self.columns else PlacedCell(None, name, self.place)


@dataclass(frozen=True, slots=True)
class SheetTable:
    """A header and the rows under it. ``columns`` are names as the caller writes them, then all others as the file
    does; one without a name is called `#9` by its number from 1, a repeated one `Date #2`."""

    file: str
    sheet: Sheet
    header_index: int
    columns: Mapping[str, int]

    def lines(self, start: int | None = None) -> Iterator[SheetLine]:
        """Yield every row under the header, or from index ``start`` on, that is not blank, to the end of the sheet."""
        width = max(self.columns.values()) + 1
        first = self.header_index + 1 if start is None else start
        for index, cells in enumerate(islice(self.sheet.rows, first, None), first):
            if is_blank_row(cells):
                continue
            overlong = not is_blank_row(cells[width:])
            place = Place(self.file, self.sheet.name, index + 1)
            yield SheetLine(place, cells, self.columns, overlong, is_cut(self.sheet, index, width))


@lru_cache(maxsize=4096, typed=True)  # every format asks the same rows
def header_key(cell: CellValue) -> str:
    """Return a column's name as it is compared: without case, its blanks and line breaks single."""
    return " ".join(str(cell).split()).casefold() if cell is not None else ""


def is_blank_row(cells: Sequence[CellValue]) -> bool:
    """Say whether a row has nothing but blanks in it."""
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells)


def is_cut(sheet: Sheet, index: int, width: int) -> bool:
    """Say whether a file ends within a row under a header of this width; a footer's single cell is no such row."""
    return sheet.is_unended and index == len(sheet.rows) - 1 and 1 < len(sheet.rows[index]) < width


def is_header(cells: CellRow, required: Collection[str]) -> bool:
    """Say whether a row has all these names."""
    return {header_key(name) for name in required} <= {header_key(cell) for cell in cells}


def find_header(sheet: Sheet, required: Collection[str], *, start: int = 0) -> int | None:
    """Return the index of the first row that has all required names, None where none has; for `matches`."""
    wanted = {header_key(name) for name in required}
    for index, cells in enumerate(islice(sheet.rows, start, start + HEADER_ROWS_MAX), start):
        if wanted <= {header_key(cell) for cell in cells}:
            return index
    return None


def has_header(head: Document, required: Collection[str]) -> bool:
    """Say whether a sheet of a file's head has a row with all these names; for `matches`."""
    return any(find_header(sheet, required) is not None for sheet in head.sheets)


def has_only(header: CellRow, names: Collection[str]) -> bool:
    """Say whether a header has no other columns than these; those without a name are free."""
    return {header_key(cell) for cell in header} <= {header_key(name) for name in names} | {""}


def sheet_with(document: Document, required: Collection[str]) -> Sheet:
    """Return the first sheet that has a header with these names. Raises: UnknownLayout where none has."""
    for sheet in document.sheets:
        if find_header(sheet, required) is not None:
            return sheet
    wanted = {header_key(name) for name in required}
    rows = [(sheet, _nearest(sheet, required, 0)) for sheet in document.sheets or (Sheet("", []),)]
    sheet, header = max(rows, key=lambda row: len(wanted & {header_key(cell) for cell in row[1]}))
    raise _unknown(document, sheet, required, (), header)


def find_table(
    document: Document,
    sheet: Sheet,
    required: Collection[str],
    *,
    optional: Collection[str] = (),
    is_exact: bool = False,
    start: int = 0,
) -> SheetTable:
    """Return the table whose header has the required names. ``is_exact``: no others than these and the optional ones.

    Raises: UnknownLayout, which names the columns that are new and those that are missing.
    """
    index = find_header(sheet, required, start=start)
    if index is None:
        raise _unknown(document, sheet, required, optional, _nearest(sheet, required, start))
    names = (*required, *optional)
    if is_exact and not has_only(sheet.rows[index], names):
        raise _unknown(document, sheet, required, optional, sheet.rows[index])
    return SheetTable(document.name, sheet, index, _columns(sheet.rows[index], names))


def _columns(header: CellRow, names: Collection[str]) -> dict[str, int]:
    """Return each column's index by its name."""
    spelled = {header_key(name): name for name in names}
    columns: dict[str, int] = {}
    last = max((index for index, cell in enumerate(header) if header_key(cell)), default=-1)
    for index, cell in enumerate(header[: last + 1]):
        key = header_key(cell)
        name = spelled.get(key, " ".join(str(cell).split())) if key else f"#{index + 1}"
        unique, count = name, 1
        while unique in columns:
            count += 1
            unique = f"{name} #{count}"
        columns[unique] = index
    return columns


def _nearest(sheet: Sheet, required: Collection[str], start: int) -> CellRow:
    """Return the row that has most of the names; an empty one where none has any."""
    wanted = {header_key(name) for name in required}
    rows = [(), *islice(sheet.rows, start, start + HEADER_ROWS_MAX)]
    return max(rows, key=lambda cells: len(wanted & {header_key(cell) for cell in cells}))


def _unknown(
    document: Document, sheet: Sheet, required: Collection[str], optional: Collection[str], header: CellRow
) -> UnknownColumns:
    spelled_by_key = {header_key(cell): " ".join(str(cell).split()) for cell in header if header_key(cell)}
    missing = [name for name in required if header_key(name) not in spelled_by_key]
    expected = {header_key(name) for name in (*required, *optional)}
    fresh = [name for key, name in spelled_by_key.items() if key not in expected]
    where = f"{document.name}{f', sheet {sheet.name!r}' if sheet.name else ''}"
    return UnknownColumns.of(where, "columns", fresh, missing, len(required))


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(repr(name[:60]) for name in names[:_NAMES_LISTED_MAX])
    rest = len(names) - _NAMES_LISTED_MAX
    return (listed or "none") + (f" and {rest} others" if rest > 0 else "")
