"""What whoever closed a trade reported of it, beside the ledger's own figures."""

from __future__ import annotations

from decimal import Decimal

from trading.domain import position
from trading.models import Trade

TOLERANCE = Decimal("0.01")  # of money and of percent


def reported_flags(trade: Trade) -> set[str]:
    """Return whether what the caller reported is over 0.01 away from the ledger's own."""
    flags = set()
    if trade.reported_pnl is not None and abs(trade.reported_pnl - trade.realised_pnl) > TOLERANCE:
        flags.add("reported_pnl_differs")
    percent = position.pnl_percent(trade.realised_pnl, trade.entry_value)
    reported = trade.reported_pnl_percent
    if reported is not None and percent is not None and abs(reported - percent) > TOLERANCE:
        flags.add("reported_pnl_percent_differs")
    return flags
