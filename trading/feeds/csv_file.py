"""A CSV file of ticks or bars, plain or gzipped, as columns: every row that can be true, and every other with its line.

The header names `timestamp`, and either a last price (`ltp`, `last_price`, `price`, or `close` alone) or `open`,
`high`, `low` and `close`; `symbol`, `volume` and `day_volume` where there are any. Other columns are not read. Names
count without regard to case, and in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.recording.tick import MayBeNegative, is_out_of_bounds, never_negative
from timeseries.values import parse_name
from trading.errors import InvalidValue
from trading.feeds.lines import Cells, Lines, UnusableFile, read_cells, read_lines, split_line
from trading.feeds.names import SymbolNames, stem_of
from trading.feeds.numbers import Numbers, read_numbers
from trading.feeds.ticks import REASONS, FeedFile, FloatArray, IntArray, Mask, Reject, Ticks
from trading.feeds.times import read_times

TIME, SYMBOL = "timestamp", "symbol"
LAST_PRICES = ("ltp", "last_price", "price")
BAR = ("open", "high", "low", "close")
VOLUMES = ("volume", "day_volume")
KNOWN = {TIME, SYMBOL, *LAST_PRICES, *BAR, *VOLUMES}


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says. ``prices`` are the columns of a last price, or (``is_bar``) the four of a bar."""

    header: tuple[str, ...]
    prices: tuple[str, ...]
    is_bar: bool
    volumes: tuple[str, ...]
    has_symbol: bool

    @property
    def wanted(self) -> list[str]:
        return [TIME, *self.prices, *self.volumes, *([SYMBOL] if self.has_symbol else [])]


def read_csv(
    path: Path, *, zone: ZoneInfo, now_ns: int, names: SymbolNames, may_be_negative: MayBeNegative = never_negative
) -> FeedFile:
    """Read a file. Naive times are wall times of ``zone``; ``now_ns`` is the clock: no time may lie a day ahead of it.
    ``may_be_negative`` is asked for a symbol that has a price of 0 or below.

    Raises: UnusableFile.
    """
    lines = read_lines(path)
    layout = _layout(path, lines)
    rows = lines.after_header()
    cells = read_cells(rows, layout.header, layout.wanted)
    ticks, refusals, is_date = _columns(cells, layout, path, zone=zone, now_ns=now_ns, names=names)
    refusals["price_not_positive"] &= ~_may_be_negative(ticks, refusals["price_not_positive"], may_be_negative)
    fault = _first_fault(refusals, len(rows))
    rejects = tuple(
        Reject(str(path), int(rows.number[index]), REASONS[fault[index]], rows.shown(index))
        for index in np.flatnonzero(fault >= 0).tolist()
    )
    return FeedFile(path, len(rows), ticks.take(fault < 0), rejects, is_date[fault < 0], _notes(path, layout))


def _layout(path: Path, lines: Lines) -> Layout:
    header = split_line(lines.raw(0)) if len(lines) else None
    if header is None:
        raise UnusableFile(f"{path} is empty: a feed begins with a header.", field="file")
    known = tuple(name.lower() for name in header)
    twice = sorted({name for name in known if name in KNOWN and known.count(name) > 1})
    if twice:
        raise UnusableFile(f"{path} names the column {twice[0]} twice.", field="file")
    prices = tuple(name for name in LAST_PRICES if name in known)
    is_bar = not prices and all(name in known for name in BAR)
    # A close beside a last price is yesterday's on Indian feeds: it is read so that a row of two prices is seen.
    prices = BAR if is_bar else (*prices, *(["close"] if "close" in known else []))
    if TIME not in known or not prices:
        raise UnusableFile(
            f"{path} has no header that names timestamp and a price; its first line is {lines.shown(0)[:80]!r}.",
            field="file",
            hint="Name the price ltp, last_price, price or close; or open, high, low and close.",
        )
    return Layout(known, prices, is_bar, tuple(name for name in VOLUMES if name in known), SYMBOL in known)


def _notes(path: Path, layout: Layout) -> tuple[str, ...]:
    read = set(layout.wanted)
    others = [name or "(unnamed)" for name in layout.header if name not in read]
    return (f"{path.name}: not read: {', '.join(others)}",) if others else ()


