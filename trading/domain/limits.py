"""Limits of an account or of one strategy in it: their kinds, and how far each is used. Pure.

A limit is watched and told, never enforced: VELOX keeps every record of what happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading.domain.values import AsDict

ZERO = Decimal(0)


class LimitKind(StrEnum):
    """What is limited; losses and the drawdown are amounts of the account's currency, at least 0."""

    DAILY_LOSS = "daily_loss"
    DAILY_LOSS_OPEN = "daily_loss_open"
    TRADES = "trades"
    OPEN_POSITIONS = "open_positions"
    CONSECUTIVE_LOSSES = "consecutive_losses"
    DRAWDOWN = "drawdown"


KIND_TITLES: Mapping[str, str] = {
    LimitKind.DAILY_LOSS: "Loss of the day after known charges",
    LimitKind.DAILY_LOSS_OPEN: "Loss of the day with open P&L",
    LimitKind.TRADES: "Trades opened on the day",
    LimitKind.OPEN_POSITIONS: "Open positions",
    LimitKind.CONSECUTIVE_LOSSES: "Losses in a row",
    LimitKind.DRAWDOWN: "Drawdown from the peak",
}
MONEY_KINDS = frozenset({LimitKind.DAILY_LOSS, LimitKind.DAILY_LOSS_OPEN, LimitKind.DRAWDOWN})
# What one may have as many of as the limit says: the others are crossed as soon as they reach it.
ALLOWANCES = frozenset({LimitKind.TRADES, LimitKind.OPEN_POSITIONS})
ACCOUNT_KINDS = frozenset({LimitKind.DRAWDOWN})  # of a whole account alone


class Usage(StrEnum):
    """How a limit stands: below it, at or beyond it, or not known. ``NONE``: no limit is set at all."""

    WITHIN = "within"
    CROSSED = "crossed"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LimitInForce:
    """A limit that holds on a day: its number among the account's, of one strategy or (None) of the whole account."""

    number: int
    kind: str
    strategy_id: str | None
    limit: Decimal


@dataclass(frozen=True, slots=True)
class Used:
    """What the ledger tells of an account, or of one strategy in it, beside its limits: the day's P&L after known
    charges, trades opened on the day, trades open now, losses in a row, and how far equity stands below its peak."""

    day_pnl: Decimal
    trades: int
    open_positions: int
    consecutive_losses: int
    drawdown: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState(AsDict):
    """One limit and how far it is used; ``used`` and ``left`` are None where that is not known.

    ``left`` is below 0 beyond the limit. ``state`` is within, crossed or unknown: a loss, a run of losses and a
    drawdown are crossed where they reach the limit, trades and open positions where they exceed it.
    """

    number: int
    kind: str
    strategy_id: str | None
    limit: Decimal
    used: Decimal | None
    left: Decimal | None
    state: str

    @property
    def title(self) -> str:
        """What is limited, in words."""
        return KIND_TITLES[self.kind]

    @property
    def is_money(self) -> bool:
        """Tell whether it counts money, not trades."""
        return self.kind in MONEY_KINDS

    @property
    def percent(self) -> int | None:
        """Which part of the limit is used, at most 100; a limit of nothing is used whole by anything."""
        if self.used is None:
            return None
        if not self.limit:
            return 100 if self.used else 0
        return min(100, int(100 * self.used / self.limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsNow(AsDict):
    """The limits that bear on a strategy: its own and those of its account, as of an instant (None: never seen).

    ``state`` is crossed where one of them is, else unknown where one of them is, else within; none where no limit is
    set. ``day`` is the day in the account's zone that they were measured on.
    """

    account: str
    strategy_id: str
    day: date | None
    as_of: datetime | None
    state: str
    limits: tuple[LimitState, ...]


def measure(
    limits: Sequence[LimitInForce], used: Mapping[str | None, Used], open_pnl: Mapping[str | None, Decimal | None]
) -> list[LimitState]:
    """Return the state of each limit, in their order.

    ``used`` and ``open_pnl`` are by strategy, under None the whole account's; an open P&L of None is not known.
    """
    return [_state(each, _amount(each.kind, used[each.strategy_id], open_pnl[each.strategy_id])) for each in limits]


def unknown(states: Sequence[LimitState]) -> tuple[LimitState, ...]:
    """Return limits of which only their size is still known."""
    return tuple(_state(LimitInForce(each.number, each.kind, each.strategy_id, each.limit), None) for each in states)


def overall(states: Sequence[LimitState]) -> Usage:
    """Return the state of several limits as one: the worst that is known, none of none."""
    kinds = {each.state for each in states}
    for usage in (Usage.CROSSED, Usage.UNKNOWN, Usage.WITHIN):
        if usage in kinds:
            return usage
    return Usage.NONE


def _amount(kind: str, used: Used, open_pnl: Decimal | None) -> Decimal | None:
    """Return what a limit of this kind is compared with, None where it is not known."""
    if kind == LimitKind.DAILY_LOSS_OPEN:
        return None if open_pnl is None else max(ZERO, -(used.day_pnl + open_pnl))
    amounts: Mapping[str, Decimal | int] = {
        LimitKind.DAILY_LOSS: max(ZERO, -used.day_pnl),
        LimitKind.TRADES: used.trades,
        LimitKind.OPEN_POSITIONS: used.open_positions,
        LimitKind.CONSECUTIVE_LOSSES: used.consecutive_losses,
        LimitKind.DRAWDOWN: used.drawdown,
    }
    return Decimal(amounts[kind])


def _state(limit: LimitInForce, used: Decimal | None) -> LimitState:
    if used is None:
        state = Usage.UNKNOWN
    else:
        is_crossed = used > limit.limit or (used == limit.limit and limit.kind not in ALLOWANCES)
        state = Usage.CROSSED if is_crossed else Usage.WITHIN
    return LimitState(
        number=limit.number,
        kind=limit.kind,
        strategy_id=limit.strategy_id,
        limit=limit.limit,
        used=used,
        left=None if used is None else limit.limit - used,
        state=str(state),
    )
