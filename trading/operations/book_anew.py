"""Booking a fill anew that was taken back: on the open trade of its strategy, or as a trade of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from trading.bookkeeping import booking, journal
from trading.bookkeeping.booking import NewFill, Seen
from trading.bookkeeping.flipping import OPENS, flip
from trading.bookkeeping.opening import new_trade
from trading.domain import position
from trading.domain.flags import IMPORTED
from trading.errors import InvalidValue
from trading.models import Fill, Review, Trade
from trading.queries import facts
from trading.transactions import writing


def book_anew(trade: Trade, row: Fill, quantity: Decimal, *, price: Decimal, at: datetime | None, by: str) -> None:
    """Book the fill of a voided row (of ``trade``) behind those that stand, under the key that it had.

    ``quantity`` is that of the whole fill where it stood in two rows; ``at`` is None where only the day is known.

    Raises: InvalidValue where it lies before later fills, or may be of several open trades; LedgerBusy.
    """
    now = datetime.now(UTC)
    new = NewFill(
        price,
        quantity,
        at or row.at,
        row.charges,
        row.fill_id,
        row.order_id,
        takes_key=True,
        is_day_only=at is None,
        settlement=row.settlement,
    )
    words = f"{row.side} {quantity:f} at {price:f}"
    with writing():
        account, head = journal.lock_account(trade.account.code)
        of = {"account": account, "strategy": trade.strategy, "instrument": trade.instrument}
        standing = list(
            Trade.objects.filter(**of, state=Trade.State.OPEN).select_related(
                "account", "strategy", "instrument__exchange"
            )
        )
        if len(standing) > 1:
            raise InvalidValue(
                f"{words} may be of {len(standing)} open trades of {trade.strategy.code}.",
                field="breaks",
                hint="Book it by hand on the one that it is of, without an id.",
            )
        if not standing:
            keys = (account, trade.strategy, trade.instrument)
            opened = new_trade(*keys, _name(row), OPENS[row.side], new, stop=None, target=None, now=now)
            booked = booking.book(opened, row.side, new, now=now)
            body = {"trade": booking.trade_body(opened), "stop_price": None, "target_price": None, **booked}
            journal.append(account, "open_position", body, now=now, by=by, head=head)
            return
        (held,) = standing
        if any(other.at > new.at for other in facts.fills_of(held)):
            raise InvalidValue(
                f"{words} lies before later fills of trade {held.trade_id}.",
                field="breaks",
                hint="Void that trade and book it as it was.",
            )
        if row.side == position.EXIT_SIDE[held.side] and quantity > held.open_quantity:
            flip(held, row.side, new, _name(row), now=now, head=head)
            return
        seen = Seen.of(held)
        booked = booking.book(held, row.side, new, now=now)
        booking.keep(held, seen)
        body = {"trade": booking.trade_body(held), **booked}
        journal.append(account, "add_fill", body, now=now, by=by, head=head)


def has_a_hand_in_it(trade: Trade) -> bool:
    """Tell whether a strategy or a person made more of a trade than its fills: booked it, moved a stop, reviewed it."""
    reviews = Review.objects.filter(trade=trade).exclude(state=Review.State.OPEN, rating=None, tags=[], notes="")
    return IMPORTED not in trade.flags or trade.stop_changes.exists() or reviews.exists()


def _name(row: Fill) -> str:
    """Return the id of a trade that a fill opens which was taken back before."""
    return f"anew-{row.pk}"
