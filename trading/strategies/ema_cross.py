"""A strategy that follows the trend: two averages that cross, a stop that trails by the average true range."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from talipp.indicators import ATR, EMA
from talipp.ohlcv import OHLCV

from trading.strategies.base import Tick
from trading.strategies.intraday import LONG, SHORT, IntradayStrategy, Watch, exact
from trading.strategies.parameters import ParameterSpan


@dataclass(slots=True)
class Averages:
    """The indicators of one symbol's day."""

    fast: EMA
    slow: EMA
    atr: ATR
    side: int = 0  # on which side of the slow average the fast one was


class EmaCross(IntradayStrategy[Averages]):
    """A strategy that trades crosses of a fast and a slow average of one-minute closes: long above, short below.

    The stop lies two average true ranges away and trails the best price, in steps of a quarter of one, at each candle's
    close; a cross the other way closes the trade and may open the next. A cross in a market that hardly moves (an
    average true range below 0.03 % of the price) is skipped.
    """

    strategy_id = "ema_cross"
    timeframe = "1m"
    fast, slow, atr_period = 9, 21, 14
    stop_ranges = 2.0
    quiet_share = 0.0003
    step_ranges = 0.25  # a stop that would move by less stays
    spans = {
        "fast": ParameterSpan(2, 60),
        "slow": ParameterSpan(3, 240),
        "atr_period": ParameterSpan(2, 60),
        "stop_ranges": ParameterSpan(0.5, 10.0, 0.25),
        "quiet_share": ParameterSpan(0.0, 0.002, 0.0001),
        "step_ranges": ParameterSpan(0.0, 2.0, 0.25),
    }

    def start_day(self, watch: Watch[Averages]) -> Averages:
        return Averages(EMA(self.fast), EMA(self.slow), ATR(self.atr_period))

    def on_candle(self, watch: Watch[Averages], candle: OHLCV, tick: Tick) -> None:
        averages = watch.state
        averages.fast.add(candle.close)
        averages.slow.add(candle.close)
        averages.atr.add(candle)
        newest = [series[-1] for series in (averages.fast, averages.slow, averages.atr)]
        if None in newest:
            return
        fast, slow, atr = (round(float(number), 4) for number in newest)
        indicators = {"ema_fast": fast, "ema_slow": slow, "atr": atr}
        holding = watch.holding
        if holding is not None:
            stop = self._stop(float(holding.extreme), holding.side, atr)
            if abs(stop - holding.stop) >= exact(self.step_ranges * atr):
                self.move_stop(watch, stop, tick, "ATR")
        side = LONG if fast > slow else SHORT if fast < slow else averages.side
        before, averages.side = averages.side, side
        if before not in (side, 0):  # the averages have crossed
            if watch.holding is not None and watch.holding.side != side:
                self.close(watch, tick, "cross")
            objection = "the market hardly moves" if atr < self.quiet_share * tick.price else ""
            self.consider(watch, side, self._stop(tick.price, side, atr), tick, indicators, objection)
        self.record(watch, indicators, tick)

    def _stop(self, price: float, side: int, atr: float) -> Decimal:
        """Return the stop that belongs to a price: so many average true ranges away, on the grid."""
        distance = max(self.stop_ranges * atr, float(self.price_tick))
        return self.stop_price(price - side * distance)
