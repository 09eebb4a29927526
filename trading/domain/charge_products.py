"""What charges are taken of: fills with their segment and order, and each share's day as a whole. Pure.

In the cash segment the product follows from matching: units of a share bought and sold on one day at one exchange are
intraday, the rest is delivery, whatever the orders were called. STT takes all of them at the day's average price of
buys and sells together (STT Rules 2004, 3(a); NSE circular NSE/CMO/0146/2004).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from trading.domain.charge_heads import FillKind, Segment

BUY, SELL = "BUY", "SELL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargedFill:
    """One fill as charges see it; ``quantity`` in units, ``price`` in rupees a unit.

    ``segment`` is None where it is not known, ``exchange`` the market (NSE, BSE, MCX) or the exchange's own code,
    ``scrip`` the contract, ``group`` a share's group or a contract's underlying. ``order`` is None where it is not
    known. The price of an exercise is the option's value at settlement, and ``orders`` the number of orders that it
    counts as (one per freeze quantity), None where that is not known. ``rank`` orders fills by what they are, so that a
    rest of 10^-8 is always the same one's: keys follow the order of recording.
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
    rank: str = ""

    @property
    def turnover(self) -> Fraction:
        """Return |price| × quantity × multiplier, in rupees; of an option it is the premium."""
        return abs(Fraction(self.price)) * Fraction(self.quantity) * Fraction(self.multiplier)


@dataclass(frozen=True, slots=True)
class ScripDay:
    """A share's day at one exchange: units bought and sold, and the average price in rupees, rounded to the paisa."""

    bought: Fraction
    sold: Fraction
    average_price: Fraction

    @property
    def matched(self) -> Fraction:
        """Return the units that were both bought and sold on the day."""
        return min(self.bought, self.sold)

    def intraday_share(self, side: str) -> Fraction:
        """Return which part of the units of a side was matched, 0 to 1."""
        units = self.bought if side == BUY else self.sold
        return self.matched / units if units else Fraction(0)


def scrip_day(fills: Iterable[ChargedFill]) -> ScripDay:
    """Return the day of the share that these fills are of."""
    bought = sold = turnover = Fraction(0)
    for fill in fills:
        turnover += fill.turnover
        if fill.side == BUY:
            bought += Fraction(fill.quantity)
        else:
            sold += Fraction(fill.quantity)
    return ScripDay(bought, sold, rounded(turnover / (bought + sold), 2))


def rounded(amount: Fraction, decimals: int) -> Fraction:
    """Return an amount rounded to so many decimals, halves away from zero."""
    scale = 10**decimals
    whole = (abs(amount) * scale + Fraction(1, 2)).__floor__()
    return Fraction(whole if amount >= 0 else -whole, scale)
