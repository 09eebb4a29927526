"""Text in columns: CSV with comma, semicolon, tab or bar, in UTF-8, UTF-16 or Windows-1252."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import islice, repeat

from trading.brokers.containers.limits import Allowance, refused
from trading.brokers.document import CellRow, Sheet
from trading.brokers.packed import packed_texts

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_ROWS = 60
_CELLS_MAX = 1_000  # of one row
_LINE_MAX = 1 << 20
_CHUNK = 1 << 20
_EMPTY_ROW: CellRow = ()


def decoding_of(content: bytes, name: str) -> str:
    """Return the encoding that reads the whole file. Raises: UnreadableFile where it is no text."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\0" in content[:2]:  # UTF-16 without its mark: a letter is a byte and a zero, or the other way
        encodings = ["utf-16-be" if content[0] == 0 else "utf-16-le"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        if _decodes(content, encoding):
            return encoding
    raise refused(name, "is neither a text, a workbook nor a PDF", "Download it anew.")


def read_separated(content: bytes, encoding: str, allowance: Allowance, rows_max: int | None) -> tuple[str, Sheet]:
    """Return a CSV's delimiter, as its first rows tell it, and its rows as a sheet without a name.

    Raises: UnreadableFile, with the line.
    """
    hinted = _hinted_delimiter(content, encoding)
    delimiter = hinted or _delimiter_of(content, encoding, allowance.name)
    rows, blank = packed_texts(), 0
    for number, cells in enumerate(islice(_rows(content, encoding, delimiter, allowance.name), rows_max), 1):
        if not any(cells) or (hinted and number == 1):
            blank += 1
            continue
        rows.extend(repeat(_EMPTY_ROW, blank))
        allowance.take(8 * blank + 56 + 8 * len(cells))
        blank = 0
        rows.append(tuple(allowance.text(_plain(cell, number, allowance.name)) for cell in cells))
    end = content.rstrip(b"\0")[-1:]  # of UTF-16, too
    return delimiter, Sheet("", rows, is_unended=not blank and end not in (b"\n", b"\r"))


def _decodes(content: bytes, encoding: str) -> bool:
    """Say whether all of a file is text in an encoding; in pieces, since its text can be four times as large."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), _CHUNK):
            text = decoder.decode(content[start : start + _CHUNK], final=start + _CHUNK >= len(content))
            if "\0" in text:
                return False
    except UnicodeError:
        return False
    return True


def _lines(content: bytes, encoding: str, name: str) -> Iterator[str]:
    stream = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
    while line := stream.readline(_LINE_MAX):
        if len(line) == _LINE_MAX:
            raise refused(name, "is no table: a line has a million letters")
        yield line


def _rows(content: bytes, encoding: str, delimiter: str, name: str) -> Iterator[list[str]]:
    reader = csv.reader(_lines(content, encoding, name), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if len(cells) > _CELLS_MAX:
                raise refused(name, f"has more than {_CELLS_MAX} cells in line {reader.line_num}")
            yield cells
    except csv.Error as error:
        hint = "It may be cut off: download it anew."
        raise refused(name, f"cannot be read as a CSV in line {reader.line_num} ({error})", hint) from error


def _plain(cell: str, row: int, name: str) -> str:
    """Return a cell's text, that of `="123"` too, by which brokers keep a spreadsheet from ruining an id."""
    if not cell.startswith("="):
        return cell
    if len(cell) > 3 and cell.startswith('="') and cell.endswith('"') and '"' not in cell[2:-1]:
        return cell[2:-1]
    if cell.strip("= "):
        raise refused(name, f"has a formula without a value in row {row}", "Save it with values in place of formulas.")
    return cell


def _hinted_delimiter(content: bytes, encoding: str) -> str | None:
    """Return what a first line `sep=;` says, which spreadsheets obey."""
    first = content[:64].decode(encoding, errors="ignore").lstrip("\ufeff").splitlines()[:1]
    if first and first[0].lower().startswith("sep=") and len(first[0]) == 5:
        return first[0][4]
    return None


def _delimiter_of(content: bytes, encoding: str, name: str) -> str:
    """Return the delimiter by which most of the first rows have the same number of columns."""
    scores = {delimiter: _score(content, encoding, delimiter, name) for delimiter in _DELIMITERS}
    return max(scores, key=lambda delimiter: scores[delimiter])


def _score(content: bytes, encoding: str, delimiter: str, name: str) -> int:
    """Return how many cells stand in rows of the commonest width, doubled where a header without digits is of it: the
    commas of `1,5;2,5` divide rows evenly too, but no header."""
    widths: Counter[int] = Counter()
    header_widths: set[int] = set()
    try:
        for cells in islice(csv.reader(_lines(content, encoding, name), delimiter=delimiter), _SAMPLE_ROWS):
            if len(cells) > 1:
                widths[len(cells)] += 1
                if not any(letter.isdigit() for cell in cells for letter in cell):
                    header_widths.add(len(cells))
    except csv.Error:
        return 0
    scores = (count * (width - 1) * (1 + (width in header_widths)) for width, count in widths.items())
    return max(scores, default=0)
