"""One Parquet file of a table: its name ends with the CRC-32 of its bytes, so that it can be checked by itself."""

from __future__ import annotations

import re
import zlib
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CHECKSUM = re.compile(r"-([0-9a-f]{8})\.parquet$")
BLOCK = 1 << 20


def partition_day(path: str) -> date:
    """Return the day of the partition that a path within a table leads through."""
    return date.fromisoformat(path.partition("/")[0].removeprefix("day="))


def seal(file: Path) -> Path:
    """Rename a whole file so that its name carries its checksum; return the new path."""
    target = file.with_name(f"{file.stem}-{_checksum(file):08x}{file.suffix}")
    file.rename(target)
    return target


def _checksum(file: Path) -> int:
    checksum = 0
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum


def is_whole(file: Path) -> bool:
    """Tell whether a file's bytes are those that were written; of a file of an older build, whether it can be read."""
    checksum = CHECKSUM.search(file.name)
    if checksum is not None:
        return _checksum(file) == int(checksum[1], 16)
    try:
        pq.read_table(file, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        return isinstance(error, OSError) and error.errno is not None  # the disk's fault is not the file's
    return True
