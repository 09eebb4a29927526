"""The peer's side of the row `backtest`, run by the peer's own environment: nothing of VELOX is imported here.

`python bench/backtest_peer.py NAME=FILE ...`: each line of the input plays the files once, with the periods that it
names. The line that answers has the CPU seconds that took, the number of ticks, the P&L and the peak of memory; reading
files and building its objects is not counted in the seconds.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

KOLKATA = ZoneInfo("Asia/Kolkata")
VENUE = Venue("NSE")
FLAT_AT = datetime(2021, 4, 12, 15, 15, tzinfo=KOLKATA).timestamp() * 1e9


class CrossConfig(StrategyConfig, frozen=True):
    """The strategy's one instrument."""

    instrument_id: InstrumentId
    bar_type: BarType
    fast: int = 9
    slow: int = 21


class Cross(Strategy):
    """Always in after the first cross of two averages of one-minute closes, one unit, flat at 15:15."""

    def __init__(self, config: CrossConfig) -> None:
        super().__init__(config)
        self.fast, self.slow = ExponentialMovingAverage(config.fast), ExponentialMovingAverage(config.slow)
        self.side = 0
        self.held = 0

    def on_start(self) -> None:
        self.register_indicator_for_bars(self.config.bar_type, self.fast)
        self.register_indicator_for_bars(self.config.bar_type, self.slow)
        self.subscribe_bars(self.config.bar_type)
        self.subscribe_trade_ticks(self.config.instrument_id)

    def on_trade_tick(self, tick: TradeTick) -> None:
        if self.held and tick.ts_event >= FLAT_AT:
            self.order(-self.held)

    def on_bar(self, bar: Bar) -> None:
        if not self.indicators_initialized() or bar.ts_event >= FLAT_AT:
            return
        side = 1 if self.fast.value > self.slow.value else -1
        before, self.side = self.side, side
        if before not in (0, side):
            self.order(side - self.held)

    def order(self, units: int) -> None:
        """Buy (or, below 0, sell) so many units at the market."""
        side = OrderSide.BUY if units > 0 else OrderSide.SELL
        self.submit_order(self.order_factory.market(self.config.instrument_id, side, Quantity.from_int(abs(units))))
        self.held += units

    def on_stop(self) -> None:
        self.close_all_positions(self.config.instrument_id)


def read(name: str, path: str) -> tuple[Equity, list[TradeTick]]:
    """Return an instrument and its ticks, late ones dropped."""
    instrument_id = InstrumentId(Symbol(name), VENUE)
    share = Equity(instrument_id, Symbol(name), USD, 2, Price.from_str("0.05"), Quantity.from_int(1), 0, 0)
    ticks, newest = [], 0
    with open(path, newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            at = int(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=KOLKATA).timestamp()) * 10**9
            if at < newest:
                continue
            newest = at
            price, one = Price(float(row["ltp"]), 2), Quantity.from_int(1)
            ticks.append(TradeTick(instrument_id, price, one, AggressorSide.BUYER, TradeId(str(number)), at, at))
    return share, ticks


def play(feeds: list[tuple[Equity, list[TradeTick]]], fast: int = 9, slow: int = 21) -> dict[str, float]:
    """Play every feed once."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, starting_balances=[Money(100_000, USD)],
                     base_currency=USD, default_leverage=Decimal(10))  # fmt: skip
    for share, ticks in feeds:
        engine.add_instrument(share)
        engine.add_data(ticks)
        bars = BarType.from_str(f"{share.id}-1-MINUTE-LAST-INTERNAL")
        engine.add_strategy(
            Cross(
                CrossConfig(
                    instrument_id=share.id, bar_type=bars, fast=fast, slow=slow, order_id_tag=share.id.symbol.value
                )
            )
        )
    began = time.process_time()
    engine.run()
    engine.get_result()
    seconds = time.process_time() - began
    pnl = sum(float(position.realized_pnl.as_double()) for position in engine.kernel.cache.positions())
    pnl += sum(float(p.realized_pnl.as_double()) for p in engine.kernel.cache.position_snapshots())
    count = sum(len(ticks) for _, ticks in feeds)
    engine.dispose()
    peak = peak_bytes()
    return {"seconds": seconds, "ticks": count, "pnl": round(pnl, 2), "peak": peak}


def peak_bytes() -> int:
    """Return this program's peak of memory; `ru_maxrss` has that of the process that started it, where it is higher."""
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def main(words: list[str]) -> None:
    feeds = [read(*word.split("=", 1)) for word in words]
    for line in sys.stdin:
        print(json.dumps(play(feeds, *map(int, line.split()))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
