"""Flags of a trade, and each in words for people. A flag refuses nothing."""

from __future__ import annotations

from collections.abc import Iterable

PRICE_ZERO, UNEXPLAINED = "price_zero", "price_zero_unexplained"
# The reasons for which a position is given away for nothing.
SETTLEMENTS = frozenset({"expired", "settled", "delivered", "bonus"})
STOP_SIDE, TARGET_SIDE, TRAILING_SIDE = "stop_wrong_side", "target_wrong_side", "trailing_stop_wrong_side"
PRICE_FAR, MARKET_CLOSED, IN_FUTURE = "price_far_from_tick", "market_closed", "in_future"
# In an answer alone, never in a row: what was called changed nothing.
KNOWN_ALREADY = "known_already"
IMPORTED = "imported"  # the mark of a trade that was built from a broker's file
COST_GIVEN = "cost_given"  # the mark of holdings of whose purchase a person told
DAY_ONLY = "day_only"  # the mark of a trade with a fill that is known to the day only
BY_HAND = "by_hand"  # the mark of a trade of which a person entered something by hand
SPLIT = "split"  # the mark of a trade that has a fill of that role

MEANINGS = {
    BY_HAND: "entered by hand",
    "corrected": "corrected",
    "close_charges_not_booked": "charges of the close were not booked: fills had closed it",
    COST_GIVEN: "bought before the broker's files begin, at the cost that a person gave",
    DAY_ONLY: "time of day not known",
    "close_price_differs": "closed at another price than its last fill",
    IN_FUTURE: "a fill ahead of the clock",
    IMPORTED: "built from a broker's file",
    MARKET_CLOSED: "a fill while the market was closed",
    "off_lot": "quantity off the lot",
    "off_price_tick": "price off the tick",
    PRICE_FAR: "a price far from the last tick",
    PRICE_ZERO: "a fill at price 0",
    UNEXPLAINED: "price 0 without a reason such as expired",
    "reported_pnl_differs": "reported P&L differs",
    "reported_pnl_percent_differs": "reported P&L percent differs",
    SPLIT: "in other units since a split or a bonus",
    "signal_conditions_differ": "the signal was recorded with other conditions",
    "stop_moved_back": "stop moved back",
    STOP_SIDE: "stop on the wrong side of the entry",
    TARGET_SIDE: "target on the wrong side of the entry",
    TRAILING_SIDE: "a trailing stop beyond the last price",
}
# What is most likely a slip of whoever typed it, and shown where the day is looked at.
SLIPS = (UNEXPLAINED, STOP_SIDE, TARGET_SIDE, TRAILING_SIDE, PRICE_FAR, MARKET_CLOSED, IN_FUTURE)
# Those that follow from a trade's fills and plan alone: a correction makes them anew.
FOLLOWING = frozenset(
    {"off_lot", "off_price_tick", DAY_ONLY, PRICE_ZERO, UNEXPLAINED, STOP_SIDE, TARGET_SIDE, MARKET_CLOSED, IN_FUTURE}
)


def meaning(flag: str) -> str:
    """Return a flag in words; one that is not known here by its own, without underscores."""
    return MEANINGS.get(flag, flag.replace("_", " "))


def slips(flags: Iterable[str]) -> list[str]:
    """Return those of some flags that are likely slips."""
    return [flag for flag in flags if flag in SLIPS]
