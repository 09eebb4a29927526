"""A CSV file of ticks or bars, plain or gzipped, as columns: every row that can be true, and every other with its line.

The header names `timestamp`, and either a last price (`ltp`, `last_price`, `price`, or `close` alone) or `open`,
`high`, `low` and `close`; `symbol`, `volume` and `day_volume` where there are any. Other columns are not read. Names
count without regard to case, and in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.measurements import FloatArray, IntArray, Mask
from timeseries.recording.tick import MayBeNegative, is_out_of_bounds, never_negative
from timeseries.values import parse_name
from trading.errors import InvalidValue
from trading.feeds.lines import Cells, FileLines, UnusableFile, read_blocks, read_cells, split_line
from trading.feeds.names import FileSymbols, stem_of
from trading.feeds.numbers import Numbers, read_numbers
from trading.feeds.ticks import REASONS, FeedFile, Reject, Ticks
from trading.feeds.times import read_times

TIME, SYMBOL = "timestamp", "symbol"
LAST_PRICES = ("ltp", "last_price", "price")
BAR = ("open", "high", "low", "close")
VOLUMES = ("volume", "day_volume")
KNOWN = {TIME, SYMBOL, *LAST_PRICES, *BAR, *VOLUMES}


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's columns. ``prices`` are those of a last price, or (``is_bar``) the four of a bar."""

    header: tuple[str, ...]
    prices: tuple[str, ...]
    is_bar: bool
    volumes: tuple[str, ...]
    has_symbol: bool

    @property
    def wanted(self) -> list[str]:
        """Return the columns that are read."""
        return [TIME, *self.prices, *self.volumes, *([SYMBOL] if self.has_symbol else [])]


def read_csv(
    path: Path, *, zone: ZoneInfo, now_ns: int, names: FileSymbols, may_be_negative: MayBeNegative = never_negative
) -> Iterator[FeedFile]:
    """Yield a file of ticks or bars in blocks of its lines, at least one.

    Args:
        zone: naive times are wall times of it.
        now_ns: the clock: no time may lie a day ahead of it.
        may_be_negative: asked for a symbol that has a price of 0 or below.

    Raises: UnusableFile.
    """
    layout, signed = None, lru_cache(maxsize=None)(may_be_negative)
    for lines in read_blocks(path):
        if layout is not None:
            yield _block(path, lines, layout, zone=zone, now_ns=now_ns, names=names, may_be_negative=signed)
        elif len(lines):
            layout, rows = _layout(path, lines), lines.after_header()
            block = _block(path, rows, layout, zone=zone, now_ns=now_ns, names=names, may_be_negative=signed)
            unread = [name or "(unnamed)" for name in layout.header if name not in layout.wanted]
            notes = (f"{path.name}: not read: {', '.join(unread)}",) if unread else ()
            yield replace(block, notes=notes)
    if layout is None:
        raise UnusableFile(f"{path} is empty: a feed begins with a header.", field="file")


def _block(
    path: Path,
    rows: FileLines,
    layout: Layout,
    *,
    zone: ZoneInfo,
    now_ns: int,
    names: FileSymbols,
    may_be_negative: MayBeNegative,
) -> FeedFile:
    """Read lines of a file: those that can be true, and every other with its reason."""
    cells = read_cells(rows, layout.header, layout.wanted)
    ticks, refusals, is_date = _columns(cells, layout, path, zone=zone, now_ns=now_ns, names=names)
    doubtful = refusals["price_not_positive"]
    if ticks.symbols:
        asked = set(np.unique(ticks.symbol[doubtful]).tolist())
        is_signed = [place in asked and may_be_negative(name) for place, name in enumerate(ticks.symbols)]
        refusals["price_not_positive"] = doubtful & ~np.array(is_signed, dtype=bool)[ticks.symbol]
    fault = np.full(len(rows), -1, dtype=np.int64)  # per row the first of `REASONS` that refuses it
    for place, reason in enumerate(REASONS):
        if reason in refusals:
            fault[(fault < 0) & refusals[reason]] = place
    rejects = tuple(
        Reject(str(path), int(rows.number[index]), REASONS[fault[index]], rows.printable(index))
        for index in np.flatnonzero(fault >= 0).tolist()
    )
    return FeedFile(path, len(rows), ticks.take(fault < 0), rejects, is_date[fault < 0])


def _layout(path: Path, lines: FileLines) -> Layout:
    """Return what the first line names. Raises: UnusableFile."""
    header = split_line(lines.raw(0))
    if header is None:
        raise UnusableFile(f"{path} is empty: a feed begins with a header.", field="file")
    names = tuple(name.lower() for name in header)
    twice = sorted({name for name in names if name in KNOWN and names.count(name) > 1})
    if twice:
        raise UnusableFile(f"{path} names the column {twice[0]} twice.", field="file")
    prices = tuple(name for name in LAST_PRICES if name in names)
    is_bar = not prices and all(name in names for name in BAR)
    # A close beside a last price is yesterday's on Indian feeds: it is read so that a row of two prices is seen.
    prices = BAR if is_bar else (*prices, *(["close"] if "close" in names else []))
    if TIME not in names or not prices:
        raise UnusableFile(
            f"{path} has no header that names timestamp and a price; its first line is {lines.printable(0)[:80]!r}.",
            field="file",
            hint="Name the price ltp, last_price, price or close; or open, high, low and close.",
        )
    return Layout(names, prices, is_bar, tuple(name for name in VOLUMES if name in names), SYMBOL in names)


