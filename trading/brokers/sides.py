"""The side of a fill as brokers write it."""

from __future__ import annotations

from trading.brokers.cells import PlacedCell, text

_SIDES = {"buy": "BUY", "b": "BUY", "sell": "SELL", "s": "SELL"}


def side(cell: PlacedCell) -> str:
    """Return BUY or SELL. Raises: UnreadableCell for any other word."""
    word = _SIDES.get(text(cell).casefold())
    if word is None:
        raise cell.refused("neither a purchase nor a sale")
    return word
