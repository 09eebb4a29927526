"""From bytes to cells: physical lines, numbered, each a row. A quoted cell may hold commas, never a line break.

Lines that are plainly `a,b,c` go to Arrow in one piece; a line with a quote, a NUL, a byte beyond ASCII or another
number of commas is read by itself, so that one torn line costs no other.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from timeseries.measurements import IntArray, Mask
from trading.errors import VeloxError
from trading.feeds.texts import BLANKS, trimmed

GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
NEWLINE, RETURN, COMMA, QUOTE = b'\n\r,"'
ODD = (b'"', b"\0", b"\r")  # and what is beyond ASCII: Arrow would read it otherwise
SHOWN_MAX = 4096  # characters of a rejected line that are kept
GZIP_WBITS = 31  # zlib's word for: a gzip header and checksum
LINE_MAX = 1 << 26  # bytes: no line is longer
BLOCK_BYTES = 1 << 20  # of a file that are read together: with twice as many less stays in the processor's cache


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


def read_blocks(path: Path) -> Iterator[FileLines]:
    """Yield the lines of a file, about `BLOCK_BYTES` at a time, plain or gzipped as its content tells, not its name.

    Raises: UnusableFile.
    """
    rest, number, is_torn = b"", 1, False
    for octets, is_torn in _pieces(path, BLOCK_BYTES):  # noqa: B007 (the last one's counts)
        content = rest + octets
        end = content.rfind(b"\n") + 1
        rest = content[end:]
        if len(rest) > LINE_MAX:
            raise UnusableFile(f"{path} has a line of more than {LINE_MAX >> 20} MB: it is no feed.", field="file")
        if end:
            yield _lines_of(content[:end], number)
            number += int(np.count_nonzero(np.frombuffer(content, np.uint8, count=end) == NEWLINE))
    if rest or is_torn:  # the line at which a torn file ends counts, even when nothing is left of it
        yield _lines_of(rest, number, is_end=True, is_torn=is_torn)


def _lines_of(content: bytes, number: int, *, is_end: bool = False, is_torn: bool = False) -> FileLines:
    """Return the lines of a block, the first of which has this ``number``; only at the end one may lack its break."""
    content = content.removeprefix(BOM) if number == 1 else content
    octets = np.frombuffer(content, dtype=np.uint8)
    stop = np.flatnonzero(octets == NEWLINE).astype(np.int64)
    stop = np.append(stop, len(content)) if is_end else stop
    start = np.concatenate([np.zeros(1, np.int64), stop[:-1] + 1])
    numbers = np.arange(number, number + len(stop), dtype=np.int64)
    if len(octets):
        stop = stop - ((stop > start) & (octets[np.maximum(stop - 1, 0)] == RETURN))
    keep = stop > start
    short = np.flatnonzero(keep & (stop - start <= 16))  # a line of blanks is as empty as none
    keep[short] = [bool(content[start[index] : stop[index]].strip(BLANKS.encode())) for index in short]
    if is_torn:
        keep[-1] = True
    return FileLines(content, numbers[keep], start[keep], stop[keep], is_torn)


def _pieces(path: Path, size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield what a file holds, piece by piece, and whether it ends with the piece, too early. Raises: UnusableFile."""
    try:
        with path.open("rb") as file:
            octets = file.read(max(size, len(GZIP_MAGIC)))
            if octets.startswith(GZIP_MAGIC):
                yield from _decompressed(path, file, octets, size)
                return
            while octets:
                yield octets, False
                octets = file.read(size)
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror}.", field="file") from error


def split_line(raw: bytes) -> list[str] | None:
    """Return the trimmed cells of one line, None when it is no row; bytes that are no UTF-8 become U+FFFD."""
    if b"\0" in raw:
        return None
    try:
        cells = next(csv.reader([raw.decode("utf-8", "replace")], strict=True, skipinitialspace=True), [])
    except csv.Error:  # a quote that does not end, or a cell beyond any reason
        return None
    return [cell.strip(BLANKS) for cell in cells]


def read_cells(lines: FileLines, header: Sequence[str], wanted: Sequence[str]) -> Cells:
    """Return the wanted columns of all lines; ``header`` names every column of the file."""
    plain = _is_plain(lines, commas=len(header) - 1)
    others = np.flatnonzero(~plain)
    rows = [split_line(lines.raw(index)) for index in others.tolist()]
    whole = [row if row is not None and len(row) == len(header) else None for row in rows]
    if lines.is_torn and whole:
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


def _decompressed(path: Path, file: BinaryIO, packed: bytes, size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield what a gzip file holds, of which ``packed`` has been read; it may be several, one after the other."""
    member = zlib.decompressobj(wbits=GZIP_WBITS)
    while True:
        packed = packed or file.read(size)
        if member.eof:
            if not packed:
                return
            packed = packed.lstrip(b"\0")  # what a recorder has reserved may follow, and then another file
            if packed:
                packed += file.read(1) if len(packed) == 1 else b""
                if not packed.startswith(GZIP_MAGIC):
                    raise UnusableFile(f"{path} is a damaged gzip file: something else follows it.", field="file")
                member = zlib.decompressobj(wbits=GZIP_WBITS)
            continue
        try:
            octets = member.decompress(packed, size) if packed else member.flush()
        except zlib.error as error:
            # Its checksum is wrong: any of its bytes may be, so none of its rows can be taken for true.
            raise UnusableFile(f"{path} is a damaged gzip file ({error}).", field="file") from error
        is_torn = not packed and not member.eof  # a recorder that was killed leaves such files
        packed = member.unused_data if member.eof else member.unconsumed_tail
        yield octets, is_torn
        if is_torn:
            return


def _is_plain(lines: FileLines, *, commas: int) -> Mask:
    """Tell which lines have just so many commas and nothing that Arrow would read otherwise."""
    if not len(lines):
        return np.zeros(0, dtype=bool)
    octets = np.frombuffer(lines.content, dtype=np.uint8)
    plain = _hold(lines, octets == COMMA, commas)
    if not lines.content.isascii() or any(mark in lines.content for mark in ODD):
        plain &= _hold(lines, (octets == QUOTE) | (octets == 0) | (octets > 127) | (octets == RETURN), 0)
    if lines.is_torn:
        plain[-1] = False
    return plain


def _hold(lines: FileLines, marks: Mask, count: int) -> Mask:
    """Tell which lines hold just so many of the bytes that are marked."""
    first, last = lines.start[0], lines.stop[-1]
    places = first + np.flatnonzero(marks[first:last])
    if count and len(places) == count * len(lines):
        of_lines = places.reshape(len(lines), count)
        if (of_lines[:, 0] >= lines.start).all() and (of_lines[:, -1] < lines.stop).all():
            return np.ones(len(lines), dtype=bool)
    return np.asarray(np.searchsorted(places, lines.stop) - np.searchsorted(places, lines.start) == count)


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
        read_options=pa.csv.ReadOptions(column_names=numbers, use_threads=False, block_size=len(joined) + 1),
        parse_options=pa.csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(numbers, pa.string()), include_columns=places, strings_can_be_null=False
        ),
    )
    columns = map(table.column, places)
    cells = (column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in columns)
    return {name: trimmed(column) for name, column in zip(wanted, cells, strict=True)}
