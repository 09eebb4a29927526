"""Several strategies on one feed, as a desk runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trading.strategies.base import Strategy, Tick

if TYPE_CHECKING:
    from trading.data_manager import DataManager


class Together(Strategy):
    """A strategy that hands every call on to others, each in turn."""

    strategy_id = "together"

    def __init__(self, strategies: Sequence[Strategy]) -> None:
        self.strategies = tuple(strategies)

    def on_start(self, dm: DataManager) -> None:
        for strategy in self.strategies:
            strategy.on_start(dm)

    def on_tick(self, tick: Tick) -> None:
        for strategy in self.strategies:
            strategy.on_tick(tick)

    def on_end(self) -> None:
        for strategy in self.strategies:
            strategy.on_end()
