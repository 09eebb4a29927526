"""Sessions made up as bars of a minute: prices that lead up to the day that follows them, the same for one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from timeseries.measurements import FloatArray, IntArray
from trading.domain.sessions import DaySession
from trading.feeds.feed import Feed
from trading.feeds.ticks import Ticks
from trading.replay import joined, simulated_ticks
from trading.simulator import SHARES, Share, SimulatedSymbol, on_grid, simulate
from trading.strategies.base import nanoseconds

SECOND = 10**9
MINUTE, FIVE_SECONDS = 60 * SECOND, 5 * SECOND
TICKS_A_DAY = 3_000  # that a day's bars are made of
GAP_DAY = 3  # sessions before the demo's day: bars of five seconds are kept of one symbol, with a gap in them
GAP_SYMBOL, GAP_SHARE, GAP_TICKS = "RELIANCE", (0.42, 0.46), 45_000  # from and to, as shares of the session
TICK_DAYS, TICK_SYMBOL = 24, "TCS"  # sessions before the demo's day of which ticks are kept: what the lab searches
OVERNIGHT_SHARE = 0.004  # how far a price jumps between two sessions (one standard deviation)


@dataclass(frozen=True, slots=True)
class Bars:
    """One symbol's bars of a day, ascending: ``time`` is each bar's end in ns UTC; ``volume`` is 0 for an index."""

    time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __len__(self) -> int:
        return len(self.time)

    def columns(self, name: str) -> Ticks:
        """Return the bars as a feed takes them."""
        absent = np.full(len(self), np.nan)
        volume = self.volume if self.volume.any() else absent
        prices = (self.close, self.open, self.high, self.low)
        return Ticks((name,), np.zeros(len(self), dtype=np.int64), self.time, *prices, volume, absent)


@dataclass(frozen=True, slots=True)
class MadeUpDay:
    """A session by symbol: ``kept`` is recorded, ``minutes`` are what trades are made up on."""

    session: DaySession
    minutes: dict[str, Bars]
    kept: dict[str, Ticks]


def days_before(sessions: Sequence[DaySession], *, seed: int, shares: Sequence[Share] = SHARES) -> list[MadeUpDay]:
    """Return these sessions, ascending, whose prices lead to those at which ``shares`` open on the day after."""
    prices = {share.name: share.price for share in shares}
    days = []
    for back, session in enumerate(reversed(sessions), 1):
        opens, closes = nanoseconds(session.opens_at), nanoseconds(session.closes_at)
        minutes, kept = {}, {}
        for place, share in enumerate(shares):
            has_gap = (back, share.name) == (GAP_DAY, GAP_SYMBOL)
            ticks = GAP_TICKS if has_gap else TICKS_A_DAY
            of_day = replace(share, ticks=ticks, size=share.size * share.ticks // ticks)
            (walk,) = simulate(opens, closes, seed=seed * 1_000 + back * len(shares) + place, shares=[of_day])
            random = np.random.default_rng([seed, back, place])
            ends_at = prices[share.name] * np.exp(random.normal(0, OVERNIGHT_SHARE))
            walk = replace(walk, price=on_grid(walk.price * (ends_at / walk.price[-1])))
            prices[share.name] = float(walk.price[0])
            if has_gap:
                first, last = (opens + int(share_of * (closes - opens)) for share_of in GAP_SHARE)
                walk = _without(walk, first, last)
            minutes[share.name] = bars_of(walk, opens, MINUTE)
            kept[share.name] = _kept(walk, minutes[share.name], opens, back)
        days.append(MadeUpDay(session, minutes, kept))
    return days[::-1]


def _kept(walk: SimulatedSymbol, minutes: Bars, opens: int, back: int) -> Ticks:
    """Return what is recorded of a symbol's day: its minutes, but of some days what is finer."""
    if walk.name == TICK_SYMBOL and back <= TICK_DAYS:
        return simulated_ticks(walk)
    bars = bars_of(walk, opens, FIVE_SECONDS) if (back, walk.name) == (GAP_DAY, GAP_SYMBOL) else minutes
    return bars.columns(walk.name)


def history_feed(days: Sequence[MadeUpDay]) -> Feed:
    """Return what is recorded of the days as one input, by time."""
    return joined([ticks for day in days for ticks in day.kept.values()])


def bars_of(symbol: SimulatedSymbol, opens: int, length: int) -> Bars:
    """Return a symbol's bars of ``length`` ns, counted from ``opens`` (ns UTC)."""
    number = (symbol.time - opens) // length
    first = np.flatnonzero(np.diff(number, prepend=-1))
    last = np.append(first[1:], len(number)) - 1
    price = symbol.price
    high, low = np.maximum.reduceat(price, first), np.minimum.reduceat(price, first)
    volume = np.diff(symbol.day_volume[last], prepend=0.0)
    return Bars(opens + (number[first] + 1) * length, price[first], high, low, price[last], volume)


def _without(symbol: SimulatedSymbol, first: int, last: int) -> SimulatedSymbol:
    """Return a symbol without its ticks of ``first <= time < last``."""
    remaining = (symbol.time < first) | (symbol.time >= last)
    return replace(
        symbol, time=symbol.time[remaining], price=symbol.price[remaining], day_volume=symbol.day_volume[remaining]
    )
