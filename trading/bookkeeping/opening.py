"""A trade as it is opened: the one that has its id already, or a new one for its first fill."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from trading import rows
from trading.bookkeeping import booking, references
from trading.bookkeeping.booking import NewFill
from trading.models import Account, Correction, Instrument, Strategy, Trade


def known_trade(
    account: Account, strategy: Strategy, trade_id: str, instrument: Instrument, at: datetime
) -> Trade | None:
    """Return the trade of this id that was opened on the day of ``at``, None where there is none."""
    day = references.day_of(at, instrument)
    trade = rows.one(Trade, account_id=account.pk, strategy_id=strategy.pk, trade_id=trade_id, trading_day=day)
    if trade is not None:
        return trade
    # A correction may have moved it away: a caller who repeats its opening means that one still.
    moves = rows.fetch(Correction, account_id=account.pk, from_strategy_id=strategy.pk, from_day=day)
    return next((move.trade for move in moves if move.trade.trade_id == trade_id), None)


def new_trade(
    account: Account,
    strategy: Strategy,
    instrument: Instrument,
    trade_id: str,
    side: str,
    fill: NewFill,
    *,
    stop: Decimal | None,
    target: Decimal | None,
    now: datetime,
) -> Trade:
    """Return a trade that `booking.book` is to save with its opening fill."""
    return Trade(
        account=account,
        strategy=strategy,
        instrument=instrument,
        trade_id=trade_id,
        trading_day=references.day_of(fill.at, instrument),
        side=side,
        opened_at=fill.at,
        recorded_at=now,
        open_quantity=Decimal(0),
        stop_price=stop,
        initial_stop_price=stop,
        target_price=target,
        initial_risk=None if stop is None else booking.initial_risk(fill.price, fill.quantity, stop, instrument),
        flags=[],
    )
