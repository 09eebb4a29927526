"""Figures of a trade that its caller reported, beside the ledger's own."""

from __future__ import annotations

from decimal import Decimal

from trading.domain import position
from trading.models import Trade

TOLERANCE = Decimal("0.01")  # of money and of percent


def reported_flags(trade: Trade) -> set[str]:
    """Return the flags of reported figures that are over 0.01 (of money, of percent) away from the ledger's own."""
    flags = set()
    if trade.reported_pnl is not None and abs(trade.reported_pnl - trade.realised_pnl) > TOLERANCE:
        flags.add("reported_pnl_differs")
    percent = position.pnl_percent(trade.realised_pnl, trade.entry_value)
    reported = trade.reported_pnl_percent
    if reported is not None and percent is not None and abs(reported - percent) > TOLERANCE:
        flags.add("reported_pnl_percent_differs")
    return flags
