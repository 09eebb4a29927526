"""Trade the breakout of the range in which the day began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from talipp.indicators import ATR
from talipp.ohlcv import OHLCV

from trading.strategies.base import Tick
from trading.strategies.intraday import LONG, SHORT, Holding, IntradayStrategy, Watch, exact

ATR_PERIOD = 5


@dataclass(slots=True)
class OpeningRange:
    """The day's first prices, and where the last candle closed: above (1), within (0) or below (-1) their range."""

    atr: ATR
    candles: int = 0
    high: float = 0.0
    low: float = 0.0
    place: int = 0

    def widen(self, candle: OHLCV) -> None:
        self.high = max(self.high, float(candle.high or 0))
        self.low = min(self.low or float("inf"), float(candle.low or 0))

    def place_of(self, price: float) -> int:
        return LONG if price > self.high else SHORT if price < self.low else 0


class OpeningRangeBreakout(IntradayStrategy):
    """Buy when a three-minute candle closes above the range of the first five, sell short when one closes below.

    The stop lies one and a half average true ranges away. At one time the risk half is booked and the stop goes to the
    entry; from then on it follows the best price at that distance, at each candle's close. A breakout that has run
    further than a range's width is skipped, and so is one into a range wider than 3 % of the price.
    """

    strategy_id = "opening_range"
    timeframe = "3m"
    range_candles = 5
    stop_ranges = 1.5
    wide_share = 0.03

    def __init__(self, *, candle: timedelta = timedelta(minutes=3), **options: object) -> None:
        super().__init__(candle=candle, **options)  # type: ignore[arg-type]

    def start_day(self, watch: Watch) -> OpeningRange:
        return OpeningRange(ATR(ATR_PERIOD))

    def on_candle(self, watch: Watch, candle: OHLCV, tick: Tick) -> None:
        seen: OpeningRange = watch.state
        seen.atr.add(candle)
        seen.candles += 1
        if seen.candles <= self.range_candles:
            seen.widen(candle)
            return
        place, before = seen.place_of(float(candle.close or 0)), seen.place
        seen.place = place
        if seen.atr[-1] is None:
            return
        atr = round(float(seen.atr[-1]), 4)
        self._trail(watch, tick)
        if place not in (0, before):
            self._break_out(watch, seen, place, atr, tick)
        self.record(watch, {"range_high": seen.high, "range_low": seen.low, "atr": atr}, tick)

    def manage(self, watch: Watch, holding: Holding, tick: Tick) -> None:
        if not holding.has_scaled and holding.gain(exact(tick.price)) >= holding.risk:
            self.scale_out(watch, tick)
            self._trail(watch, tick)

    def _trail(self, watch: Watch, tick: Tick) -> None:
        holding = watch.holding
        if holding is not None and holding.has_scaled:
            self.move_stop(watch, holding.extreme - holding.side * holding.risk, tick, "RISK")

    def _break_out(self, watch: Watch, seen: OpeningRange, side: int, atr: float, tick: Tick) -> None:
        width = seen.high - seen.low
        beyond = side * (tick.price - (seen.high if side == LONG else seen.low))
        objection = ""
        if width > self.wide_share * tick.price:
            objection = "the opening range is too wide"
        elif beyond > width:
            objection = "the price has run too far"
        distance = max(self.stop_ranges * atr, float(self.price_tick))
        stop = self.stop_price(tick.price - side * distance)
        conditions = {"range_high": seen.high, "range_low": seen.low, "atr": atr, "beyond": round(beyond, 4)}
        self.consider(watch, side, stop, tick, conditions, objection)
