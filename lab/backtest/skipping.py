"""The walk that skips: the strategy is given only the ticks at which it or an order does something.

For classes of `IntradayStrategy` that override neither `manage` nor `on_tick`. Between two such ticks nothing but a
candle and a trade's best price moves, and those are told in one step from columns; calls and fills are those of the
plain walk.
"""

from __future__ import annotations

import heapq

import numpy as np

from lab.backtest.days import DayTicks, SymbolTicks
from lab.backtest.desk import LabDesk
from lab.backtest.orders import OrderBook
from timeseries.measurements import FloatArray, IntArray
from trading.domain import position
from trading.domain.money import SCALE
from trading.strategies.base import Strategy, duration_ns
from trading.strategies.intraday import LONG, IntradayStrategy, State

# What a class may not override: whatever of these is its own might do something at a tick that is passed over.
UNCHANGED = ("manage", "on_tick", "pass_over", "watch_of", "_is_over", "_turn_to")
SLACK = 1e-9  # as a share of a stop: more than its rounding to a float


def can_skip(strategy: Strategy) -> bool:
    """Tell whether a strategy looks at candles alone, and lets the base decide when it is given a tick."""
    kind = type(strategy)
    return issubclass(kind, IntradayStrategy) and all(
        getattr(kind, name) is getattr(IntradayStrategy, name) for name in UNCHANGED
    )


def skipping(desk: LabDesk, strategy: Strategy, day: DayTicks) -> None:
    """Walk a day from one tick that matters to the next. Raises: TypeError for a strategy that cannot be skipped."""
    if not isinstance(strategy, IntradayStrategy):
        raise TypeError(f"{strategy.strategy_id} is given every tick.")
    tracks = [Track(ticks, strategy, desk.book) for ticks in day.symbols]
    due = [(place, number) for number, track in enumerate(tracks) if (place := track.next_place()) is not None]
    heapq.heapify(due)
    while due:
        _, number = heapq.heappop(due)
        track = tracks[number]
        track.step()
        place = track.next_place()
        if place is not None:
            heapq.heappush(due, (place, number))
    for track in tracks:
        track.pass_to(int(track.ticks.counts.sum()))


class Track:
    """One symbol's way through its day: the last tick that the strategy has taken, and the next that it is given.

    Rows are those of all ticks, numbers those of the ticks that count. The stretch of a number are the ticks from there
    to the next candle.
    """

    def __init__(self, ticks: SymbolTicks, strategy: IntradayStrategy[State], book: OrderBook) -> None:
        self.ticks, self.strategy, self.book = ticks, strategy, book
        self._rows: IntArray = np.flatnonzero(ticks.counts)
        self._price: FloatArray = ticks.price[self._rows]
        time = ticks.time[self._rows]
        opens, closes = ticks.session
        candle = (time - opens) // duration_ns(strategy.candle)
        starts: IntArray = np.flatnonzero(np.diff(candle, prepend=-1))
        self._starts = [*starts.tolist(), len(time)]
        self._highs, self._lows = _rests(self._price, starts)
        self._candle = 0  # which of the starts is the next
        self._over = int(np.searchsorted(time, closes - duration_ns(strategy.square_off_before)))
        self._taken = -1
        self._row: int | None = 0

    def next_place(self) -> int | None:
        """Return the place of the next tick to give among all of the day's; None where no further one matters."""
        return None if self._row is None else self.ticks.place.item(self._row)

    def step(self) -> None:
        """Give the next tick to orders and strategy, and look for the one after it."""
        row = self._row
        if row is None:
            return
        number = int(self._rows.searchsorted(row))
        self.pass_to(number)
        tick, counts = self.ticks.tick(row), self.ticks.counts.item(row)
        self.book.latest[tick.symbol] = tick
        self.book.match(tick, counts=counts)
        self.strategy.on_tick(tick)
        if counts:
            self._taken = number
            self._candle += number == self._starts[self._candle]
        self._row = self._next(row)

    def pass_to(self, number: int) -> None:
        """Let the strategy take the ticks that count before this one in one step: they are of one candle."""
        first = self._taken + 1
        if first >= number:
            return
        last, candle = self._candle, self._candle - 1
        if first == self._starts[candle] + 1 and number == self._starts[last]:
            high, low = self._highs[candle], self._lows[candle]
        else:
            price = self._price[first:number]
            high, low = float(price.max()), float(price.min())
        self.strategy.pass_over(self.ticks.tick(self._rows.item(number - 1)), high, low)
        self._taken = number - 1

    def _next(self, row: int) -> int | None:
        """Return the row of the next tick that matters."""
        first, end = self._taken + 1, self._starts[self._candle]
        number, symbol = end, self.ticks.symbol
        watch = self.strategy.watch_of(symbol)
        if watch is not None and watch.holding is not None:
            number = min(number, self._reached(first, end, watch.holding.side == LONG, float(watch.holding.stop)))
            number = min(number, max(first, self._over))
        for trade in self.book.resting.get(symbol, ()):
            if trade.stop is not None:
                is_long = trade.holding.side == position.LONG
                number = min(number, self._reached(first, end, is_long, trade.stop / SCALE))
        rows = [self._rows.item(number)] if number < len(self._rows) else []
        due = self.book.due(symbol)
        if due is not None:
            filling = np.flatnonzero(self.ticks.time[row + 1 :] >= due)[:1]
            rows += (filling + row + 1).tolist()
        return min(rows, default=None)

    def _reached(self, first: int, end: int, is_long: bool, stop: float) -> int:
        """Return the first number of a stretch whose price is at a stop, or as near as a float can tell: a tick more
        that is given changes nothing."""
        near = stop + abs(stop) * SLACK if is_long else stop - abs(stop) * SLACK
        candle = self._candle - 1
        if candle >= 0 and (self._lows[candle] > near if is_long else self._highs[candle] < near):
            return end
        price = self._price[first:end]
        reached = np.flatnonzero(price <= near if is_long else price >= near)
        return first + int(reached[0]) if len(reached) else end


def _rests(price: FloatArray, starts: IntArray) -> tuple[list[float], list[float]]:
    """Return the highest and the lowest price of each candle but for its first tick; of one tick, anything."""
    if not len(starts):
        return [], []
    ends = np.append(starts[1:], len(price))
    bounds = np.column_stack([starts + 1, ends]).ravel()
    padded = np.append(price, [price[-1]] * 2)
    return np.maximum.reduceat(padded, bounds)[::2].tolist(), np.minimum.reduceat(padded, bounds)[::2].tolist()
