"""How a trade went: a closed one wins, loses or breaks even by its P&L after what is known of its charges."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import F, Q

from trading.models import Trade
from trading.queries.trades import CLOSED, OPEN

WIN, LOSS, BREAKEVEN = "win", "loss", "breakeven"
RESULTS = (WIN, LOSS, BREAKEVEN, "open")


def with_result(result: str) -> Q:
    """Return the trades of one of `RESULTS`, as a lookup that compares columns and computes nothing.

    Raises: KeyError for any other word.
    """
    return _LOOKUPS[result]


def result_of(trade: Trade) -> str:
    """Return a trade's result: one of `RESULTS`, or `void`."""
    return result_word(str(trade.state), earned_by(trade))


def result_word(state: str, earned: Decimal | int) -> str:
    """Return the result, one of `RESULTS` or `void`, of a trade in this state that earned so much."""
    if state != CLOSED:
        return state.lower()
    return WIN if earned > 0 else LOSS if earned < 0 else BREAKEVEN


def earned_by(trade: Trade) -> Decimal:
    """Return the realised P&L less the charges that are known."""
    earned: Decimal = trade.realised_pnl - (trade.charges or 0)
    return earned


def _compared(comparison: str) -> Q:
    unknown = Q(charges__isnull=True, **{f"realised_pnl{comparison}": 0})
    charged = Q(charges__isnull=False, **{f"realised_pnl{comparison}": F("charges")})
    return Q(state=CLOSED) & (unknown | charged)


_LOOKUPS = {
    WIN: _compared("__gt"),
    LOSS: _compared("__lt"),
    BREAKEVEN: _compared(""),
    "open": Q(state=OPEN),
}
