"""Position and P&L from fills: the one place where a trade's figures come from. Pure, in integers of 10^-8.

Average cost: a trade holds open quantity and open cost; an exit releases cost × exit quantity ÷ open
quantity, rounded half-even at the 8th decimal, and the exit that reaches zero takes what is left, so parts always add
up to the whole. A short is the mirror: what was sold is its cost, what is bought back its proceeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from trading.domain.money import SCALE, divide_half_even

LONG, SHORT = "LONG", "SHORT"
BUY, SELL = "BUY", "SELL"
ENTRY, EXIT, SPLIT = "ENTRY", "EXIT", "SPLIT"
ENTRY_SIDE = {LONG: BUY, SHORT: SELL}
EXIT_SIDE = {LONG: SELL, SHORT: BUY}
_HUNDREDTH = Decimal("0.01")


class Execution(NamedTuple):
    """One fill: side BUY or SELL; price and quantity in units; charges in units, None while unknown.

    ``is_split`` where a corporate action added the quantity to what is open, or took it from there.
    """

    side: str
    price: int
    quantity: int
    charges: int | None = None
    is_split: bool = False


class Realised(NamedTuple):
    """The outcome of one exit fill, in units: P&L is gross; ``closes`` where it reached zero.

    ``charges`` are its own and its share of what the entries were charged, None where none is known.
    """

    quantity: int
    cost: int
    proceeds: int
    pnl: int
    charges: int | None
    closes: bool


class Holding(NamedTuple):
    """A trade so far, in units. ``open_charges`` are those of entries that no exit has taken over yet."""

    side: str
    multiplier: int = SCALE
    open_quantity: int = 0
    open_cost: int = 0
    open_charges: int | None = None
    entry_quantity: int = 0
    entry_value: int = 0
    realised_pnl: int = 0
    charges: int | None = None


class CrossesZeroError(ValueError):
    """Raised for an exit that is larger than the open quantity."""


def value_of(price: int, quantity: int, multiplier: int) -> int:
    """Return price × quantity × multiplier in units, rounded half-even at the 8th decimal."""
    return divide_half_even(price * quantity * multiplier, SCALE * SCALE)


def apply(holding: Holding, fill: Execution) -> tuple[Holding, Realised | None]:
    """Return the holding after the fill, and the outcome where the fill is an exit.

    Raises: CrossesZeroError for an exit, or a split's fewer units, beyond the open quantity.
    """
    is_entry = fill.side == ENTRY_SIDE[holding.side]
    if fill.is_split:
        return _split(holding, fill.quantity if is_entry else -fill.quantity), None
    amount = value_of(fill.price, fill.quantity, holding.multiplier)
    if not is_entry:
        return _exited(holding, fill, amount)
    side, multiplier, open_quantity, open_cost, open_charges, entry_quantity, entry_value, realised_pnl, charges = (
        holding
    )
    # In the order of the fields: by their names it takes four times as long, and a proof folds every fill there is.
    return Holding(
        side,
        multiplier,
        open_quantity + fill.quantity,
        open_cost + amount,
        sum_of_charges(open_charges, fill.charges),
        entry_quantity + fill.quantity,
        entry_value + amount,
        realised_pnl,
        sum_of_charges(charges, fill.charges),
    ), None


def sum_of_charges(charges: int | None, other: int | None) -> int | None:
    """Return the sum of two charges in units; None is one that is not known, and only two of those stay unknown."""
    return charges if other is None else other if charges is None else charges + other


def fold(side: str, multiplier: int, fills: Iterable[Execution]) -> tuple[Holding, list[Realised]]:
    """Return the holding after all fills, and the outcome of each exit, in order."""
    holding, realised = Holding(side, multiplier), []
    for fill in fills:
        holding, outcome = apply(holding, fill)
        if outcome is not None:
            realised.append(outcome)
    return holding, realised


def _split(holding: Holding, change: int) -> Holding:
    """Return the holding with other units, which cost what they cost."""
    if holding.open_quantity + change <= 0:
        raise CrossesZeroError
    return holding._replace(
        open_quantity=holding.open_quantity + change, entry_quantity=holding.entry_quantity + change
    )


def _exited(holding: Holding, fill: Execution, proceeds: int) -> tuple[Holding, Realised]:
    side, multiplier, open_quantity, open_cost, open_charges, entry_quantity, entry_value, realised_pnl, charges = (
        holding
    )
    quantity = fill.quantity
    if quantity > open_quantity:
        raise CrossesZeroError
    cost = _released(open_cost, quantity, open_quantity)
    pnl = proceeds - cost if side == LONG else cost - proceeds
    taken_over = None if open_charges is None else _released(open_charges, quantity, open_quantity)
    after = Holding(  # in the order of the fields, as in `apply`
        side,
        multiplier,
        open_quantity - quantity,
        open_cost - cost,
        None if open_charges is None or taken_over is None else open_charges - taken_over,
        entry_quantity,
        entry_value,
        realised_pnl + pnl,
        sum_of_charges(charges, fill.charges),
    )
    of_exit = sum_of_charges(fill.charges, taken_over)
    return after, Realised(quantity, cost, proceeds, pnl, of_exit, open_quantity == quantity)


def _released(held: int, quantity: int, open_quantity: int) -> int:
    """Return the exit's share of a cost or charge; the last exit takes all that is left."""
    return held if quantity == open_quantity else divide_half_even(held * quantity, open_quantity)


def pnl_percent(pnl: Decimal, entry_value: Decimal) -> Decimal | None:
    """Return P&L ÷ |sum over entry fills of price × quantity × multiplier| × 100, None where that sum is 0."""
    return pnl / abs(entry_value) * 100 if entry_value else None


def in_risks(amount: Decimal, initial_risk: Decimal | None) -> Decimal | None:
    """Return an amount in units of a trade's initial risk, to two decimals; None where that is not known or nothing."""
    return (amount / initial_risk).quantize(_HUNDREDTH) if initial_risk else None
