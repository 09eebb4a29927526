"""Candles of one length from a strategy's ticks, each complete when the next one begins."""

from __future__ import annotations

from talipp.ohlcv import OHLCV

from trading.strategies.base import Tick


class Candles:
    """A builder of candles of one length, counted from the session's opening (both in ns)."""

    __slots__ = ("_close", "_current", "_high", "_low", "_open", "anchor", "every")

    def __init__(self, anchor: int, every: int) -> None:
        self.anchor, self.every = anchor, every
        self._current: int | None = None
        self._open = self._high = self._low = self._close = 0.0

    def absorb(self, high: float, low: float, close: float) -> None:
        """Take further ticks of the candle that is not complete yet, told by their extremes and their last price."""
        self._high, self._low, self._close = max(self._high, high), min(self._low, low), close

    def add(self, tick: Tick) -> OHLCV | None:
        """Take a tick, no older than the last; return the candle that it completes, None where it completes none."""
        number = (tick.time - self.anchor) // self.every
        if number == self._current:
            self._high, self._low = max(self._high, tick.high), min(self._low, tick.low)
            self._close = tick.price
            return None
        done = None if self._current is None else OHLCV(self._open, self._high, self._low, self._close)
        self._current = number
        self._open, self._high, self._low, self._close = tick.price, tick.high, tick.low, tick.price
        return done
