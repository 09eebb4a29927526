"""Closing a trade: one exit fill for all that is still open, the reason, and what the caller reported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from timeseries.values import Instant, Number, parse_name
from trading.bookkeeping import arguments, booking, bounds, journal
from trading.bookkeeping.booking import NewFill, Seen
from trading.bookkeeping.reported import reported_flags
from trading.domain import money, position, values
from trading.domain.chain import JournalEntry
from trading.domain.flags import PRICE_ZERO, UNEXPLAINED
from trading.errors import IdConflict, TradeClosed
from trading.models import Trade
from trading.operations.add_fill import is_known
from trading.queries import facts
from trading.queries.instruments import plain_name, shown_symbol
from trading.queries.trades import find_trade, trade_value
from trading.transactions import writing


@dataclass(frozen=True, slots=True)
class Close:
    """A close as its caller gave it, checked and exact."""

    price: Decimal
    at: datetime
    reason: str
    pnl: Decimal | None
    pnl_percent: Decimal | None
    charges: Decimal | None
    fill_id: str | None
    order_id: str | None


def close_position(
    account_code: str,
    trade_id: str,
    strategy_id: str | None,
    symbol: str,
    *,
    exit_price: Number,
    exit_time: Instant,
    pnl: Number | None = None,
    pnl_percent: Number | None = None,
    exit_reason: str = "",
    charges: Number | None = None,
    fill_id: str | None = None,
    order_id: str | None = None,
) -> values.Trade:
    """Close a trade and return it. Of many callers at once one closes it; the others get its answer or TradeClosed.

    After exit fills that reached zero no fill is added: only the reason and the reported figures, and another price is
    flagged. A second close with the same price answers with the first. ``strategy_id`` None: the trade of that id, of
    whichever strategy. ``pnl`` and ``pnl_percent`` (6.12 is 6.12 %) are kept as reported; where they are over 0.01 away
    from the ledger's own, the trade is flagged. An exit at 0 is booked, and flagged as a likely slip unless
    ``exit_reason`` is "expired", "settled", "delivered" or "bonus".

    Raises: InvalidValue, IdConflict, UnknownTrade, AmbiguousTrade, TradeClosed, UnknownAccount, LedgerBusy,
        LedgerNotReady.
    """
    trade_id = arguments.identity(trade_id, "trade_id")
    strategy_id = None if strategy_id is None else parse_name(strategy_id, "strategy_id")
    symbol = parse_name(symbol, "symbol")
    close = Close(
        money.parse_price(exit_price, "exit_price"),
        arguments.required_time(exit_time, "exit_time"),
        arguments.free_text(exit_reason, "exit_reason"),
        money.parse_reported(pnl, "pnl"),
        money.parse_reported(pnl_percent, "pnl_percent"),
        money.parse_charge(charges),
        arguments.optional_identity(fill_id, "fill_id"),
        arguments.optional_identity(order_id, "order_id"),
    )
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        # Looked up behind the lock: what another process closed a moment ago is closed here.
        trade = find_trade(account, trade_id, strategy_id=strategy_id)
        must_name(trade, symbol)
        bounds.must_be_price(close.price, trade.instrument, "exit_price", can_be_zero=True)
        if trade.state == Trade.State.VOID:
            raise TradeClosed(f"Trade {trade_id} is void.", field="trade_id", hint="It was taken back: open another.")
        if trade.close_price is None:
            close_body = _close(trade, close, now)
            body = {"trade": booking.trade_body(trade), **close_body}
            journal.append(trade.account, "close_position", body, now=now, head=head)
            return trade_value(trade)
        if close.price not in (trade.close_price, facts.fills_of(trade)[-1].price):  # recorded, and put right
            raise TradeClosed(
                f"Trade {trade_id} was closed at {trade.close_price:f}.",
                field="trade_id",
                hint="A correction needs an author and a reason; it is not a second close.",
            )
        return values.known_already(trade_value(trade))


def must_name(trade: Trade, symbol: str) -> None:
    """Raise IdConflict unless ``symbol`` is the trade's own."""
    own = shown_symbol(trade.instrument.exchange.code, trade.instrument.symbol)
    if plain_name(symbol) != own:
        raise IdConflict(
            f"Trade {trade.trade_id} is in {own}, not in {symbol}.",
            field="symbol",
            hint="Check trade_id and symbol.",
        )


def _close(trade: Trade, close: Close, now: datetime) -> JournalEntry:
    """Book the last exit, where any is open, and what the close reports; return what the journal says of both."""
    booked: JournalEntry = {}
    flags: set[str] = set()
    seen = Seen.of(trade)
    if trade.state == Trade.State.OPEN:
        side = position.EXIT_SIDE[trade.side]
        ids = (close.fill_id, close.order_id, "exit_time", "exit_price")
        rest = NewFill(close.price, trade.open_quantity, close.at, close.charges, *ids)
        if is_known(trade, side, rest):
            raise IdConflict(
                f"Fill {close.fill_id} is on trade {trade.trade_id} already, and more is open.",
                field="fill_id",
                hint="Give the fill_id of the fill that closes it.",
            )
        booked = booking.book(trade, side, rest, now=now)
    else:  # exit fills have reached zero: no fill can be added any more
        flags |= {"close_price_differs"} if close.price != facts.fills_of(trade)[-1].price else set()
        flags |= {"close_charges_not_booked"} if close.charges is not None else set()
    trade.close_price, trade.exit_reason = close.price, close.reason
    trade.reported_pnl, trade.reported_pnl_percent = close.pnl, close.pnl_percent
    flags |= reported_flags(trade) | ({*trade.flags} - {UNEXPLAINED})
    if PRICE_ZERO in flags:
        flags |= bounds.settlement_flags(trade, facts.fills_of(trade))
    trade.flags = sorted(flags)
    booking.keep(trade, seen)
    reported = {"reported_pnl": close.pnl, "reported_pnl_percent": close.pnl_percent}
    return {**booked, "close_price": close.price, "at": close.at, "exit_reason": close.reason, **reported}
