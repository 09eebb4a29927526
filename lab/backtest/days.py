"""The stored ticks of a trading day, as a walk takes them: columns per symbol, and the order among symbols."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import repeat
from math import isnan

import numpy as np
import pyarrow.compute as pc

from timeseries.measurements import FloatArray, IntArray, Mask
from timeseries.reader import Reader
from timeseries.values import midnight, parse_name
from trading.errors import InvalidValue
from trading.feeds.points import instants
from trading.queries.market_day import MarketDay, market_day
from trading.queries.period import desk_zone
from trading.queries.sessions import calendar_of_symbol
from trading.strategies.base import Tick, nanoseconds

HALF_A_DAY, A_DAY = timedelta(hours=12), timedelta(days=1)
NUMBERS = ("close", "volume", "day_volume")


@dataclass(frozen=True, slots=True)
class SymbolTicks:
    """One symbol's ticks of one day in the order in which they were received: exchange time in ns UTC, price, volumes
    (NaN: none), and the place of each among all of the day's ticks; which source recorded them, and the symbol's day.

    ``counts`` tells which lie within the session and are no older than one before: what a class of
    `IntradayStrategy` trades on, and what reaches a stop.
    """

    symbol: str
    source: str
    time: IntArray
    price: FloatArray
    volume: FloatArray
    day_volume: FloatArray
    place: IntArray
    counts: Mask
    market: MarketDay

    @property
    def session(self) -> tuple[int, int]:
        """The bounds of the continuous session in ns UTC; empty on a closed day."""
        return session_of(self.market)

    def tick(self, row: int) -> Tick:
        """Return one tick."""
        price, volume, day_volume = self.price.item(row), self.volume.item(row), self.day_volume.item(row)
        return Tick(
            self.symbol, self.time.item(row), price, price, price, None if isnan(volume) else volume,
            None if isnan(day_volume) else day_volume,
        )  # fmt: skip

    def last_within(self) -> Tick | None:
        """Return the last tick within the session; None without one."""
        rows = np.flatnonzero(self.counts)
        return self.tick(int(rows[-1])) if len(rows) else None


@dataclass(frozen=True, slots=True)
class DayTicks:
    """A trading day: its ticks by symbol, in order of symbols."""

    day: date
    symbols: Sequence[SymbolTicks]

    def __len__(self) -> int:
        return sum(len(ticks.time) for ticks in self.symbols)

    def in_order(self) -> tuple[list[Tick], list[bool]]:
        """Return all ticks in their order, and which of them count."""
        ticks: list[Tick] = []
        counts = np.concatenate([of.counts for of in self.symbols])
        for of in self.symbols:
            price = of.price.tolist()
            volumes = ([None if number != number else number for number in column.tolist()]  # noqa: PLR0124  (NaN)
                       for column in (of.volume, of.day_volume))  # fmt: skip
            ticks += map(Tick, repeat(of.symbol), of.time.tolist(), price, price, price, *volumes)
        if len(self.symbols) == 1:
            return ticks, counts.tolist()
        order = np.argsort(np.concatenate([of.place for of in self.symbols]))
        return [ticks[row] for row in order.tolist()], counts[order].tolist()

    def digest(self) -> str:
        """Return a digest of all that a walk sees of the day."""
        whole = hashlib.sha256()
        for of in self.symbols:
            whole.update(f"{of.symbol}\n{len(of.time)}\n{of.session}\n{of.market.is_tradable}\n".encode())
            for column in (of.time, of.price, of.volume, of.day_volume):
                whole.update(np.ascontiguousarray(column).tobytes())
        return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class TickQuestion:
    """Which stored ticks: of an account, a source (None: each day of the one with the symbol's first tick), symbols
    (none: all that ticked), on days from the first to the last."""

    account: str
    source: str | None
    symbols: Sequence[str]
    first: date
    last: date


def symbols_of(reader: Reader, asked: TickQuestion) -> list[str]:
    """Return the symbols asked for, else all that ticked on the desk's days, by name."""
    if asked.symbols:
        return sorted({parse_name(symbol, "symbol") for symbol in asked.symbols})
    start, stop = (midnight(day, desk_zone()) for day in (asked.first, asked.last + A_DAY))
    return reader.symbols(start, stop, account=asked.account)


def ticking_days(reader: Reader, asked: TickQuestion, symbols: Sequence[str]) -> list[date]:
    """Return the days on which one of the symbols may have a tick, so that no others are read: the desk's days that
    have one, and those beside them, since a symbol's own zone may be another."""
    start, stop = (midnight(day, desk_zone()) for day in (asked.first - A_DAY, asked.last + 2 * A_DAY))
    ticked = {day for symbol in symbols for day in reader.tick_days(symbol, start, stop, account=asked.account)}
    near = {day + shift * A_DAY for day in ticked for shift in (-1, 0, 1)}
    return [day for day in sorted(near) if asked.first <= day <= asked.last]


def read_day(reader: Reader, asked: TickQuestion, symbols: Sequence[str], day: date) -> DayTicks:
    """Return the stored ticks of one day, none where nothing ticked.

    Raises: InvalidValue for bars: where within a bar a stop was reached nobody knows.
    """
    of_symbols = [ticks for symbol in symbols if (ticks := _read(reader, asked, symbol, day)) is not None]
    if not of_symbols:
        return DayTicks(day, ())
    # As a replay merges files: a tick is due at the latest time that its symbol has reached.
    due = np.concatenate([np.maximum.accumulate(ticks.time) for ticks in of_symbols])
    place = np.empty(len(due), dtype=np.int64)
    place[np.argsort(due, kind="stable")] = np.arange(len(due))
    places = np.split(place, np.cumsum([len(ticks.time) for ticks in of_symbols])[:-1])
    return DayTicks(day, [replace(ticks, place=of) for ticks, of in zip(of_symbols, places, strict=True)])


def _read(reader: Reader, asked: TickQuestion, symbol: str, day: date) -> SymbolTicks | None:
    calendar = calendar_of_symbol(symbol)
    starts_at, ends_at = calendar.bounds(day)
    start, stop = nanoseconds(starts_at), nanoseconds(ends_at)
    table = reader.ticks(symbol, start, stop, source=asked.source, account=asked.account)
    if not len(table):
        return None
    if pc.any(pc.equal(table.column("kind"), "bar")).as_py():
        raise InvalidValue(
            f"{symbol} has bars on {day}.",
            field="symbol",
            hint="A backtest runs on ticks: nobody knows in which order a bar reached its high and its low.",
        )
    # Of ticks that an older VELOX recorded in one call nobody kept which came first: those are by time.
    order = np.argsort(instants(table, "received_time"), kind="stable")
    time = instants(table, "exchange_time")[order]
    price, volume, day_volume = (np.asarray(table.column(name).to_numpy(), dtype=np.float64)[order] for name in NUMBERS)
    market = market_day(symbol, starts_at + HALF_A_DAY)
    source = ", ".join(sorted(pc.unique(table.column("source")).to_pylist()))
    return SymbolTicks(symbol, source, time, price, volume, day_volume, time, counting(time, market), market)


def counting(time: IntArray, market: MarketDay) -> Mask:
    """Return which ticks lie within the session and are no older than one within it before them."""
    opens, closes = session_of(market)
    inside = (opens <= time) & (time < closes)
    newest = np.maximum.accumulate(np.where(inside, time, opens))
    return np.asarray(inside & (time >= newest), dtype=bool)


def session_of(market: MarketDay) -> tuple[int, int]:
    """Return the bounds of a continuous session in ns UTC; empty on a closed day."""
    return nanoseconds(market.opens_at or market.starts_at), nanoseconds(market.closes_at or market.starts_at)


def days_with_ticks(
    reader: Reader, asked: TickQuestion, symbols: Sequence[str], days: Sequence[date]
) -> Iterator[DayTicks]:
    """Yield each day that has a tick, in order."""
    for day in days:
        ticks = read_day(reader, asked, symbols, day)
        if len(ticks):
            yield ticks
