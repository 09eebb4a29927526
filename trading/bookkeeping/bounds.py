"""Bounds of an instrument's prices: above 0; any where it is a future or a spread; 0 in a settlement."""

from __future__ import annotations

from decimal import Decimal

from trading.domain.flags import PRICE_ZERO, SETTLEMENTS, UNEXPLAINED
from trading.errors import InvalidValue
from trading.models import Fill, Instrument, Trade
from trading.queries.instruments import SIGNED_KINDS


def must_be_price(price: Decimal, instrument: Instrument, field: str, *, can_be_zero: bool = False) -> None:
    """Raise InvalidValue for a price that the instrument cannot have.

    ``can_be_zero``: a fill of a trade that is open already, as an option that expires or bonus shares make it.
    """
    if price > 0 or instrument.kind in SIGNED_KINDS or (can_be_zero and not price):
        return
    if not price:
        hint = "Bonus shares are booked with add_fill on the trade that is open; for anything else give what was paid."
    else:
        hint = (
            f"Only the kinds FUTURE and SPREAD have prices below 0, and {instrument.symbol} is {instrument.kind}: "
            "check the sign, or put its kind right."
        )
    raise InvalidValue(f"{field} is {price:f}.", field=field, hint=hint)


def price_flags(price: Decimal, instrument: Instrument) -> set[str]:
    """Return the flag of a fill at price 0; a spread has none, since 0 is a price of it like any other."""
    return {PRICE_ZERO} if not price and instrument.kind != Instrument.Kind.SPREAD else set()


def settlement_flags(trade: Trade, fills: list[Fill]) -> set[str]:
    """Return the flag of a trade that was closed, or a part of it, at 0 for another reason than a settlement."""
    exits = [fill for fill in fills if fill.role == Fill.Role.EXIT and not fill.settlement]
    zeros = [fill for fill in exits if price_flags(fill.price, trade.instrument)]
    is_settled = trade.exit_reason.strip().lower() in SETTLEMENTS
    return {UNEXPLAINED} if zeros and not is_settled else set()
