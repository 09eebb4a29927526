"""Ticks on disk while a file is read, so that one of any size takes the same memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from timeseries.measurements import IntArray
from trading.feeds.ticks import NUMBERS, Ticks

TIME, SYMBOL = "time", "symbol"
WIDTH = 8  # bytes of each number


@dataclass(frozen=True, slots=True)
class _Piece:
    """Ticks that were added together, and where each column begins in the file; one that is absent begins nowhere."""

    first: int
    size: int
    offsets: dict[str, int]


class SpilledTicks:
    """The ticks of one file in the order of its lines, read back by their places. Their file has no name, and goes with
    them."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make room in a folder, by default that of temporary files. Raises: OSError."""
        self._descriptor, name = tempfile.mkstemp(prefix="velox-ticks-", dir=folder)
        os.unlink(name)
        weakref.finalize(self, os.close, self._descriptor)
        self._places: dict[str, int] = {}
        self._pieces: list[_Piece] = []
        self._end = self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the table of symbols, which grows with the file."""
        return tuple(self._places)

    def add(self, ticks: Ticks) -> None:
        """Keep the next ticks. Raises: OSError."""
        own = [self._places.setdefault(name, len(self._places)) for name in ticks.symbols]
        columns = {TIME: ticks.time, SYMBOL: np.array(own, dtype=np.int64)[ticks.symbol] if own else ticks.symbol}
        columns |= {name: getattr(ticks, name) for name in NUMBERS if not np.isnan(getattr(ticks, name)).all()}
        offsets = {}
        for name, column in columns.items():
            offsets[name] = self._end
            octets = column.tobytes()
            while octets:
                written = os.pwrite(self._descriptor, octets, self._end)
                octets, self._end = octets[written:], self._end + written
        self._pieces.append(_Piece(self._size, len(ticks), offsets))
        self._size += len(ticks)

    def read(self, start: int, stop: int) -> Ticks:
        """Return the ticks at the places ``start <= place < stop``. Raises: OSError."""
        pieces = [piece for piece in self._pieces if piece.first < stop and start < piece.first + piece.size]
        spans = [(piece, max(start, piece.first), min(stop, piece.first + piece.size)) for piece in pieces]
        whole = {
            name: np.concatenate([np.empty(0, kind), *(self._column(*span, name, kind) for span in spans)])
            for name, kind in ((TIME, np.int64), (SYMBOL, np.int64), *((name, np.float64) for name in NUMBERS))
        }
        return Ticks(self.symbols, **whole)

    def _column(self, piece: _Piece, start: int, stop: int, name: str, kind: type) -> IntArray:
        if name not in piece.offsets:
            return np.full(stop - start, np.nan)
        octets = bytearray()
        while missing := (stop - start) * WIDTH - len(octets):
            offset = piece.offsets[name] + (start - piece.first) * WIDTH + len(octets)
            piece_octets = os.pread(self._descriptor, missing, offset)
            if not piece_octets:
                raise OSError("The file of ticks in hand ended early.")
            octets += piece_octets
        return np.frombuffer(octets, dtype=kind)
