"""A strategy that an outside count is known of: a plain cross of two averages, always in after the first cross."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from talipp.indicators import EMA
from talipp.ohlcv import OHLCV

from trading.strategies.base import Tick
from trading.strategies.intraday import FILLS, LONG, SHORT, SIDES, IntradayStrategy, OpenTrade, Watch, exact
from trading.strategies.parameters import ParameterSpan


@dataclass(slots=True)
class Cross:
    """The averages of one symbol's day, and on which side of the slow one the fast one was."""

    fast: EMA
    slow: EMA
    side: int = 0
    trades: list[str] = field(default_factory=list)


class PlainCross(IntradayStrategy[Cross]):
    """EMA 9/21 of one-minute closes, seeded by the simple average, one unit, flat at 15:15, no stop."""

    strategy_id = "plain_cross"
    square_off_before = timedelta(minutes=15)
    fast, slow = 9, 21
    spans = {"fast": ParameterSpan(2, 60), "slow": ParameterSpan(3, 240)}

    def start_day(self, watch: Watch[Cross]) -> Cross:
        return Cross(EMA(self.fast), EMA(self.slow))

    def on_candle(self, watch: Watch[Cross], candle: OHLCV, tick: Tick) -> None:
        cross = watch.state
        cross.fast.add(candle.close)
        cross.slow.add(candle.close)
        if cross.slow[-1] is None:
            return
        fast, slow = float(cross.fast[-1]), float(cross.slow[-1])
        side = LONG if fast > slow else SHORT if fast < slow else cross.side
        before, cross.side = cross.side, side
        if before in (side, 0):
            return
        if watch.holding is not None:
            self.close(watch, tick, "cross")
        trade_id = f"{watch.symbol}-{len(cross.trades) + 1}-{tick.at:%Y%m%d}"
        cross.trades.append(trade_id)
        price = exact(tick.price)
        self.dm.open_position(
            trade_id, self.strategy_id, watch.symbol, price, 1, tick.at, side=SIDES[side], fill_id=f"{trade_id}-in"
        )
        # A stop that no price reaches: without one the base would have to be told otherwise.
        far = Decimal(0) if side == LONG else Decimal(10**9)
        watch.holding = OpenTrade(trade_id, side, 1, price, far, Decimal(0), price)


assert FILLS[LONG] == "BUY"
