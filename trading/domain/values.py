"""Frozen values that the facade answers with; docs/promises.md lists their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from trading.domain.flags import KNOWN_ALREADY


class AsDict:
    """A dataclass that tells its fields as a plain dict, in order."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        return {column.name: getattr(self, column.name) for column in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade(AsDict):
    """One trade as the ledger has it. Money, prices and quantities are Decimal, datetimes are aware UTC.

    ``side`` is LONG or SHORT, ``state`` OPEN, CLOSED or VOID; ``avg_price`` is the entry's average cost per unit;
    ``initial_risk`` and ``stop_price`` are None where no stop was given; ``reported_pnl`` is what the caller passed;
    ``flags`` are words such as ``reported_pnl_differs`` for what is odd, or likely a slip; ``known_already``, in an
    answer alone, says that the call changed nothing.
    """

    trade_id: str | None
    strategy_id: str
    symbol: str
    account: str
    side: str | None
    state: str
    open_quantity: Decimal
    avg_price: Decimal | None
    realised_pnl: Decimal
    charges: Decimal | None
    stop_price: Decimal | None
    target_price: Decimal | None
    initial_risk: Decimal | None
    opened_at: datetime | None
    closed_at: datetime | None = None
    exit_reason: str = ""
    reported_pnl: Decimal | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position(Trade):
    """A trade, or the sum of a strategy's open trades in one symbol, with the last price seen."""

    last_price: Decimal | None = None
    last_price_at: datetime | None = None
    unrealised_pnl: Decimal | None = None
    origin: str = "ledger"  # or "hot"


Answer = TypeVar("Answer", bound=Trade)


def known_already(answer: Answer) -> Answer:
    """Return the answer to what was called before and changed nothing: flagged so, which no row ever is."""
    return replace(answer, flags=tuple(sorted({*answer.flags, KNOWN_ALREADY})))


class Indicators(dict[str, float]):
    """Name to number; ``origin``: process (this one recorded them), hot, spool or store."""

    def __init__(self, values: Mapping[str, float], origin: str) -> None:
        super().__init__(values)
        self.origin = origin


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailingStop(AsDict):
    """The last step of an open trade's trailing stop."""

    trade_id: str
    strategy_id: str
    symbol: str
    account: str
    stop_price: Decimal
    extreme_price: Decimal | None
    method: str
    at: datetime
    origin: str = "ledger"  # or "hot"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyCounters(AsDict):
    """How much a strategy did on a day at the desk so far; ``trades_open`` are those that are open now."""

    strategy_id: str
    account: str
    day: date
    trades_opened: int = 0
    trades_closed: int = 0
    trades_open: int = 0
    signals_taken: int = 0
    signals_skipped: int = 0
    origin: str = "ledger"  # or "hot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(AsDict):
    """One signal with the conditions that were seen. ``decision`` is TAKEN or SKIPPED."""

    strategy_id: str
    symbol: str
    account: str
    at: datetime
    decision: str
    reason: str = ""
    conditions: dict[str, Any] = field(default_factory=dict)
    trade_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending(AsDict):
    """A fact that the ledger could not take yet: it is kept on disk and posted in order.

    ``sequence`` is its place in the intake (`manage.py intake` tells what became of it); ``operation`` what was called.
    """

    sequence: int
    operation: str
    account: str
    trade_id: str | None
    queued_at: datetime
    state: str = "PENDING"
