"""Booking one more fill on an open trade: scaling in or out."""

from __future__ import annotations

from datetime import UTC, datetime

from timeseries.values import Instant, Number, parse_name
from trading.bookkeeping import arguments, booking, bounds, fill_keys, journal
from trading.bookkeeping.booking import NewFill, Seen
from trading.bookkeeping.flipping import flip, known_flip, must_reverse
from trading.domain import flags, money, position
from trading.domain.values import Position, known_already
from trading.errors import IdConflict, TradeClosed
from trading.models import Fill, Trade
from trading.queries import facts
from trading.queries.trades import find_trade
from trading.transactions import writing


def add_fill(
    account_code: str,
    trade_id: str,
    side: str,
    price: Number,
    quantity: Number,
    at: Instant,
    *,
    strategy_id: str | None = None,
    charges: Number | None = None,
    fill_id: str | None = None,
    order_id: str | None = None,
    flip_to: str | None = None,
) -> Position:
    """Book a fill on an open trade and return the trade; a fill that it has already, by ``fill_id``, changes nothing.

    ``side`` is BUY or SELL: on the side of the opening it scales in, on the other it is a partial exit, and one that
    reaches zero closes the trade. ``at`` is a datetime (naive: the desk's zone) or ns UTC, not before the opening.

    ``flip_to`` is the id of the trade that opens with what of an exit is more than open (a stop-and-reverse): the fill
    becomes two rows under its one id, with its charges shared by quantity, and the trade that opened is returned. An
    exit of no more than is open needs no other trade.

    Raises: InvalidValue, IdConflict, UnknownTrade, AmbiguousTrade, TradeClosed, CrossesZero, CurrencyMismatch,
        UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    trade_id = arguments.identity(trade_id, "trade_id")
    strategy_id = None if strategy_id is None else parse_name(strategy_id, "strategy_id")
    side = arguments.one_of(side, "side", (position.BUY, position.SELL))
    new = NewFill(
        money.parse_price(price, "price"),
        money.parse_quantity(quantity),
        arguments.required_time(at, "at"),
        money.parse_charge(charges),
        arguments.optional_identity(fill_id, "fill_id"),
        arguments.optional_identity(order_id, "order_id"),
    )
    flip_to = arguments.optional_identity(flip_to, "flip_to")
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        trade = find_trade(account, trade_id, strategy_id=strategy_id)
        if flip_to is not None:
            must_reverse(trade, side)
            if (opened := known_flip(trade, side, new, flip_to)) is not None:
                return known_already(booking.position_value(opened))
            crosses = trade.state == Trade.State.OPEN and new.quantity > trade.open_quantity
            if crosses and not is_known(trade, side, new):
                return booking.position_value(flip(trade, side, new, flip_to, now=now, head=head))
        if is_known(trade, side, new):
            return known_already(booking.position_value(trade))
        must_be_open(trade, hint="Open a new trade instead.")
        seen = Seen.of(trade)
        booked = booking.book(trade, side, new, now=now)
        booking.keep(trade, seen)
        journal.append(trade.account, "add_fill", {"trade": booking.trade_body(trade), **booked}, now=now, head=head)
        return booking.position_value(trade)


def must_be_open(trade: Trade, *, hint: str) -> None:
    """Raise TradeClosed for a trade that is closed or void."""
    if trade.state != Trade.State.OPEN:
        word = "void" if trade.state == Trade.State.VOID else "closed"
        raise TradeClosed(f"Trade {trade.trade_id} is {word}.", field="trade_id", hint=hint)


def is_known(trade: Trade, side: str, new: NewFill) -> bool:
    """Tell whether the trade has this fill already. Raises: IdConflict where its id stands for another fill, of this
    trade or another.

    Units that come or go for nothing need no id: two such fills of one quantity and one instant are the same.
    """
    if new.fill_id is None:
        is_gift = bool(bounds.price_flags(new.price, trade.instrument))
        return is_gift and trade.fills.filter(side=side, price=0, quantity=new.quantity, at=new.at).exists()
    earlier = fill_keys.fill_of(trade, new.fill_id, new.at, takes_key=new.takes_key)
    if earlier is None and flags.SPLIT in trade.flags:
        earlier = trade.fills.filter(fill_id=new.fill_id, role=Fill.Role.SPLIT).first()
    if earlier is None:
        return False
    forms = [earlier, *(fill for fill in facts.fills_of(trade) if fill.pk == earlier.pk)]  # recorded, and put right
    if (side, new.price, new.quantity) not in {(fill.side, fill.price, fill.quantity) for fill in forms}:
        raise IdConflict(
            f"Fill {new.fill_id} is known as {earlier.side} {earlier.quantity:f} at {earlier.price:f}.",
            field="fill_id",
            hint="Give another fill_id for another fill.",
        )
    return True
