"""What charges are taken of: fills with their segment and order, and each share's day as a whole. Pure.

In the cash segment the product follows from matching: units of a share bought and sold on one day at one exchange are
intraday, the rest is delivery, whatever the orders were called. STT takes all of them at the day's average price of
buys and sells together (STT Rules 2004, 3(a); NSE circular NSE/CMO/0146/2004).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from trading.domain.charge_heads import FillKind, Segment
from trading.domain.money import SCALE, to_units

BUY, SELL = "BUY", "SELL"
# Unrounded rupees are integers of 10^-48: a price, a quantity, a multiplier, a rate and GST of it have room there.
EXACT = 10**48
_PAISA = EXACT // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargedFill:
    """One fill as charges see it; ``quantity`` in units, ``price`` in rupees a unit.

    ``segment`` is None where it is not known, ``exchange`` the market (NSE, BSE, MCX) or the exchange's own code,
    ``scrip`` the contract, ``group`` a share's group or a contract's underlying. ``order`` is None where it is not
    known. The price of an exercise is the option's value at settlement, and ``orders`` the number of orders that it
    counts as (one per freeze quantity), None where that is not known. ``delivered_at`` is what was paid for a share by
    whom a contract was settled in shares: its strike, or a future's final price. ``rank`` orders fills by what they
    are, so that a rest of 10^-8 is always the same one's: keys follow the order of recording.
    """

    key: str
    day: date
    segment: Segment | None
    exchange: str
    scrip: str
    side: str
    quantity: Decimal
    price: Decimal
    multiplier: Decimal = Decimal(1)
    order: str | None = None
    kind: FillKind = FillKind.TRADE
    group: str | None = None
    orders: int | None = None
    delivered_at: Decimal | None = None
    rank: str = ""
    turnover: int = field(init=False)  # |price| × quantity × multiplier in 10^-48 rupees: of an option its premium

    def __post_init__(self) -> None:
        object.__setattr__(self, "turnover", self.worth_at(self.price))

    def worth_at(self, price: Decimal) -> int:
        """Return the fill's units at a price, in 10^-48 rupees."""
        units: int = abs(to_units(price)) * to_units(self.quantity) * to_units(self.multiplier)
        return units * (EXACT // SCALE**3)


@dataclass(frozen=True, slots=True)
class ScripDay:
    """A share's day at one exchange: what was bought and sold, in 10^-8 units, and the average price in paise."""

    bought: int
    sold: int
    average_paise: int

    @property
    def matched(self) -> int:
        """Return the 10^-8 units that were both bought and sold on the day."""
        return min(self.bought, self.sold)

    def units(self, side: str) -> int:
        """Return the 10^-8 units of a side."""
        return self.bought if side == BUY else self.sold

    def at_average(self, fill: ChargedFill) -> int:
        """Return a fill's quantity at the day's average price, in 10^-48 rupees."""
        return self.average_paise * to_units(fill.quantity) * (_PAISA // SCALE)


def scrip_day(fills: Iterable[ChargedFill]) -> ScripDay:
    """Return the day of the share that these fills are of."""
    bought = sold = turnover = 0
    for fill in fills:
        turnover += fill.turnover
        if fill.side == BUY:
            bought += to_units(fill.quantity)
        else:
            sold += to_units(fill.quantity)
    divisor = (bought + sold) * (_PAISA // SCALE)
    return ScripDay(bought, sold, (2 * turnover + divisor) // (2 * divisor))


def rounded(amount: int, decimals: int) -> int:
    """Return an amount in 10^-48 rupees rounded to so many decimals, halves away from zero."""
    unit: int = EXACT // 10**decimals
    whole = (2 * abs(amount) + unit) // (2 * unit) * unit
    return whole if amount >= 0 else -whole


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Return an amount at or above 0 split by weights, to the last unit; equally where no weight is above 0."""
    total = sum(weights)
    if not total:
        weights, total = [1] * len(weights), len(weights)
    parts, before, reached = [], 0, 0
    for weight in weights:
        reached += weight
        share = amount * reached // total
        parts.append(share - before)
        before = share
    return parts
