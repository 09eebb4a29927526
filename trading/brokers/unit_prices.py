"""Prices of files that state amounts alone."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

_EIGHTH = Decimal("0.00000001")
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


def unit_price(amount: Decimal, quantity: Decimal) -> Decimal:
    """Return ``amount`` per unit, rounded half-even at the 8th decimal, which is all that the ledger holds."""
    price = _WIDE.divide(amount, quantity).quantize(_EIGHTH, context=_WIDE).normalize(_WIDE)
    return price.quantize(Decimal(1), context=_WIDE) if price == price.to_integral_value() else price
