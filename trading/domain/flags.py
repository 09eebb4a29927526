"""What the ledger flags about a trade, and how each flag reads to a person. A flag refuses nothing."""

from __future__ import annotations

from collections.abc import Iterable

PRICE_ZERO, UNEXPLAINED = "price_zero", "price_zero_unexplained"
# The reasons for which a position is given away for nothing.
SETTLEMENTS = frozenset({"expired", "settled", "bonus"})

MEANINGS = {
    "corrected": "corrected",
    "close_charges_not_booked": "charges of the close were not booked: fills had closed it",
    "close_price_differs": "closed at another price than its last fill",
    "off_lot": "quantity off the lot",
    "off_price_tick": "price off the tick",
    PRICE_ZERO: "a fill at price 0",
    UNEXPLAINED: "price 0 without a reason such as expired",
    "reported_pnl_differs": "reported P&L differs",
    "reported_pnl_percent_differs": "reported P&L percent differs",
    "signal_conditions_differ": "the signal was recorded with other conditions",
    "stop_moved_back": "stop moved back",
}
# What is most likely a slip of whoever typed it, and shown where the day is looked at.
SLIPS = frozenset({UNEXPLAINED})


def meaning(flag: str) -> str:
    """Return a flag in words; one that is not known here by its own, without underscores."""
    return MEANINGS.get(flag, flag.replace("_", " "))


def slips(flags: Iterable[str]) -> list[str]:
    """Return those of some flags that are likely slips."""
    return [flag for flag in flags if flag in SLIPS]
