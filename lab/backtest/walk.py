"""The plain walk: every tick of the days in turn, to the orders first and then to the strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lab.backtest.days import DayTicks
from lab.backtest.desk import LabDesk
from trading.strategies.base import Strategy

WalkDay = Callable[[LabDesk, Strategy, DayTicks], None]


def walk(desk: LabDesk, strategy: Strategy, days: Iterable[DayTicks], by: WalkDay) -> None:
    """Play days to a strategy from its start to its end. What the strategy raises passes through."""
    strategy.on_start(desk)
    for day in days:
        desk.market = {ticks.symbol: ticks.market for ticks in day.symbols}
        desk.book.begin_day(day.day)
        by(desk, strategy, day)
        lasts = ((ticks.symbol, ticks.last_within()) for ticks in day.symbols)
        desk.book.end_day({symbol: tick for symbol, tick in lasts if tick is not None})
    strategy.on_end()


def plainly(desk: LabDesk, strategy: Strategy, day: DayTicks) -> None:
    """Walk a day tick by tick."""
    book, on_tick = desk.book, strategy.on_tick
    latest, resting, waiting, match = book.latest, book.resting, book.waiting, book.match
    for tick, counts in zip(*day.in_order(), strict=True):
        symbol = tick[0]
        latest[symbol] = tick
        if resting.get(symbol) or waiting.get(symbol):
            match(tick, counts=counts)
        on_tick(tick)