def _columns(
    cells: Cells, layout: Layout, path: Path, *, zone: ZoneInfo, now_ns: int, names: FileSymbols
) -> tuple[Ticks, dict[str, Mask], Mask]:
    """Return a tick per row, per reason the rows that it refuses, and which rows have a date alone."""
    symbols, symbol, no_symbol, bad_symbol = _symbols(cells, path, names, has_column=layout.has_symbol)
    times = read_times(cells.columns[TIME], zone=zone, now_ns=now_ns)
    volumes = {name: read_numbers(cells.columns[name]) for name in layout.volumes}
    numbers, refusals = _prices({name: read_numbers(cells.columns[name]) for name in layout.prices}, layout)
    columns = dict.fromkeys((*BAR, *VOLUMES), np.full(len(cells.is_row), np.nan)) | numbers
    columns |= {name: volume.value for name, volume in volumes.items()}
    ticks = Ticks(symbols, symbol, times.time, **columns)
    refusals["unreadable"] |= ~cells.is_row | times.unreadable
    refusals |= {
        "no_symbol": no_symbol,
        "symbol_not_valid": bad_symbol,
        "no_time": times.absent,
        "time_too_old": times.old,
        "time_in_future": times.future,
        "time_skipped": times.skipped,
        "time_repeated": times.repeated,
        "volume_not_finite": np.zeros(len(cells.is_row), dtype=bool),
        "volume_negative": np.zeros(len(cells.is_row), dtype=bool),
    }
    for volume in volumes.values():
        refusals["unreadable"] |= volume.unreadable
        refusals["volume_not_finite"] |= volume.endless
        refusals["volume_negative"] |= volume.value < 0
    return ticks, refusals, times.date


def _prices(prices: Mapping[str, Numbers], layout: Layout) -> tuple[dict[str, FloatArray], dict[str, Mask]]:
    """Return a bar's four prices, or the one last price as ``close``, and per reason the rows that it refuses."""
    stacked = np.stack([numbers.value for numbers in prices.values()])
    absent = np.stack([numbers.absent for numbers in prices.values()])
    refusals: dict[str, Mask] = {
        "unreadable": np.any([numbers.unreadable for numbers in prices.values()], axis=0),
        "price_not_finite": np.any([numbers.endless for numbers in prices.values()], axis=0),
        "price_not_positive": np.any(stacked <= 0, axis=0),
        "price_out_of_bounds": np.any(is_out_of_bounds(stacked), axis=0),
    }
    if layout.is_bar:
        columns = {name: numbers.value for name, numbers in prices.items()}
        body = np.stack([columns["open"], columns["close"]])
        encloses = (columns["low"] <= body.min(axis=0)) & (body.max(axis=0) <= columns["high"])
        return columns, {**refusals, "no_price": absent.any(axis=0), "bar_not_enclosing": ~encloses}
    present = ~np.isnan(stacked)
    last = stacked[np.argmax(present, axis=0), np.arange(stacked.shape[1])]
    differs = np.any(present & (stacked != last), axis=0)
    return {"close": last}, {**refusals, "no_price": absent.all(axis=0), "price_ambiguous": differs}


def _symbols(
    cells: Cells, path: Path, names: FileSymbols, *, has_column: bool
) -> tuple[tuple[str, ...], IntArray, Mask, Mask]:
    """Return the table of symbols, each row's entry, and the rows without one and with one that is no name."""
    default = names.named(path)
    if not has_column:
        texts: Sequence[str] = [stem_of(path) if default is None else default]
        code = np.zeros(len(cells.is_row), dtype=np.int64)
    else:
        encoded = cells.columns[SYMBOL].dictionary_encode()
        texts = [text or default or "" for text in encoded.dictionary.to_pylist()]
        code = encoded.indices.to_numpy().astype(np.int64)
    symbols: list[str | None] = []
    for text in texts:
        try:
            # U+FFFD stands for bytes that were no UTF-8: what the name was is not known.
            symbols.append(None if "\ufffd" in text else parse_name(text, SYMBOL))
        except InvalidValue:
            symbols.append(None)
    table = tuple(dict.fromkeys(name for name in symbols if name is not None))
    places = np.array([table.index(name) if name is not None else 0 for name in symbols], dtype=np.int64)
    missing = np.array([not text for text in texts], dtype=bool)
    refused = np.array([name is None for name in symbols], dtype=bool)
    return table, places[code], missing[code], refused[code]
