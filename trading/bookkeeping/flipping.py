"""A stop-and-reverse: one fill of the broker closes a trade and opens the opposite one, as two rows under one fill id.

For use inside `add_fill`'s transaction: both trades are written, or none.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db.models import Q

from trading.bookkeeping import booking, fill_keys, journal
from trading.bookkeeping.booking import NewFill, Seen
from trading.bookkeeping.opening import known_trade, new_trade
from trading.domain import position
from trading.domain.money import divide_half_even, from_units, to_units
from trading.errors import IdConflict, InvalidValue
from trading.models import Fill, JournalHead, Trade

OPENS = {position.BUY: position.LONG, position.SELL: position.SHORT}


def must_reverse(trade: Trade, side: str) -> None:
    """Raise InvalidValue for a fill that would add to the trade instead of turning it."""
    if side == position.ENTRY_SIDE[trade.side]:
        raise InvalidValue(
            f"{side} adds to a {trade.side} trade.", field="side", hint="Leave flip_to out, or give the other side."
        )


def known_flip(trade: Trade, side: str, new: NewFill, flip_to: str) -> Trade | None:
    """Return the trade that this fill has opened already, None where the fill is still to be booked.

    Raises: IdConflict where the id to flip to belongs to another trade.
    """
    opened = known_trade(trade.account, trade.strategy, flip_to, trade.instrument, new.at)
    if opened is None:
        return None
    # The two rows of the fill: by the broker's id, else by time and price.
    key = Q(at=new.at) if new.fill_id is None else Q(pk__in=fill_keys.rows_of(trade, new.fill_id, new.at))
    same = Fill.objects.filter(key, side=side, price=new.price).order_by("sequence")
    rows = [same.filter(trade=of).last() for of in (trade, opened)]
    quantities = [row.quantity for row in rows if row is not None]
    if opened.pk == trade.pk or len(quantities) != 2 or sum(quantities) != new.quantity:
        raise IdConflict(
            f"Trade {flip_to} of {opened.trading_day} is known, and was not opened by this fill.",
            field="flip_to",
            hint="Give another flip_to for another trade.",
        )
    return opened


def flip(trade: Trade, side: str, new: NewFill, flip_to: str, *, now: datetime, head: JournalHead) -> Trade:
    """Close the trade and open the other with the rest; return the one opened. ``new`` is larger than what is open."""
    # The fill is split at zero, its charges by quantity.
    rest = new.quantity - trade.open_quantity
    own = left = None
    if new.charges is not None:
        shared = to_units(new.charges) * to_units(trade.open_quantity)
        own = from_units(divide_half_even(shared, to_units(new.quantity)))
        left = new.charges - own
    seen = Seen.of(trade)
    booked = booking.book(trade, side, replace(new, quantity=trade.open_quantity, charges=own), now=now)
    booking.keep(trade, seen)
    body = {"trade": booking.trade_body(trade), **booked, "flip": {"to": flip_to}}
    journal.append(trade.account, "add_fill", body, now=now, head=head)
    opening = replace(new, quantity=rest, charges=left, key_number=1)
    keys = (trade.account, trade.strategy, trade.instrument)
    opened = new_trade(*keys, flip_to, OPENS[side], opening, stop=None, target=None, now=now)
    booked = booking.book(opened, side, opening, now=now)
    plan = {"stop_price": None, "target_price": None, "flip": {"from": trade.trade_id}}
    body = {"trade": booking.trade_body(opened), **plan, **booked}
    journal.append(trade.account, "open_position", body, now=now, head=head)
    return opened
