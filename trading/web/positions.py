"""Open positions as the overview shows them: with the last price, where one is known, and the page of the trade."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from django.utils import timezone

from trading.domain.values import Position
from trading.models import Account, Trade
from trading.newest import newest_points
from trading.queries.kept import KeptAnswers, LedgerMark
from trading.queries.positions_then import open_at_end_of
from trading.queries.standing_stops import StandingStop, standing_stops
from trading.queries.valuation import TradePosition, distance_to_stop, in_risks_now, open_trade_positions, priced

BYTES_MAX, TRADE_BYTES = 2**24, 2**12


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """One open trade: its key, for the link, and its value.

    ``in_risks``: what it would have earned if closed at the last price, in units of its initial risk; ``to_stop``: by
    how much that price is better than the stop, per unit; ``tick_seconds``: how old it is. None where not known.
    """

    pk: int
    position: Position
    in_risks: Decimal | None = None
    to_stop: Decimal | None = None
    tick_seconds: float | None = None


def positions_then(account: Account, day: date) -> list[OpenPosition]:
    """Return one entry per trade that was open when a past day ended, the oldest first, without last prices."""
    return [OpenPosition(pk, position) for pk, position in open_at_end_of(account, day)]


def priced_positions(account: Account, *, mark: LedgerMark | None = None) -> list[OpenPosition]:
    """Return one entry per open trade, the oldest first; a last price that is not known is None."""
    trades = _kept_trades.of(account, "open", lambda: open_trade_positions(account), mark=mark)
    last_ticks, now = newest_points(account.code).known_ticks, timezone.now()
    return [
        OpenPosition(
            pk,
            position,
            in_risks_now(position),
            distance_to_stop(position),
            None if position.last_price_at is None else max(0.0, (now - position.last_price_at).total_seconds()),
        )
        for pk, position in priced(trades, last_ticks)
    ]


def _after_stops(trades: list[TradePosition], moved: Collection[int]) -> list[TradePosition]:
    """Return the open trades with the stops that stand now: nothing else of them has changed."""
    stops = standing_stops(moved)
    return [
        (row, position) if row.pk not in stops else _restopped(row, position, stops[row.pk]) for row, position in trades
    ]


def _restopped(row: Trade, position: Position, stop: StandingStop) -> TradePosition:
    row = copy(row)  # who looks at this moment has the other
    row.stop_price, row.flags = stop.price, list(stop.flags)
    return row, replace(position, stop_price=stop.price, flags=stop.flags)


_kept_trades: KeptAnswers[list[TradePosition]] = KeptAnswers(
    BYTES_MAX, lambda trades: TRADE_BYTES * (1 + len(trades)), after_stops=_after_stops
)
