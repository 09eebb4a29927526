"""Stored ticks of some days as candles on the grids of their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from lab.backtest.days import SymbolTicks, TickQuestion, days_with_ticks, symbols_of, ticking_days
from lab.backtest.market import instrument_of
from lab.domain.candle_grid import CandleGrid, repeating
from timeseries.reader import Reader
from trading.domain.money import from_units
from trading.errors import InvalidValue
from trading.progress import tell

MINUTE_NS = 60 * 10**9


@dataclass(slots=True)
class GriddedDays:
    """The candles of some symbols, by day and symbol, and the digest of each day's ticks."""

    symbols: Sequence[str]
    grids: list[CandleGrid] = field(default_factory=list)
    digests: dict[date, str] = field(default_factory=dict)


def gridded(reader: Reader, asked: TickQuestion, minutes: int) -> GriddedDays:
    """Return the candles of the days asked for; ticks that a strategy would not trade on are in none.

    Raises: InvalidValue for fewer than two days with ticks, and for bars; StoreUnavailable.
    """
    days = GriddedDays(symbols_of(reader, asked))
    price_ticks = {symbol: float(from_units(instrument_of(symbol).price_tick)) for symbol in days.symbols}
    calendar = ticking_days(reader, asked, days.symbols)
    for number, day in enumerate(days_with_ticks(reader, asked, days.symbols, calendar), start=1):
        grids = [grid_of(ticks, minutes, price_ticks[ticks.symbol]) for ticks in day.symbols if ticks.counts.any()]
        if grids:
            days.grids += grids
            days.digests[day.day] = day.digest()
        tell("days", number, len(calendar))
    if len(days.digests) < 2:
        named = ", ".join(days.symbols) or "any symbol"
        raise InvalidValue(
            f"Account {asked.account} has {len(days.digests)} days with ticks of {named}.",
            field="from",
            hint="One day is looked at, another one held out: give at least two. --ticks names their account.",
        )
    return days


def grid_of(ticks: SymbolTicks, minutes: int, price_tick: float) -> CandleGrid:
    """Return a day's candles of so many minutes, from the opening of its session."""
    opens, closes = ticks.session
    width = minutes * MINUTE_NS
    count = -(-(closes - opens) // width)
    price, place = ticks.price[ticks.counts], (ticks.time[ticks.counts] - opens) // width
    first = np.flatnonzero(np.diff(place, prepend=-1))
    columns = np.full((4, count), np.nan)
    if len(place):
        last = np.append(first[1:], len(place)) - 1
        columns[:, place[first]] = (
            price[first], np.maximum.reduceat(price, first), np.minimum.reduceat(price, first), price[last],
        )  # fmt: skip
    opened, high, low, close = columns
    filled = repeating(high, low, close)
    return CandleGrid(ticks.symbol, ticks.market.day, price_tick, opened, high, low, close, filled)
