"""The parts of an XLSX workbook as streams: a sheet's rows, and the texts that cells share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from trading.brokers.containers.limits import Allowance, refused
from trading.brokers.containers.markup import GuardedParser
from trading.brokers.containers.sheet_cells import column_of, local, number_of, unescaped
from trading.brokers.document import CellRow, CellValue

ROWS_MAX = 1 << 20  # of a sheet; no program writes more
COLUMNS_MAX = 1_000
_LETTERS_MAX = 100_000  # of a cell; a spreadsheet keeps 32,767
CELLS_VISITED_MAX = 2_500_000  # empty ones with a format count too: they cost time
_EMPTY_ROW: CellRow = ()


class SharedTexts:
    """The texts that cells refer to by number, parsed only as far as a cell asks for."""

    def __init__(self, chunks: Iterator[bytes], allowance: Allowance) -> None:
        self._chunks = chunks
        self._allowance = allowance
        self._texts: list[str] = []
        self._parts: list[str] = []
        self._letters = 0
        self._phonetic_depth = 0
        self._is_text = False
        self.starts = 0
        self._parser = GuardedParser(self, allowance.name)

    def at(self, number: int) -> str:
        """Return a text. Raises: UnreadableFile where the workbook has none of that number."""
        if number < 0:
            raise refused(self._allowance.name, "refers to a text by a number below 0", "Download it anew.")
        while number >= len(self._texts):
            chunk = next(self._chunks, None)
            if chunk is None:
                raise refused(self._allowance.name, "refers to a text that it does not hold", "Download it anew.")
            self._parser.feed(chunk)
        return self._texts[number]

    def start(self, tag: str, attrs: dict[str, str], /) -> None:
        """Take an element's start."""
        self.starts += 1
        name = local(tag)
        if name == "rPh":  # how a text is pronounced
            self._phonetic_depth += 1
        self._is_text = name == "t" and not self._phonetic_depth

    def end(self, tag: str, /) -> None:
        """Take an element's end."""
        name = local(tag)
        self._is_text = False
        if name == "rPh":
            self._phonetic_depth -= 1
        elif name == "si":
            self._texts.append(self._allowance.text(unescaped("".join(self._parts))))
            self._allowance.take(8)
            self._parts.clear()
            self._letters = 0

    def data(self, letters: str, /) -> None:
        """Take a text's letters. Raises: UnreadableFile where they are too many."""
        if self._is_text:
            self._letters += len(letters)
            if self._letters > _LETTERS_MAX:
                raise refused(self._allowance.name, f"has a cell of more than {_LETTERS_MAX} letters")
            self._parts.append(letters)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a DTD. Raises: UnreadableFile."""
        raise refused(self._allowance.name, "defines a document type, which no workbook needs")

    def close(self) -> None:
        """End the part."""


class SheetRows:
    """A sheet's rows as its part tells them. Raises: UnreadableFile from its methods."""

    def __init__(
        self, name: str, texts: SharedTexts, dates: frozenset[int], allowance: Allowance, rows_max: int | None
    ) -> None:
        self.rows: list[CellRow] = []
        self._name = name
        self._texts = texts
        self._dates = dates
        self._allowance = allowance
        self._rows_max = ROWS_MAX if rows_max is None else rows_max
        self._cells: list[CellValue] = []
        self._row = 0
        self._column = 0
        self._attributes: dict[str, str] = {}
        self._parts: list[str] = []
        self._letters = 0
        self._is_text = False
        self._is_phonetic = False
        self._has_formula = False
        self._cells_visited = 0
        self.starts = 0

    def is_full(self) -> bool:
        """Say whether the rows that were asked for are read."""
        return self._row > self._rows_max or len(self.rows) >= self._rows_max

    def start(self, tag: str, attrs: dict[str, str], /) -> None:
        """Take an element's start."""
        self.starts += 1
        name = local(tag)
        if name == "c":
            self._start_cell(attrs)
        elif name in ("v", "t"):
            self._is_text = not self._is_phonetic
        elif name == "f":
            self._has_formula = True
        elif name == "rPh":
            self._is_phonetic = True
        elif name == "row":
            row = int(attrs.get("r", self._row + 1))
            if not self._row < row <= ROWS_MAX:
                raise self._refused("has rows out of order")
            self._row, self._column, self._cells = row, 0, []

    def end(self, tag: str, /) -> None:
        """Take an element's end."""
        name = local(tag)
        if name == "c":
            self._end_cell()
        elif name in ("v", "t"):
            self._is_text = False
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "row" and self._cells and self._row <= self._rows_max:
            gap = self._row - 1 - len(self.rows)
            self._allowance.take(56 + 8 * (gap + 1 + len(self._cells)))
            self.rows.extend([_EMPTY_ROW] * gap)
            self.rows.append(tuple(self._cells))

    def data(self, letters: str, /) -> None:
        """Take a text's letters. Raises: UnreadableFile where they are too many."""
        if self._is_text:
            self._letters += len(letters)
            if self._letters > _LETTERS_MAX:
                raise refused(self._allowance.name, f"has a cell of more than {_LETTERS_MAX} letters")
            self._parts.append(letters)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a DTD. Raises: UnreadableFile."""
        raise refused(self._allowance.name, "defines a document type, which no workbook needs")

    def close(self) -> None:
        """End the part."""

    def _start_cell(self, attrs: dict[str, str]) -> None:
        self._cells_visited += 1
        if self._cells_visited > CELLS_VISITED_MAX:
            raise self._refused("has millions of formatted cells")
        reference = attrs.get("r")
        column = self._column + 1 if reference is None else column_of(reference)
        if not self._column < column <= COLUMNS_MAX:
            raise self._refused(f"has cells out of order or beyond column {COLUMNS_MAX} in row {self._row}")
        self._column, self._attributes, self._has_formula, self._is_text = column, attrs, False, False
        self._parts, self._letters = [], 0

    def _end_cell(self) -> None:
        letters = "".join(self._parts)
        kind = self._attributes.get("t", "n")
        if self._has_formula and not letters and kind != "str":
            raise self._refused(f"has a formula without a value in row {self._row}")
        content = self._content(kind, letters)
        if content is None:
            return
        gap = self._column - 1 - len(self._cells)
        self._cells.extend([None] * gap)
        self._cells.append(content)

    def _content(self, kind: str, letters: str) -> CellValue:
        """Return what stands in a cell, None where it is empty. A double keeps the digits that tell it apart."""
        if kind in ("inlineStr", "str", "e"):
            return self._allowance.text(unescaped(letters)) or None
        if not letters:
            return None
        if kind == "s":
            return self._texts.at(int(letters)) or None
        if kind == "b":
            return letters.strip() == "1"
        if kind == "d":
            return datetime.fromisoformat(letters.strip())
        self._allowance.take(32)
        return number_of(letters.strip(), int(self._attributes.get("s", "0")) in self._dates)

    def _refused(self, fault: str) -> Exception:
        return refused(
            self._allowance.name, f"{fault} (sheet {self._name!r})", "Save it anew as CSV with values alone."
        )
