"""Average prices of a trade, for reading: the ledger keeps values and quantities, and never an average.

A value is rounded at the 8th decimal, so what is divided out of it can be far from the price: 0.00000003 bought at
1.13889 are worth 0.00000003, and 1 apiece. Where a value was rounded, the fills tell the average.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from trading.domain.money import SCALE, divide_half_even, from_units
from trading.domain.position import ENTRY_SIDE, Execution


@dataclass(frozen=True, slots=True)
class AveragePrices:
    """Average prices rounded half-even at the 8th decimal: of all entries, of all exits, and of what is open, at
    average cost. None where there is nothing of it."""

    entry: Decimal | None
    exit: Decimal | None
    held: Decimal | None


def sums_tell(multiplier: int, *, has_fractions: bool) -> bool:
    """Tell whether a trade has its averages in value ÷ quantity: where all its fills are of whole sizes, and so is the
    multiplier, no value was rounded."""
    return not has_fractions and multiplier % SCALE == 0


def of_sums(value: int, quantity: int, multiplier: int) -> Decimal | None:
    """Return value ÷ quantity ÷ multiplier of sums in units; None for no quantity."""
    return from_units(divide_half_even(value * SCALE * SCALE, quantity * multiplier)) if quantity else None


def of_fills(side: str, fills: Iterable[Execution]) -> AveragePrices:
    """Return the averages of a trade's fills, in order of booking. An exit leaves the average of what is open."""
    entered, left, held, average = [0, 0], [0, 0], 0, Fraction(0)
    for fill in fills:
        is_entry = fill.side == ENTRY_SIDE[side]
        if fill.is_split:  # other units for the same cost
            change = fill.quantity if is_entry else -fill.quantity
            average, held, entered[0] = average * held / (held + change), held + change, entered[0] + change
            continue
        sums, amount = entered if is_entry else left, fill.price * fill.quantity
        sums[0], sums[1] = sums[0] + fill.quantity, sums[1] + amount
        if is_entry:
            average = (average * held + amount) / (held + fill.quantity)
        held += fill.quantity if is_entry else -fill.quantity
    entry, exit = (Fraction(amount, quantity) if quantity else None for quantity, amount in (entered, left))
    return AveragePrices(_price(entry), _price(exit), _price(average) if held > 0 else None)


def _price(units: Fraction | None) -> Decimal | None:
    return None if units is None else from_units(divide_half_even(units.numerator, units.denominator))
