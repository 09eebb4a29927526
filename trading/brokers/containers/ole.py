"""A compound file with one stream, of the plainest form: what a library is handed in place of a stranger's."""

from __future__ import annotations

import struct

_SECTOR = 4096
_END_OF_CHAIN, _FREE, _FAT_SECTOR, _NO_STREAM = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
_ENTRIES = _SECTOR // 4
_FATS_MAX = 109  # that the header holds: 450 MB


def container_of(stream: bytes) -> bytes:
    """Return a compound file (version 4, [MS-CFB]) whose one stream is called `Workbook`.

    Raises: ValueError where the stream is larger than its header can say.
    """
    count = max(1, -(-len(stream) // _SECTOR))
    fats = 1
    while fats * _ENTRIES < count + 2 + fats:
        fats += 1
    if fats > _FATS_MAX:
        raise ValueError("a stream of more than 450 MB")
    # The stream, the folder, a sector of small streams that none uses but readers ask for, the table itself.
    chain = [*range(1, count), _END_OF_CHAIN, _END_OF_CHAIN, _END_OF_CHAIN, *[_FAT_SECTOR] * fats]
    chain += [_FREE] * (fats * _ENTRIES - len(chain))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH6x", 0x3E, 4, 0xFFFE, 12, 6)
    header += struct.pack("<IIIII", 1, fats, count, 0, 4096)
    header += struct.pack("<IIII", _END_OF_CHAIN, 0, _END_OF_CHAIN, 0)
    header += struct.pack("<109I", *range(count + 2, count + 2 + fats), *[_FREE] * (_FATS_MAX - fats))
    root = _entry("Root Entry", 5, child=1, start=count + 1, size=_SECTOR)
    folder = root + _entry("Workbook", 2, child=_NO_STREAM, start=0, size=count * _SECTOR)
    return b"".join(
        (
            header.ljust(_SECTOR, b"\0"),
            stream.ljust(count * _SECTOR, b"\0"),
            folder.ljust(_SECTOR, b"\0"),
            bytes(_SECTOR),
            struct.pack(f"<{len(chain)}I", *chain),
        )
    )


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    letters = name.encode("utf-16-le") + b"\0\0"
    entry = letters.ljust(64, b"\0") + struct.pack("<HBB", len(letters), kind, 1)
    return entry + struct.pack("<III36xIQ", _NO_STREAM, _NO_STREAM, child, start, size)
