"""A file's ticks as columns, and the rows that cannot be true, each with its line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from timeseries.measurements import FloatArray, IntArray, Mask
from timeseries.recording.columns import RepeatedTexts

Columns: TypeAlias = dict[str, IntArray | FloatArray | RepeatedTexts]
Row: TypeAlias = dict[str, str | int | float]

# Why a row is refused: the first reason that holds. The first eight are promised, the rest may grow.
REASONS = (
    "unreadable",  # not a row of this file, or a cell that is no time, no number
    "no_symbol",
    "no_time",
    "no_price",
    "price_not_finite",
    "price_not_positive",
    "time_too_old",
    "time_in_future",
    "time_skipped",  # a wall time that the desk's zone never had: say it with its offset
    "time_repeated",  # a wall time that the desk's zone had twice
    "symbol_not_valid",
    "price_ambiguous",  # two last prices that differ
    "bar_not_enclosing",  # high and low do not enclose open and close
    "volume_not_finite",
    "volume_negative",
    "price_out_of_bounds",  # beyond the ledger's bound, or what a feed sends where it has no price
)


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that cannot be true; ``line`` is the physical line of the file, from 1."""

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Ticks:
    """Ticks as columns, one entry per tick: ``symbol`` indexes ``symbols``, ``time`` is ns UTC, NaN is absent.

    ``close`` is the last price of a tick, or a bar's close; ``open``, ``high`` and ``low`` are a bar's. ``volume`` is
    the tick's own, ``day_volume`` the day's so far.
    """

    symbols: tuple[str, ...]
    symbol: IntArray
    time: IntArray
    close: FloatArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    volume: FloatArray
    day_volume: FloatArray

    def __len__(self) -> int:
        return len(self.time)

    def take(self, which: IntArray | Mask | slice) -> Ticks:
        """Return the ticks that a mask, indices or a slice name, in that order."""
        return Ticks(self.symbols, *(getattr(self, name)[which] for name in ("symbol", "time", *NUMBERS)))

    def of_rows(self, keep: Mask) -> Ticks:
        """Return the ticks that a mask names: themselves, where it names all of them."""
        return self if keep.all() else self.take(keep)

    def of(self, symbol: str) -> Ticks:
        """Return one symbol's ticks."""
        return self.take(self.symbol == self.symbols.index(symbol))

    def batches(self) -> Iterator[Columns | list[Row]]:
        """Yield the ticks as `DataManager.process_ticks` takes them, the ticks of each symbol in their order.

        Columns have no gaps: symbols whose ticks all have the same fields go by columns, any other row by row.
        """
        fields = sum(((~np.isnan(getattr(self, name))).astype(np.int64) << bit) for bit, name in enumerate(NUMBERS))
        last = np.zeros(len(self.symbols), dtype=np.int64)
        last[self.symbol] = fields
        mixed = np.zeros(len(self.symbols), dtype=bool)
        mixed[self.symbol[fields != last[self.symbol]]] = True
        for kind in np.unique(last[~mixed & (last > 0)]).tolist():
            alike = self.of_rows((fields == kind) & ~mixed[self.symbol])
            numbers = {name: getattr(alike, name) for bit, name in enumerate(NUMBERS) if kind >> bit & 1}
            yield {"symbol": RepeatedTexts(alike.symbol, list(self.symbols)), "timestamp": alike.time, **numbers}
        if mixed.any():
            rest = self.take(mixed[self.symbol])
            columns = [getattr(rest, name).tolist() for name in NUMBERS]
            yield [
                {
                    "symbol": self.symbols[place],
                    "timestamp": time,
                    **{name: number for name, number in zip(NUMBERS, row, strict=True) if not math.isnan(number)},
                }
                for place, time, *row in zip(rest.symbol.tolist(), rest.time.tolist(), *columns, strict=True)
            ]


NUMBERS = ("close", "open", "high", "low", "volume", "day_volume")


@dataclass(frozen=True, slots=True)
class FeedFile:
    """A file as it was read: ``rows_read`` = ticks + rejects, in the order of its lines.

    ``is_date`` tells which ticks have a date without a time of day.
    """

    path: Path
    rows_read: int
    ticks: Ticks
    rejects: tuple[Reject, ...]
    is_date: Mask
    notes: tuple[str, ...] = ()


def whole(blocks: Sequence[FeedFile]) -> FeedFile:
    """Return the blocks of one file, at least one, as one."""
    return FeedFile(
        blocks[0].path,
        sum(block.rows_read for block in blocks),
        concatenated([block.ticks for block in blocks]),
        tuple(reject for block in blocks for reject in block.rejects),
        np.concatenate([block.is_date for block in blocks]),
        tuple(note for block in blocks for note in block.notes),
    )


def concatenated(pieces: Sequence[Ticks]) -> Ticks:
    """Return the ticks of all pieces, one piece after the other, with one table of symbols."""
    symbols = tuple(dict.fromkeys(name for piece in pieces for name in piece.symbols))
    filled = [piece for piece in pieces if len(piece)]
    if not filled:
        return replace(empty(), symbols=symbols)
    codes = [np.array([symbols.index(name) for name in piece.symbols], dtype=np.int64) for piece in filled]
    symbol = np.concatenate([code[piece.symbol] for code, piece in zip(codes, filled, strict=True)])
    joined = (np.concatenate([getattr(piece, name) for piece in filled]) for name in ("time", *NUMBERS))
    return Ticks(symbols, symbol, *joined)


def empty() -> Ticks:
    """Return no ticks."""
    none = np.array([], dtype=np.float64)
    return Ticks((), np.array([], dtype=np.int64), np.array([], dtype=np.int64), *[none] * len(NUMBERS))
