"""From fills to position and P&L: the one place where a trade's figures come from. Pure, in integers of 10^-8.

Average cost (FACE §2): a trade holds open quantity and open cost; an exit releases cost × exit quantity ÷ open
quantity, rounded half-even at the 8th decimal, and the exit that reaches zero takes what is left, so parts always add
up to the whole. A short is the mirror: what was sold is its cost, what is bought back its proceeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.domain.money import SCALE, divide_half_even

LONG, SHORT = "LONG", "SHORT"
BUY, SELL = "BUY", "SELL"
ENTRY, EXIT = "ENTRY", "EXIT"
ENTRY_SIDE = {LONG: BUY, SHORT: SELL}
EXIT_SIDE = {LONG: SELL, SHORT: BUY}


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill: side BUY or SELL; price and quantity in units; charges in units, None while unknown."""

    side: str
    price: int
    quantity: int
    charges: int | None = None


@dataclass(frozen=True, slots=True)
class Realised:
    """What one exit fill realised, in units: P&L is gross of charges; ``closes`` where it reached zero."""

    quantity: int
    cost: int
    proceeds: int
    pnl: int
    charges: int | None
    closes: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """A trade so far, in units; ``charges`` is None as soon as those of one fill are unknown, ``known_charges`` the sum
    of those that are known."""

    side: str
    multiplier: int = SCALE
    open_quantity: int = 0
    open_cost: int = 0
    entry_quantity: int = 0
    entry_value: int = 0
    realised_pnl: int = 0
    known_charges: int = 0
    fills_without_charges: int = 0

    @property
    def charges(self) -> int | None:
        return None if self.fills_without_charges else self.known_charges


class CrossesZeroError(ValueError):
    """An exit is larger than what is open."""


def value_of(price: int, quantity: int, multiplier: int) -> int:
    """Return price × quantity × multiplier in units, rounded half-even at the 8th decimal."""
    return divide_half_even(price * quantity * multiplier, SCALE * SCALE)


def apply(holding: Holding, fill: Execution) -> tuple[Holding, Realised | None]:
    """Return the holding after the fill, and what was realised where the fill is an exit.

    Raises: CrossesZeroError for an exit beyond the open quantity.
    """
    value = value_of(fill.price, fill.quantity, holding.multiplier)
    charged = replace(
        holding,
        known_charges=holding.known_charges + (fill.charges or 0),
        fills_without_charges=holding.fills_without_charges + (fill.charges is None),
    )
    if fill.side == ENTRY_SIDE[holding.side]:
        return _entered(charged, fill.quantity, value), None
    return _exited(charged, fill, value)


def fold(side: str, multiplier: int, fills: Iterable[Execution]) -> tuple[Holding, list[Realised]]:
    """Return the holding after all fills, and what each exit realised, in order."""
    holding, realised = Holding(side, multiplier), []
    for fill in fills:
        holding, part = apply(holding, fill)
        realised += [part] if part is not None else []
    return holding, realised


def _entered(holding: Holding, quantity: int, value: int) -> Holding:
    return replace(
        holding,
        open_quantity=holding.open_quantity + quantity,
        open_cost=holding.open_cost + value,
        entry_quantity=holding.entry_quantity + quantity,
        entry_value=holding.entry_value + value,
    )


def _exited(holding: Holding, fill: Execution, proceeds: int) -> tuple[Holding, Realised]:
    if fill.quantity > holding.open_quantity:
        raise CrossesZeroError
    closes = fill.quantity == holding.open_quantity
    cost = holding.open_cost if closes else divide_half_even(holding.open_cost * fill.quantity, holding.open_quantity)
    pnl = proceeds - cost if holding.side == LONG else cost - proceeds
    after = replace(
        holding,
        open_quantity=holding.open_quantity - fill.quantity,
        open_cost=holding.open_cost - cost,
        realised_pnl=holding.realised_pnl + pnl,
    )
    return after, Realised(fill.quantity, cost, proceeds, pnl, fill.charges, closes)


def pnl_percent(pnl: Decimal, entry_value: Decimal) -> Decimal | None:
    """Return P&L ÷ (sum over entry fills of price × quantity × multiplier) × 100, None without an entry."""
    return pnl / entry_value * 100 if entry_value else None
