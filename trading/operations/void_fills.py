"""Taking fills back that a broker does not have, or has fewer times: of trades that stand, some fills or all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db import transaction

from trading.bookkeeping import charging
from trading.bookkeeping.built_keys import keys_of
from trading.errors import CrossesZero, InvalidValue
from trading.models import Fill, Trade
from trading.operations.book_anew import book_anew, has_a_hand_in_it
from trading.operations.void import void
from trading.queries import facts


@dataclass(slots=True)
class _Rest:
    """A fill that stays, of all its rows."""

    trade: Trade
    row: Fill
    quantity: Decimal


def void_fills(sequences: Mapping[int, set[int]], *, by: str, reason: str) -> None:
    """Void fills, by their trade's primary key, inside the transaction of an approval.

    A trade of which all are to go is voided as a whole. Where what is left makes no trade, as where a file that came
    twice is mixed into it, imported trades are voided whole and the fills that stay are booked anew in their order,
    with those of trades that a fill of theirs turned into another.

    Raises: InvalidValue, CrossesZero where that would lose what a strategy or a person made of a trade.
    """
    trades = list(
        Trade.objects.filter(pk__in=sequences)
        .select_related("account", "strategy", "instrument__exchange")
        .order_by("pk")
    )
    try:
        with transaction.atomic():
            for trade in trades:
                going = sequences[trade.pk]
                if going >= {fill.sequence for fill in facts.fills_of(trade)}:
                    void(trade.pk, by=by, reason=reason)
                    continue
                for sequence in sorted(going, reverse=True):
                    void(trade.pk, by=by, reason=reason, fill=sequence)
    except (InvalidValue, CrossesZero):
        trades = _with_turned(trades)
        if any(has_a_hand_in_it(trade) for trade in trades):
            raise
        _void_and_book(trades, sequences, by=by, reason=reason)


def _with_turned(trades: list[Trade]) -> list[Trade]:
    """Return trades with those that stand of a part of their fills: a fill that turned a position is not halved."""
    together, waiting = list(trades), list(trades)
    while waiting:
        trade = waiting.pop()
        keys = keys_of(trade.account, trade.instrument, {fill.fill_id for fill in trade.fills.all() if fill.fill_id})
        own = {(key.day, key.broker_fill_id) for key in keys if key.trade_id == trade.pk}
        others = {key.trade_id for key in keys if (key.day, key.broker_fill_id) in own}
        rows = Trade.objects.filter(pk__in=others - {each.pk for each in together}).exclude(state=Trade.State.VOID)
        neighbours = list(rows.select_related("account", "strategy", "instrument__exchange"))
        together += neighbours
        waiting += neighbours
    return sorted(together, key=lambda each: each.pk)


def _void_and_book(trades: list[Trade], sequences: Mapping[int, set[int]], *, by: str, reason: str) -> None:
    """Void trades whole and book those of their fills anew that stay, with their part of what is stated of charges."""
    days = {day for trade in trades for day in charging.days_of(trade, facts.fills_of(trade))}
    staying: dict[tuple[int, str] | int, _Rest] = {}
    for trade in trades:
        for row in facts.fills_of(trade):
            if row.sequence in sequences.get(trade.pk, ()):
                continue
            # A fill that turned a position stands in two rows under one id.
            key = row.pk if row.fill_id is None else (trade.instrument_id, f"{row.at.date()} {row.fill_id}")
            if key in staying:
                staying[key].quantity += row.quantity
            else:
                staying[key] = _Rest(trade, row, row.quantity)
    for trade in trades:
        void(trade.pk, by=by, reason=reason)
    for rest in sorted(staying.values(), key=lambda each: (each.row.at, each.trade.pk, each.row.sequence)):
        at = None if rest.row.is_day_only else rest.row.at
        book_anew(rest.trade, rest.row, rest.quantity, price=rest.row.price, at=at, by=by)
    # What is stated went to the fills that stood in between.
    charging.share_anew(trades[0].account, days, reason=f"Void: {reason}", by=by, now=datetime.now(UTC))
