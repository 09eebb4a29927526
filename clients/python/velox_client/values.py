"""Frozen values as the facade answers with them. Numbers are decimals, times aware and in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, get_args, get_type_hints

Value = TypeVar("Value")
Json = dict[str, Any]  # an object of an answer


class AsDict:
    """A dataclass that tells its fields as a plain dict, in order."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {column.name: getattr(self, column.name) for column in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade(AsDict):
    """One trade as the ledger has it."""

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
    """A trade, or a strategy's open trades in one symbol as one, with the last price seen."""

    last_price: Decimal | None = None
    last_price_at: datetime | None = None
    unrealised_pnl: Decimal | None = None
    origin: str = "ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(AsDict):
    """One signal with the conditions that were seen."""

    strategy_id: str
    symbol: str
    account: str
    at: datetime
    decision: str
    reason: str
    conditions: Json
    trade_id: str | None


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
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyCounters(AsDict):
    """How much a strategy did today."""

    strategy_id: str
    account: str
    day: date
    trades_opened: int
    trades_closed: int
    trades_open: int
    signals_taken: int
    signals_skipped: int
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState(AsDict):
    """One limit and how far it is used."""

    number: int
    kind: str
    strategy_id: str | None
    limit: Decimal
    used: Decimal | None
    left: Decimal | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsNow(AsDict):
    """The limits that bear on a strategy: its own and those of its account."""

    account: str
    strategy_id: str
    day: date | None
    as_of: datetime | None
    state: str
    limits: tuple[LimitState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDay(AsDict):
    """One symbol on one trading day, in UTC."""

    symbol: str
    day: date
    starts_at: datetime
    ends_at: datetime
    opens_at: datetime | None
    closes_at: datetime | None
    is_tradable: bool


@dataclass(frozen=True, slots=True)
class TickBatch:
    """How many ticks were queued, and for each other one its index, a code and a hint."""

    accepted: int
    rejected: tuple[tuple[int, str, str], ...]


class Indicators(dict[str, float]):
    """Name to number; ``origin`` says where the desk had them from."""

    def __init__(self, values: Mapping[str, float], origin: str) -> None:
        super().__init__(values)
        self.origin = origin


def value_of(kind: type[Value], body: Json) -> Value:
    """Return an object of an answer as a value; fields that it does not have are left out, as newer desks have them."""
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind) if field.name in body]  # type: ignore[arg-type]
    return kind(**{name: _converted(hints[name], body[name]) for name in names})


def _converted(hint: Any, sent: Any) -> Any:
    kinds = get_args(hint) or (hint,)
    if sent is None:
        return None
    if Decimal in kinds:
        return Decimal(sent)
    if datetime in kinds:
        return datetime.fromisoformat(sent)
    if date in kinds:
        return date.fromisoformat(sent)
    if isinstance(sent, list):
        return tuple(value_of(kinds[0], each) if isinstance(each, dict) else each for each in sent)
    return sent
