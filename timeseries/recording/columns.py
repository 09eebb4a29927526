"""A caller's ticks as columns, and their columns as arrays of numbers, instants and symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from operator import attrgetter, sub
from typing import Protocol, TypeGuard, overload
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.errors import InvalidValue
from timeseries.measurements import Column, FloatArray, IntArray, Mask
from timeseries.recording.tick import KEYS, MAY_BE_ABSENT, TIMESTAMP
from timeseries.spool.feed_keys import TIMES, UNCERTAIN
from timeseries.values import EPOCH, MICROSECOND, Input, ParseSymbol, TickDict, wall_day

INTEGER_MAX = 2**53
DAY_US = 86_400 * 10**6
DAYS_MAX = 100_000  # the calendar goes on, the clock does not
WANTED = {*KEYS, *TIMES, *UNCERTAIN, TIMESTAMP, "symbol"}
OPTIONAL = {key for key, field in KEYS.items() if field in MAY_BE_ABSENT}
UNSET = -(2**63)  # a time that the column's way could not tell: the row is read by itself

ColumnCells = Sequence[Input] | Column


class HasArray(Protocol):
    """A column of another library that gives itself as an array: a Series, an Arrow array."""

    def to_numpy(self) -> Column: ...


ColumnInput = ColumnCells | HasArray


class RepeatedTexts(Sequence[str]):
    """A column of texts that repeat: each row is a place in the list of those that occur."""

    def __init__(self, codes: IntArray, texts: list[str]) -> None:
        self.codes, self.texts = codes, texts

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> RepeatedTexts: ...
    def __getitem__(self, place: int | slice) -> str | RepeatedTexts:
        if isinstance(place, slice):
            return RepeatedTexts(self.codes[place], self.texts)
        return self.texts[int(self.codes[place])]


@dataclass(frozen=True)
class TickColumns:
    """Ticks as columns of one length, of those names that mean something here."""

    columns: dict[str, ColumnCells]
    symbol: str | None
    length: int

    def rows(self) -> Iterator[dict[str, Input]]:
        """Yield the rows as dicts."""
        names = list(self.columns)
        for cells in zip(*self.columns.values(), strict=True):
            yield dict(zip(names, cells, strict=True))

    def row(self, index: int) -> dict[str, Input]:
        """Return one row as a dict."""
        return {name: column[index] for name, column in self.columns.items()}

    def part(self, start: int, stop: int) -> TickColumns:
        """Return the rows from ``start`` to before ``stop``."""
        columns = {name: column[start:stop] for name, column in self.columns.items()}
        return TickColumns(columns, self.symbol, min(stop, self.length) - start)


def given_columns(ticks: Mapping[str, ColumnInput], symbol: str | None) -> TickColumns:
    """Return a caller's columns; names that mean nothing here are ignored, as keys of a tick are.

    Raises:
        InvalidValue: no columns, or of different lengths, or one that is neither a sequence nor a flat array.
    """
    columns: dict[str, ColumnCells] = {}
    for name, column in ticks.items():
        if name not in WANTED:
            continue
        cells = column.to_numpy() if hasattr(column, "to_numpy") else column
        if isinstance(cells, np.ndarray) and cells.ndim == 1:
            columns[name] = cells.tolist() if cells.dtype == object else cells
        elif isinstance(cells, Sequence) and not isinstance(cells, str | bytes):
            columns[name] = cells
        else:
            raise InvalidValue(f"{name} must be a column: a list or a one-dimensional array.", field=name)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise InvalidValue("Ticks in columns need columns of one length.", field="ticks")
    return TickColumns(columns, symbol, lengths.pop())


def columns_of(rows: Sequence[TickDict], symbol: str | None) -> TickColumns | None:
    """Return dicts as columns, with None where a row lacks a field that may be absent; None where they lack others, or
    have no key that means something."""
    if set(map(type, rows)) != {dict}:
        return None
    keys = rows[0].keys()
    wanted = [name for name in keys if name in WANTED]
    if not wanted:
        return None  # columns that are none would not tell how many rows there are
    is_alike = set(map(len, rows)) == {len(keys)}
    if is_alike and len(wanted) < len(keys):
        is_alike = len(set(map(tuple, rows))) == 1
    try:
        if is_alike:
            return TickColumns({name: [row[name] for row in rows] for name in wanted}, symbol, len(rows))
    except KeyError:
        pass  # as many keys, but others
    kinds = [frozenset(kind) & WANTED for kind in dict.fromkeys(map(tuple, rows))]
    every = frozenset.intersection(*kinds)
    if not every or not frozenset.union(*kinds) - every <= OPTIONAL:
        return None
    names = dict.fromkeys(name for row in rows for name in row if name in WANTED)
    return TickColumns({name: [row.get(name) for row in rows] for name in names}, symbol, len(rows))


def numbers_of(column: ColumnCells) -> FloatArray | None:
    """Return the column as float64; None where it holds more than plain numbers."""
    if isinstance(column, np.ndarray):
        if column.dtype == np.float64:
            return column.astype(np.float64, copy=False)
        if column.dtype.kind not in "iu":
            return None
    elif not set(map(type, column)) <= {float, int}:
        return None
    try:
        values = np.asarray(column, dtype=np.float64)
    except OverflowError:
        return None
    # At the bound itself a larger integer may have been rounded down to it.
    return None if (np.abs(values) >= INTEGER_MAX).any() else values


def numbers_with_gaps(column: ColumnCells) -> FloatArray | None:
    """Return the column as float64, NaN where it holds None; None where it holds more than that and plain numbers."""
    if isinstance(column, np.ndarray):
        return None
    gaps = np.fromiter((cell is None for cell in column), dtype=bool, count=len(column))
    values = numbers_of([0.0 if cell is None else cell for cell in column])
    if values is None or np.isnan(values).any():
        return None
    values[gaps] = np.nan
    return values


def instants_of(column: ColumnCells | None, zone: ZoneInfo, now: int, length: int) -> IntArray | None:
    """Return ns UTC per row, UNSET where a row needs a look of its own; None where the column is of another type."""
    if column is None:
        return np.full(length, now, dtype=np.int64)
    if isinstance(column, np.ndarray):
        return _from_array(column, zone)
    types = set(map(type, column))
    try:
        if types == {int}:
            return np.array(column, dtype=np.int64)
    except OverflowError:
        return None
    if types == {datetime} and _are_naive(column):
        # From the first one on: a float of seconds is exact to the µs within thirty years.
        since = np.fromiter(map(timedelta.total_seconds, map(sub, column, repeat(column[0]))), np.float64, len(column))
        if np.abs(since).max() < 10**9:
            walls: IntArray = (column[0] - EPOCH) // MICROSECOND + np.rint(since * 10**6).astype(np.int64)
        else:
            walls = np.array([(time - EPOCH) // MICROSECOND for time in column], dtype=np.int64)
        return _from_wall(walls, zone)
    return None


def _are_naive(column: ColumnCells) -> TypeGuard[Sequence[datetime]]:
    """Tell whether these datetimes are all wall times."""
    return set(map(attrgetter("tzinfo"), column)) == {None}


def _from_array(column: Column, zone: ZoneInfo) -> IntArray | None:
    """Return ns UTC of an array of wall times or of integers; None for another type."""
    if column.dtype.kind == "M":
        whole = column.astype("datetime64[us]").astype(np.int64)
        finer = column.astype("datetime64[ns]").astype(np.int64) - whole * 1000
        instants = _from_wall(np.where(np.isnat(column), 0, whole), zone)
        return np.where(instants == UNSET, UNSET, instants + finer)
    return column.astype(np.int64) if column.dtype.kind in "iu" and column.dtype != np.uint64 else None


def _from_wall(walls: IntArray, zone: ZoneInfo) -> IntArray:
    """Return ns UTC of wall times in µs since EPOCH, UNSET on days on which the zone's offset changes."""
    days = walls // DAY_US
    instants = np.full(len(walls), UNSET, dtype=np.int64)
    for number in np.unique(days).tolist():
        day = wall_day(zone, (EPOCH + timedelta(days=number)).date()) if 0 < number < DAYS_MAX else None
        if day is not None:
            rows = days == number
            instants[rows] = (walls[rows] - number * DAY_US) * 1000 + day.start_ns
    return instants


def names_of(columns: TickColumns, parse_symbol: ParseSymbol) -> tuple[Mask, IntArray, list[str]] | None:
    """Return (which names are good, each row's name, the names); None when the column is of another type."""
    column = columns.columns.get("symbol")
    table: list[Input]
    if column is None:
        table, symbols = [columns.symbol], np.zeros(columns.length, dtype=np.int64)
    elif isinstance(column, RepeatedTexts):
        used = np.flatnonzero(np.bincount(column.codes, minlength=len(column.texts)))
        places = np.zeros(len(column.texts), dtype=np.int64)
        places[used] = np.arange(len(used))
        symbols, table = places[column.codes], [column.texts[code] for code in used.tolist()]
    else:
        texts = column.tolist() if isinstance(column, np.ndarray) else column
        if set(map(type, texts)) != {str}:
            return None
        index: dict[Input, int] = {}
        symbols = np.array([index.setdefault(text, len(index)) for text in texts], dtype=np.int64)
        table = list(index)
    names, is_name = [], []
    for text in table:
        try:
            names.append(parse_symbol(text))
            is_name.append(True)
        except InvalidValue:
            names.append("")
            is_name.append(False)
    return np.array(is_name), symbols, names