def _columns(
    cells: Cells, layout: Layout, path: Path, *, zone: ZoneInfo, now_ns: int, names: SymbolNames
) -> tuple[Ticks, dict[str, Mask], Mask]:
    """Return a tick per row, per reason the rows that it refuses, and which rows have a date alone."""
    symbols, symbol, no_symbol, bad_symbol = _symbols(cells, path, names, has_column=layout.has_symbol)
    times = read_times(cells.columns[TIME], zone=zone, now_ns=now_ns)
    prices = {name: read_numbers(cells.columns[name]) for name in layout.prices}
    volumes = {name: read_numbers(cells.columns[name]) for name in layout.volumes}
    read = _read_bars if layout.is_bar else _read_last_prices
    values, refusals = read(prices, len(cells.is_row))
    columns = dict.fromkeys((*BAR, *VOLUMES), np.full(len(cells.is_row), np.nan)) | values
    columns |= {name: numbers.value for name, numbers in volumes.items()}
    ticks = Ticks(symbols, symbol, times.time, **columns)
    unreadable = [times.unreadable, *(numbers.unreadable for numbers in (*prices.values(), *volumes.values()))]
    refusals |= {
        "unreadable": ~cells.is_row | np.any(unreadable, axis=0),
        "no_symbol": no_symbol,
        "symbol_not_valid": bad_symbol,
        "no_time": times.absent,
        "time_too_old": times.old,
        "time_in_future": times.future,
        "time_skipped": times.skipped,
        "time_repeated": times.repeated,
    }
    for numbers in volumes.values():
        refusals["volume_not_finite"] = refusals.get("volume_not_finite", False) | numbers.endless
        refusals["volume_negative"] = refusals.get("volume_negative", False) | (numbers.value < 0)
    return ticks, refusals, times.date


def _may_be_negative(ticks: Ticks, doubtful: Mask, may_be_negative: MayBeNegative) -> Mask:
    """Tell which rows are of a symbol that may have prices of 0 and below; the others' are not looked at."""
    named = set(np.unique(ticks.symbol[doubtful]).tolist()) if ticks.symbols else set()
    signed = [place in named and may_be_negative(name) for place, name in enumerate(ticks.symbols)]
    return np.asarray(np.array([*signed, False])[ticks.symbol], dtype=bool)


def _read_last_prices(prices: Mapping[str, Numbers], size: int) -> tuple[dict[str, FloatArray], dict[str, Mask]]:
    stacked = np.stack([numbers.value for numbers in prices.values()])
    present = ~np.isnan(stacked)
    last = stacked[np.argmax(present, axis=0), np.arange(size)]
    differs = np.any(present & (stacked != last), axis=0)
    refusals = _price_refusals(prices, absent=np.all([numbers.absent for numbers in prices.values()], axis=0))
    return {"close": last}, {**refusals, "price_ambiguous": differs}


def _read_bars(prices: Mapping[str, Numbers], size: int) -> tuple[dict[str, FloatArray], dict[str, Mask]]:
    values = {name: numbers.value for name, numbers in prices.items()}
    body = np.stack([values["open"], values["close"]])
    encloses = (values["low"] <= body.min(axis=0)) & (body.max(axis=0) <= values["high"])
    refusals = _price_refusals(prices, absent=np.any([numbers.absent for numbers in prices.values()], axis=0))
    return values, {**refusals, "bar_not_enclosing": ~encloses}


def _price_refusals(prices: Mapping[str, Numbers], *, absent: Mask) -> dict[str, Mask]:
    return {
        "no_price": absent,
        "price_not_finite": np.any([numbers.endless for numbers in prices.values()], axis=0),
        "price_not_positive": np.any([numbers.value <= 0 for numbers in prices.values()], axis=0),
        "price_out_of_bounds": np.any([is_out_of_bounds(numbers.value) for numbers in prices.values()], axis=0),
    }


def _symbols(
    cells: Cells, path: Path, names: SymbolNames, *, has_column: bool
) -> tuple[tuple[str, ...], IntArray, Mask, Mask]:
    """Return the table of symbols, each row's entry, and the rows without one and with one that is no name."""
    named = names.named(path)
    if not has_column:
        given: Sequence[str] = [stem_of(path) if named is None else named]
        code = np.zeros(len(cells.is_row), dtype=np.int64)
    else:
        encoded = cells.columns[SYMBOL].dictionary_encode()
        given = [text or named or "" for text in encoded.dictionary.to_pylist()]
        code = encoded.indices.to_numpy().astype(np.int64)
    known = [_name(text) for text in given]
    table = tuple(dict.fromkeys(name for name in known if name is not None))
    places = np.array([table.index(name) if name is not None else 0 for name in known], dtype=np.int64)
    missing = np.array([not text for text in given], dtype=bool)
    refused = np.array([name is None for name in known], dtype=bool)
    return table, places[code], missing[code], refused[code]


def _name(text: str) -> str | None:
    try:
        # U+FFFD stands for bytes that were no UTF-8: what the name was is not known.
        return None if "\ufffd" in text else parse_name(text, SYMBOL)
    except InvalidValue:
        return None


def _first_fault(refusals: Mapping[str, Mask], size: int) -> IntArray:
    """Return per row the first of `REASONS` that refuses it, -1 for none."""
    fault = np.full(size, -1, dtype=np.int64)
    for place, reason in enumerate(REASONS):
        refused: Any = refusals.get(reason)
        if refused is not None:
            fault[(fault < 0) & refused] = place
    return fault
