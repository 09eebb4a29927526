"""Long sequences of rows kept in compressed blocks, so that a file of a hundred thousand rows takes a few megabytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Generic, TypeVar, overload

from trading.brokers.document import CellRow

BLOCK_ROWS = 500
_FASTEST = 1

Row = TypeVar("Row")
PackedCell = str | int | None | Mapping[str, str]
PackedCells = Sequence[PackedCell]


class PackedRows(Sequence[Row], Generic[Row]):
    """A sequence that grows at its end. All but the last rows are compressed; one block at a time is unpacked.

    ``pack`` turns a row into texts, whole numbers and None; ``unpack`` turns these back into an equal row.
    """

    def __init__(self, pack: Callable[[Row], PackedCells], unpack: Callable[[PackedCells], Row]) -> None:
        self._pack, self._unpack = pack, unpack
        self._blocks: list[bytes] = []
        self._last: list[Row] = []
        self._unpacked: tuple[int, list[Row]] = (-1, [])

    def append(self, row: Row) -> None:
        """Add a row at the end."""
        self._last.append(row)
        if len(self._last) == BLOCK_ROWS:
            text = json.dumps([self._pack(each) for each in self._last], separators=(",", ":"))
            self._blocks.append(zlib.compress(text.encode("utf-8", "surrogatepass"), _FASTEST))
            self._last = []

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows at the end, one after another."""
        for row in rows:
            self.append(row)

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK_ROWS + len(self._last)

    def __iter__(self) -> Iterator[Row]:
        return chain(chain.from_iterable(map(self._block, range(len(self._blocks)))), self._last)

    def __reversed__(self) -> Iterator[Row]:
        blocks = (reversed(self._block(number)) for number in reversed(range(len(self._blocks))))
        return chain(reversed(self._last), chain.from_iterable(blocks))

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        number, offset = divmod(place, BLOCK_ROWS)
        if number == len(self._blocks):
            return self._last[offset]
        if self._unpacked[0] != number:
            self._unpacked = (number, self._block(number))
        return self._unpacked[1][offset]

    def _block(self, number: int) -> list[Row]:
        text = zlib.decompress(self._blocks[number]).decode("utf-8", "surrogatepass")
        return [self._unpack(cells) for cells in json.loads(text)]


def packed_texts() -> PackedRows[CellRow]:
    """Return an empty sequence for rows whose cells are texts."""
    return PackedRows(lambda row: [str(cell) for cell in row], lambda cells: tuple(map(str, cells)))
