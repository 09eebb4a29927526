"""The base of strategies: classes without arguments, given the facade once and then every tick in turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trading.data_manager import DataManager

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Tick(NamedTuple):
    """One tick, or one bar (it has an ``open``, its close is the price). ``time`` is ns UTC; the high and low of a tick
    are its price."""

    symbol: str
    time: int
    price: float
    high: float
    low: float
    volume: float | None = None
    day_volume: float | None = None
    open: float | None = None

    @property
    def at(self) -> datetime:
        """The tick's time, aware UTC, in whole microseconds."""
        return instant(self.time)


class Strategy(ABC):
    """A trader through the facade alone; each tick is recorded before the strategy is given it.

    A strategy keeps its state in itself and takes every time from its ticks, never from a clock: then a replay of the
    same ticks repeats its calls, the ledger meets its own rows again, and a replay that was cut off goes on by
    starting over. Ids of trades and fills are made of strategy, symbol and time for the same reason.
    """

    strategy_id = ""

    def on_start(self, dm: DataManager) -> None:
        """Get ready: called once, before the first tick."""
        self.dm = dm

    @abstractmethod
    def on_tick(self, tick: Tick) -> None:
        """Act on a tick. Ticks come in order of arrival: one may be older than its predecessor."""

    def on_end(self) -> None:  # noqa: B027  (a strategy may have nothing to settle)
        """Settle: called once, after the last tick."""


def instant(nanoseconds: int) -> datetime:
    """Return ns UTC as an aware datetime in whole microseconds."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def nanoseconds(moment: datetime) -> int:
    """Return an aware datetime as ns UTC."""
    return duration_ns(moment - _EPOCH)


def duration_ns(duration: timedelta) -> int:
    """Return a duration in ns, to whole microseconds."""
    return duration // _MICROSECOND * 1000
