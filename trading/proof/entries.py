"""Which rows of the journal tell of which trade, in buckets of neighbouring trades. What exceeds a bound is on disk, so
that a proof takes as much memory for a million trades as for ten thousand."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections import defaultdict
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

from timeseries.measurements import IntArray

BUCKET = 500  # keys of trades
ENTRY, BYTES = 3, 8  # an entry: trade, journal row, account, each of so many bytes
HELD_MAX = 100_000  # entries


class BucketPlace(NamedTuple):
    """Where a bucket is: its number, and the bounds of its trades, ``low < key <= high``, where None is no bound."""

    number: int
    low: int | None
    high: int | None


class Bucket(NamedTuple):
    """The entries of a bucket (n, 3), all of a trade together, in the order of its operations, and its bounds."""

    entries: IntArray
    low: int | None
    high: int | None


class Entries:
    """The entries of all trades. Close them: their file has no name, and goes with them."""

    def __init__(self) -> None:
        self._held = array("q")
        self._in_memory: dict[int, IntArray] = {}
        self._on_disk: dict[int, list[tuple[int, int]]] = defaultdict(list)  # offset and length in bytes
        self._file: IO[bytes] | None = None

    def add(self, trade: int, row: int, account: int) -> None:
        """Note that a row of an account's journal tells of a trade. Raises: TypeError, OverflowError, for no key."""
        self._held.extend((trade, row, account))
        if len(self._held) >= HELD_MAX * ENTRY:
            self._spill()

    def places(self) -> list[BucketPlace]:
        """Return where the buckets are, in the order of their trades; together their bounds leave no key out."""
        self._in_memory = dict(_grouped(self._held))
        numbers = sorted(self._in_memory.keys() | self._on_disk.keys()) or [0]
        highs = [None if number == numbers[-1] else number * BUCKET + BUCKET - 1 for number in numbers]
        return [BucketPlace(*place) for place in zip(numbers, [None, *highs], highs, strict=False)]

    def bucket(self, place: BucketPlace) -> Bucket:
        """Return a bucket; two threads may ask at a time."""
        pieces = [self._read(offset, length) for offset, length in self._on_disk.get(place.number, ())]
        entries = np.concatenate([*pieces, self._in_memory.get(place.number, np.empty((0, ENTRY), np.int64))])
        return Bucket(entries[np.argsort(entries[:, 0], kind="stable")], place.low, place.high)

    def all(self) -> IntArray:
        """Return every entry (n, 3)."""
        return np.concatenate([self.bucket(place).entries for place in self.places()])

    def close(self) -> None:
        """Take the file away."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        """Write what is held to the file, each bucket's entries in one piece."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="velox-proof-", buffering=0)  # noqa: SIM115 (`close`)
        for number, entries in _grouped(self._held):
            offset, octets = self._file.tell(), entries.tobytes()
            self._file.write(octets)
            self._on_disk[number].append((offset, len(octets)))
        self._held = array("q")

    def _read(self, offset: int, length: int) -> IntArray:
        assert self._file is not None
        octets = os.pread(self._file.fileno(), length, offset)
        if len(octets) < length:
            raise OSError(f"The file of a proof has {len(octets)} bytes where {length} were written.")
        return np.frombuffer(octets, dtype=np.int64).reshape(-1, ENTRY)


def _grouped(held: array[int]) -> Iterator[tuple[int, IntArray]]:
    """Yield the entries of each bucket, in their order."""
    entries = np.array(held, dtype=np.int64).reshape(-1, ENTRY)
    numbers = entries[:, 0] // BUCKET
    order = np.argsort(numbers, kind="stable")
    unique, starts = np.unique(numbers[order], return_index=True)
    for number, start, stop in zip(unique.tolist(), starts, [*starts, len(order)][1:], strict=True):
        yield number, entries[order[start:stop]]
