"""Open positions as the overview shows them: with the last price, where one is known, and the page of the trade."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from trading.domain.values import Position
from trading.models import Account
from trading.newest import newest_points
from trading.queries.positions_then import open_at_end_of
from trading.queries.valuation import positions_by_trade


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """One open trade: its key, for the link, and its value."""

    pk: int
    position: Position


def positions_then(account: Account, day: date) -> list[OpenPosition]:
    """Return one entry per trade that was open when a past day ended, the oldest first, without last prices."""
    return [OpenPosition(pk, position) for pk, position in open_at_end_of(account, day)]


def priced_positions(account: Account) -> list[OpenPosition]:
    """Return one entry per open trade, the oldest first; a last price that is not known is None."""
    last_ticks = newest_points(account.code).known_ticks
    return [OpenPosition(pk, position) for pk, position in positions_by_trade(account, last_ticks)]
