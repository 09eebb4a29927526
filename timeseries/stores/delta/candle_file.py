"""One file of kept candles: a block of rows per series, found by an index, each with its checksum.

Little-endian::

    magic VELOXCND · length of the index u32 · CRC of the index u32
    index   JSON: counted {day: token}, columns [name, ...] of `ROW`,
            series [[account, source, symbol, rows, size, CRC], ...] in the blocks' order
    blocks  zstd of the series' rows, `ROW` after `ROW`

Only what is read is checked. Its rows are counted from ticks, so a file that is not whole is no loss: it counts as
absent, and is counted again.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from timeseries.measurements import MINUTES, Kind
from timeseries.spool import durable

MAGIC = b"VELOXCND"
HEADER = struct.Struct("<8sII")
# A row of a series: the candle's start (ns UTC) and the fields of `MINUTES`; NaN for absent.
ROW = np.dtype([("time", "<i8"), *((f.name, "<i8" if f.kind is Kind.INTEGER else "<f8") for f in MINUTES.fields)])
CandleRows = npt.NDArray[np.void]  # of `ROW`
# Those of a file that does not tell its columns; one of other columns than `ROW`'s counts as absent.
FIRST_COLUMNS = ["time", "open", "high", "low", "close", "volume", "day_volume", "ticks", "first_time"]
INDEXES_MAX = 1024  # indexes that a process remembers: the days of some years


class NotWhole(Exception):
    """The file, or the block that was wanted, is not what was written."""


class SeriesName(NamedTuple):
    """Whose candles a block holds."""

    account: str
    source: str
    symbol: str


class Block(NamedTuple):
    """Where a series' rows lie in the file, in bytes from its start, and the CRC-32 of these bytes."""

    rows: int
    offset: int
    size: int
    checksum: int


@dataclass(frozen=True)
class CandleFile:
    """The index of one file. ``counted`` tells of each day from which state of its ticks it was counted."""

    path: Path
    counted: Mapping[date, str]
    blocks: Mapping[SeriesName, Block]

    def read(self, account: str, symbols: Sequence[str], source: str | None) -> Iterator[tuple[SeriesName, CandleRows]]:
        """Yield the rows of these symbols, of one source or (None) of each. Raises: NotWhole, OSError."""
        wanted = [
            SeriesName(account, name, symbol)
            for symbol in symbols
            for name in self.sources.get((account, symbol), ())
            if source is None or name == source
        ]
        if not wanted:
            return
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for series in wanted:
                block = self.blocks[series]
                packed = os.pread(descriptor, block.size, block.offset)
                if len(packed) != block.size or zlib.crc32(packed) != block.checksum:
                    raise NotWhole(f"{self.path.name}: the candles of {series.symbol} are damaged.")
                yield series, np.frombuffer(pa.decompress(packed, block.rows * ROW.itemsize, "zstd"), ROW)
        finally:
            os.close(descriptor)

    @cached_property
    def sources(self) -> dict[tuple[str, str], list[str]]:
        """The sources of each account and symbol that the file has rows of."""
        names: dict[tuple[str, str], list[str]] = {}
        for account, source, symbol in self.blocks:
            names.setdefault((account, symbol), []).append(source)
        return names


def write_candles(path: Path, counted: Mapping[date, str], candles: Mapping[SeriesName, CandleRows]) -> None:
    """Replace the file by these candles, whole or not at all, durable on return. Raises OSError."""
    blocks, entries = [], []
    for series, rows in candles.items():
        packed = pa.compress(rows.tobytes(), "zstd", asbytes=True)
        blocks.append(packed)
        entries.append([*series, len(rows), len(packed), zlib.crc32(packed)])
    days = {day.isoformat(): token for day, token in counted.items()}
    index = json.dumps({"counted": days, "columns": ROW.names, "series": entries}).encode()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with durable.replacing(path) as file:
        file.writelines((HEADER.pack(MAGIC, len(index), zlib.crc32(index)), index, *blocks))


def open_candles(path: Path) -> CandleFile | None:
    """Return the file's index; None where there is no file or its index is not whole."""
    try:
        status = path.stat()
        return _opened(path, status.st_ino, status.st_mtime_ns)
    except (FileNotFoundError, NotWhole):
        return None


@lru_cache(maxsize=INDEXES_MAX)
def _opened(path: Path, _inode: int, _mtime_ns: int) -> CandleFile:
    """Read an index; a file is only ever replaced whole, so its inode and time stand for its content."""
    with path.open("rb") as stream:
        header = stream.read(HEADER.size)
        magic, length, checksum = HEADER.unpack(header) if len(header) == HEADER.size else (b"", 0, 0)
        index = stream.read(length)
    if magic != MAGIC or zlib.crc32(index) != checksum:
        raise NotWhole(f"{path.name}: its index is damaged.")
    content = json.loads(index)
    if content.get("columns", FIRST_COLUMNS) != [*(ROW.names or ())]:
        raise NotWhole(f"{path.name}: its candles have other columns.")
    blocks, offset = {}, HEADER.size + length
    for account, source, symbol, rows, size, packed_checksum in content["series"]:
        blocks[SeriesName(account, source, symbol)] = Block(rows, offset, size, packed_checksum)
        offset += size
    counted = {date.fromisoformat(day): token for day, token in content["counted"].items()}
    return CandleFile(path, counted, blocks)
