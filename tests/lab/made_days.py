"""Days of ticks made up for walks, and a desk that remembers every call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from lab.backtest.days import DayTicks, SymbolTicks, counting
from lab.backtest.desk import LabDesk
from lab.backtest.orders import OrderBook
from lab.backtest.walk import WalkDay, plainly, walk
from lab.domain.fills import FillModel, TradedInstrument
from tests.trading.fake_desk import FakeDesk
from trading.domain.money import SCALE
from trading.strategies.base import Strategy, instant, nanoseconds

DAY = date(2021, 4, 12)
SECOND = 10**9
OPENS = nanoseconds(datetime(2021, 4, 12, 3, 45, tzinfo=UTC))  # 09:15 in India


def ticks_of(symbol: str, seconds: Sequence[float], prices: Sequence[float], *, days_on: int = 0) -> SymbolTicks:
    """Ticks of one symbol by the seconds since the opening, in the order in which they came."""
    shift = days_on * 86_400 * SECOND
    time = np.array([OPENS + shift + round(second * SECOND) for second in seconds], dtype=np.int64)
    market = FakeDesk().get_market_day(symbol, instant(OPENS + shift))
    absent = np.full(len(time), np.nan)
    price = np.array(prices, dtype=np.float64)
    return SymbolTicks(symbol, "made", time, price, absent, absent, time, counting(time, market), market)


def day_of(*symbols: SymbolTicks) -> DayTicks:
    """A day of these symbols, merged as stored ones are."""
    due = np.concatenate([np.maximum.accumulate(ticks.time) for ticks in symbols])
    place = np.empty(len(due), dtype=np.int64)
    place[np.argsort(due, kind="stable")] = np.arange(len(due))
    places = np.split(place, np.cumsum([len(ticks.time) for ticks in symbols])[:-1])
    placed = [replace(ticks, place=of) for ticks, of in zip(symbols, places, strict=True)]
    return DayTicks(symbols[0].market.day, placed)


def random_day(seed: int, *, symbols: Sequence[str] = ("A", "B"), ticks: int = 1500, days_on: int = 0) -> DayTicks:
    """A day whose prices wander on their grid, with late ticks, several in one second, and some out of the session."""
    chance = np.random.default_rng([seed, days_on])
    made = []
    for symbol in symbols:
        seconds = np.sort(chance.integers(-300, 23_400, size=ticks)).astype(float)
        late = chance.random(ticks) < 0.02
        seconds[late] -= chance.integers(1, 90, size=int(late.sum()))
        steps = chance.normal(0, 1.2, size=ticks).cumsum() + 6 * np.sin(np.arange(ticks) / 90)
        made.append(ticks_of(symbol, seconds, np.round((1900 + steps) / 0.05) * 0.05, days_on=days_on))
    return day_of(*made)


class WatchedDesk(LabDesk):
    """A desk that remembers what it was asked, in order."""

    def __init__(self, book: OrderBook) -> None:
        super().__init__(book)
        self.calls: list[tuple[Any, ...]] = []


def _watched(name: str) -> Any:
    def call(self: WatchedDesk, *arguments: Any, **keywords: Any) -> Any:
        self.calls.append((name, arguments, tuple(sorted(keywords.items(), key=str))))
        return getattr(LabDesk, name)(self, *arguments, **keywords)

    return call


for _name in (
    "open_position", "add_fill", "close_position", "update_trailing_sl", "record_signal", "cache_indicators",
    "update_position_snapshot", "get_market_day",
):  # fmt: skip
    setattr(WatchedDesk, _name, _watched(_name))


def played(
    strategy: Strategy, days: Sequence[DayTicks], model: FillModel | None = None, by: WalkDay = plainly
) -> WatchedDesk:
    """Walk a strategy over days, on an instrument with a price tick of 0.05."""
    symbols = {ticks.symbol for day in days for ticks in day.symbols}
    instruments = {symbol: TradedInstrument(price_tick=SCALE // 20) for symbol in symbols}
    desk = WatchedDesk(OrderBook(model or FillModel(0, 0), instruments))
    walk(desk, strategy, days, by)
    return desk


def fills_of(desk: LabDesk) -> list[tuple[Any, ...]]:
    """Every fill in order of trades: what, when, on which day, at what price, with which reason at the end."""
    return [
        (trade.trade_id, trade.exit_reason, trade.is_over, trade.initial_risk, fill.at, fill.day, fill.execution)
        for trade in desk.trades
        for fill in trade.fills
    ]
