"""A strategy that trades the breakout of the range in which the day began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Unpack

from talipp.indicators import ATR
from talipp.ohlcv import OHLCV

from trading.strategies.base import Tick
from trading.strategies.intraday import LONG, SHORT, IntradayOptions, IntradayStrategy, OpenTrade, Watch, exact
from trading.strategies.parameters import ParameterSpan


@dataclass(slots=True)
class OpeningRange:
    """The range of the day's first prices, and where the last candle closed: above (1), within (0) or below (-1) it."""

    atr: ATR
    candles: int = 0
    high: float = 0.0
    low: float = 0.0
    place: int = 0


class OpeningRangeBreakout(IntradayStrategy[OpeningRange]):
    """A strategy that trades three-minute candles closing beyond the range of the first five: long above, short below.

    The stop lies one and a half average true ranges away. At one time the risk half is booked and the stop goes to the
    entry; from then on it follows the best price at that distance, at each candle's close. A breakout that has run
    further than a range's width is skipped, and so is one into a range wider than 3 % of the price.
    """

    strategy_id = "opening_range"
    timeframe = "3m"
    range_candles = 5
    atr_period = 5
    stop_ranges = 1.5
    wide_share = 0.03
    spans = {
        "range_candles": ParameterSpan(1, 40),
        "atr_period": ParameterSpan(2, 40),
        "stop_ranges": ParameterSpan(0.5, 10.0, 0.25),
        "wide_share": ParameterSpan(0.001, 0.2, 0.001),
    }

    def __init__(self, **options: Unpack[IntradayOptions]) -> None:
        options.setdefault("candle", timedelta(minutes=3))
        super().__init__(**options)

    def start_day(self, watch: Watch[OpeningRange]) -> OpeningRange:
        return OpeningRange(ATR(self.atr_period))

    def on_candle(self, watch: Watch[OpeningRange], candle: OHLCV, tick: Tick) -> None:
        opening = watch.state
        opening.atr.add(candle)
        opening.candles += 1
        if opening.candles <= self.range_candles:
            opening.high = max(opening.high, float(candle.high or 0))
            opening.low = min(opening.low or float("inf"), float(candle.low or 0))
            return
        close, before = float(candle.close or 0), opening.place
        opening.place = place = LONG if close > opening.high else SHORT if close < opening.low else 0
        if opening.atr[-1] is None:
            return
        atr = round(float(opening.atr[-1]), 4)
        self._trail(watch, tick)
        if place not in (0, before):
            self._break_out(watch, place, atr, tick)
        self.record(watch, {"range_high": opening.high, "range_low": opening.low, "atr": atr}, tick)

    def manage(self, watch: Watch[OpeningRange], holding: OpenTrade, tick: Tick) -> None:
        if not holding.has_scaled and holding.gain(exact(tick.price)) >= holding.risk:
            self.scale_out(watch, tick)
            self._trail(watch, tick)

    def _trail(self, watch: Watch[OpeningRange], tick: Tick) -> None:
        holding = watch.holding
        if holding is not None and holding.has_scaled:
            self.move_stop(watch, holding.extreme - holding.side * holding.risk, tick, "RISK")

    def _break_out(self, watch: Watch[OpeningRange], side: int, atr: float, tick: Tick) -> None:
        """Take the signal of a breakout, or skip one that has run too far or leaves too wide a range."""
        opening = watch.state
        width = opening.high - opening.low
        beyond = side * (tick.price - (opening.high if side == LONG else opening.low))
        objection = ""
        if width > self.wide_share * tick.price:
            objection = "the opening range is too wide"
        elif beyond > width:
            objection = "the price has run too far"
        distance = max(self.stop_ranges * atr, float(self.price_tick))
        stop = self.stop_price(tick.price - side * distance)
        conditions = {"range_high": opening.high, "range_low": opening.low, "atr": atr, "beyond": round(beyond, 4)}
        self.consider(watch, side, stop, tick, conditions, objection)
