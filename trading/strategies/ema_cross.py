"""Follow the trend: two moving averages that cross, and a stop that trails by the average true range."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from talipp.indicators import ATR, EMA
from talipp.ohlcv import OHLCV

from trading.strategies.base import Tick
from trading.strategies.intraday import LONG, SHORT, IntradayStrategy, Watch, exact

FAST, SLOW, ATR_PERIOD = 9, 21, 14


@dataclass(slots=True)
class Averages:
    fast: EMA
    slow: EMA
    atr: ATR
    side: int = 0  # on which side of the slow average the fast one was


class EmaCross(IntradayStrategy):
    """Buy when the fast average of one-minute closes crosses above the slow one, sell short when it crosses below.

    The stop lies two average true ranges away and trails the best price, in steps of a quarter of one, at each candle's
    close; a cross the other way closes the trade and may open the next. A cross in a market that hardly moves (an
    average true range below 0.03 % of the price) is skipped.
    """

    strategy_id = "ema_cross"
    timeframe = "1m"
    stop_ranges = 2.0
    quiet_share = 0.0003
    step_ranges = 0.25  # a stop that would move by less stays

    def start_day(self, watch: Watch) -> Averages:
        return Averages(EMA(FAST), EMA(SLOW), ATR(ATR_PERIOD))

    def on_candle(self, watch: Watch, candle: OHLCV, tick: Tick) -> None:
        seen: Averages = watch.state
        seen.fast.add(candle.close)
        seen.slow.add(candle.close)
        seen.atr.add(candle)
        if seen.slow[-1] is None:
            return
        fast, slow, atr = (round(float(series[-1]), 4) for series in (seen.fast, seen.slow, seen.atr))
        self._trail(watch, atr, tick)
        self._follow_cross(watch, seen, fast, slow, atr, tick)
        self.record(watch, {"ema_fast": fast, "ema_slow": slow, "atr": atr}, tick)

    def _follow_cross(self, watch: Watch, seen: Averages, fast: float, slow: float, atr: float, tick: Tick) -> None:
        side = LONG if fast > slow else SHORT if fast < slow else seen.side
        before, seen.side = seen.side, side
        if before in (side, 0):
            return
        if watch.holding is not None and watch.holding.side != side:
            self.close(watch, tick, "cross")
        stop = self._stop(tick.price, side, atr)
        objection = "the market hardly moves" if atr < self.quiet_share * tick.price else ""
        self.consider(watch, side, stop, tick, {"ema_fast": fast, "ema_slow": slow, "atr": atr}, objection)

    def _trail(self, watch: Watch, atr: float, tick: Tick) -> None:
        holding = watch.holding
        if holding is None:
            return
        stop = self._stop(float(holding.extreme), holding.side, atr)
        if abs(stop - holding.stop) >= exact(self.step_ranges * atr):
            self.move_stop(watch, stop, tick, "ATR")

    def _stop(self, price: float, side: int, atr: float) -> Decimal:
        distance = max(self.stop_ranges * atr, float(self.price_tick))
        return self.stop_price(price - side * distance)
