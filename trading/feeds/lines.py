"""From bytes to cells: physical lines, numbered, each a row. A quoted cell may hold commas, never a line break.

Lines that are plainly `a,b,c` go to Arrow in one piece; a line with a quote, a NUL, a byte beyond ASCII or another
number of commas is read by itself, so that one torn line costs no other.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from timeseries.measurements import IntArray, Mask
from trading.errors import VeloxError

GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
NEWLINE, RETURN, COMMA, QUOTE = b'\n\r,"'
SHOWN_MAX = 4096  # characters of a rejected line that are kept
GZIP_WBITS = 31  # zlib's word for: a gzip header and checksum
BLOCK = 1 << 26  # more than any line: Arrow reads a line within one or two blocks


class UnusableFile(VeloxError):
    """A file that is no feed at all: missing, without a header that is understood, or damaged throughout."""

    code = "unusable_file"


@dataclass(frozen=True, slots=True)
class FileLines:
    """A file's lines that are not empty: ``number`` from 1, ``start`` and ``stop`` in ``content``, without the break.

    ``is_torn``: the file ends within its last line.
    """

    content: bytes
    number: IntArray
    start: IntArray
    stop: IntArray
    is_torn: bool = False

    def __len__(self) -> int:
        return len(self.number)

    def raw(self, index: int) -> bytes:
        """Return the bytes of a line."""
        return self.content[self.start[index] : self.stop[index]]

    def printable(self, index: int) -> str:
        """Return a line as a rejects file may hold it: bytes that are no text as \\x.., cut when it is huge."""
        text = self.raw(index).decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"

    def after_header(self) -> FileLines:
        """Return the lines without the first."""
        return FileLines(self.content, self.number[1:], self.start[1:], self.stop[1:], self.is_torn)


@dataclass(frozen=True, slots=True)
class Cells:
    """Columns of text, trimmed, one entry per line; ``is_row`` is False where a line is no row."""

    columns: dict[str, pa.Array]  # of text
    is_row: Mask


def read_lines(path: Path) -> FileLines:
    """Return the lines of a file, plain or gzipped as its content tells, not its name.

    Raises: UnusableFile.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror}.", field="file") from error
    is_torn = False
    if content.startswith(GZIP_MAGIC):
        content, is_torn = _decompressed(path, content)
    content = content.removeprefix(BOM)
    octets = np.frombuffer(content, dtype=np.uint8)
    stop = np.flatnonzero(octets == NEWLINE).astype(np.int64)
    has_break = not content or content.endswith(b"\n")
    if not has_break or is_torn:  # the line at which a torn file ends counts, even when nothing is left of it
        stop = np.append(stop, len(content))
    start = np.concatenate([np.zeros(1, np.int64), stop[:-1] + 1]) if len(stop) else stop
    if len(octets):
        returned = (stop > start) & (octets[np.maximum(stop - 1, 0)] == RETURN)
        stop = stop - returned
    keep = stop > start
    short = np.flatnonzero(keep & (stop - start <= 16))  # a line of blanks is as empty as none
    keep[short] = [bool(content[start[index] : stop[index]].strip(b" \t")) for index in short]
    if is_torn:
        keep[-1] = True
    number = np.arange(1, len(stop) + 1, dtype=np.int64)
    return FileLines(content, number[keep], start[keep], stop[keep], is_torn)


def split_line(raw: bytes) -> list[str] | None:
    """Return the trimmed cells of one line, None when it is no row; bytes that are no UTF-8 become U+FFFD."""
    if b"\0" in raw:
        return None
    try:
        cells = next(csv.reader([raw.decode("utf-8", "replace")], strict=True, skipinitialspace=True), [])
    except csv.Error:  # a quote that does not end, or a cell beyond any reason
        return None
    return [cell.strip(" \t") for cell in cells]


def read_cells(lines: FileLines, header: Sequence[str], wanted: Sequence[str]) -> Cells:
    """Return the wanted columns of all lines; ``header`` names every column of the file."""
    plain = _is_plain(lines, commas=len(header) - 1)
    others = np.flatnonzero(~plain)
    rows = [split_line(lines.raw(index)) for index in others.tolist()]
    whole = [row if row is not None and len(row) == len(header) else None for row in rows]
    if lines.is_torn:
        whole[-1] = None  # what is left of it may read like a row: 94291 of 9429114
    is_row = plain.copy()
    is_row[others] = [row is not None for row in whole]
    back = np.argsort(np.concatenate([np.flatnonzero(plain), others]))
    fast = _plain_columns(lines, plain, header, wanted)
    columns = {}
    for name in wanted:
        place = header.index(name)
        slow = pa.array([row[place] if row else "" for row in whole], pa.string())
        columns[name] = pa.concat_arrays([fast[name], slow]).take(pa.array(back)) if len(others) else fast[name]
    return Cells(columns, is_row)


def _decompressed(path: Path, content: bytes) -> tuple[bytes, bool]:
    """Return what a gzip file holds, and whether it ends too early: a recorder that was killed leaves such files."""
    pieces = []
    while content.startswith(GZIP_MAGIC):  # a file may be several, one after the other
        member = zlib.decompressobj(wbits=GZIP_WBITS)
        try:
            pieces.append(member.decompress(content))
        except zlib.error as error:
            # Its checksum is wrong: any of its bytes may be, so none of its rows can be taken for true.
            raise UnusableFile(f"{path} is a damaged gzip file ({error}).", field="file") from error
        if not member.eof:
            return b"".join(pieces), True
        content = member.unused_data.lstrip(b"\0")
    if content:
        raise UnusableFile(f"{path} is a damaged gzip file: something else follows it.", field="file")
    return b"".join(pieces), False


def _is_plain(lines: FileLines, *, commas: int) -> Mask:
    """Tell which lines have just so many commas and nothing that Arrow would read otherwise."""
    if not len(lines):
        return np.zeros(0, dtype=bool)
    octets = np.frombuffer(lines.content, dtype=np.uint8)
    odd = (octets == QUOTE) | (octets == 0) | (octets > 127) | (octets == RETURN)
    plain = np.ones(len(lines), dtype=bool)
    for marks, wanted in ((octets == COMMA, commas), (odd, 0)):
        places = np.flatnonzero(marks)
        plain &= np.searchsorted(places, lines.stop) - np.searchsorted(places, lines.start) == wanted
    if lines.is_torn:
        plain[-1] = False
    return plain


def _plain_columns(lines: FileLines, plain: Mask, header: Sequence[str], wanted: Sequence[str]) -> dict[str, pa.Array]:
    """Return the wanted columns of the plain lines, which Arrow reads in one piece."""
    if not plain.any():
        return {name: pa.array([], pa.string()) for name in wanted}
    if plain.all() and lines.number[-1] - lines.number[0] + 1 == len(lines):
        joined = lines.content[lines.start[0] : lines.stop[-1]]
    else:
        joined = b"\n".join(lines.raw(index) for index in np.flatnonzero(plain).tolist())
    numbers = [str(number) for number in range(len(header))]  # a file may name two columns alike
    places = [str(header.index(name)) for name in wanted]
    table = pa.csv.read_csv(
        pa.py_buffer(joined),
        read_options=pa.csv.ReadOptions(column_names=numbers, use_threads=False, block_size=BLOCK),
        parse_options=pa.csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(numbers, pa.string()), include_columns=places, strings_can_be_null=False
        ),
    )
    trimmed = (pc.utf8_trim(table.column(place).combine_chunks(), " \t") for place in places)
    return dict(zip(wanted, trimmed, strict=True))
