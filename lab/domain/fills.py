"""How orders of a backtest are filled, and the trades that come of it: plain values, in integers of 10^-8."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from trading.domain.charge_heads import Segment
from trading.domain.money import SCALE, divide_half_even
from trading.domain.position import BUY, Execution, Holding, Realised, value_of

HUNDREDTH = SCALE // 100
UNKNOWN = "none"  # how fills are charged of which no charges are known


@dataclass(frozen=True, slots=True)
class FillModel:
    """How an order is filled: so many milliseconds after the tick at which the strategy spoke, so many price ticks
    worse. It is charged so many percent of its value, or by the schedule of charges and a brokerage plan of it; with
    neither as the strategy says, else nobody knows."""

    latency_ms: int = 500
    slippage_ticks: int = 1
    charge_percent: Decimal | None = None
    plan: str = ""

    @property
    def charged(self) -> str:
        """How fills are charged, as a trial tells it."""
        return self.plan or (UNKNOWN if self.charge_percent is None else f"{self.charge_percent:f}")

    def charges(self, amount: int) -> int | None:
        """Return the percentage of a fill's value, both in units, rounded half-even; None where none is charged."""
        if self.charge_percent is None:
            return None
        percent, divisor = self.charge_percent.as_integer_ratio()
        return divide_half_even(abs(amount) * percent, 100 * divisor)


@dataclass(frozen=True, slots=True)
class TradedInstrument:
    """What a backtest must know of an instrument, in units; and what decides its charges, as `ChargedFill` has it."""

    multiplier: int = SCALE
    price_tick: int = HUNDREDTH
    segment: Segment | None = None
    exchange: str = ""
    group: str | None = None

    def value(self, price: int, quantity: int) -> int:
        """Return price × quantity × multiplier in units."""
        return value_of(price, quantity, self.multiplier)

    def worse(self, price: int, side: str, ticks: int) -> int:
        """Return a price that is so many price ticks worse for the side."""
        return price + ticks * self.price_tick if side == BUY else price - ticks * self.price_tick


@dataclass(frozen=True, slots=True)
class LabFill:
    """One fill on a trading day, and of an exit what it realised."""

    at: datetime
    day: date
    execution: Execution
    realised: Realised | None = None


@dataclass(slots=True, eq=False)
class LabTrade:
    """A trade of a backtest, ordered on ``day``; prices in units.

    ``stop`` rests at the exchange while some of the trade is held; ``ordered`` is what will be held once every order is
    filled. ``is_over`` once it was closed, or could not be opened.
    """

    trade_id: str
    strategy_id: str
    symbol: str
    day: date
    holding: Holding
    stop: int | None = None
    first_stop: int | None = None
    ordered: int = 0
    initial_risk: int | None = None
    exit_reason: str = ""
    is_over: bool = False
    fills: list[LabFill] = field(default_factory=list)


def filled_as(latency_ms: int, slippage_ticks: int) -> str:
    """Say how orders were filled."""
    when = f"{latency_ms} ms later" if latency_ms else "by the tick that decided"
    return f"{when}, {slippage_ticks} price tick{'' if slippage_ticks == 1 else 's'} worse"
