"""Opening a trade with its first fill."""

from __future__ import annotations

from datetime import UTC, datetime

from timeseries.values import Instant, Number, parse_name
from trading.bookkeeping import arguments, booking, bounds, fill_keys, journal, opening, references, signals
from trading.bookkeeping.booking import NewFill
from trading.domain import money, position
from trading.domain.chain import JSON, JournalEntry
from trading.domain.conditions import Conditions, is_same
from trading.domain.values import Position, known_already
from trading.errors import IdConflict
from trading.models import Instrument, Signal, Trade
from trading.queries import facts
from trading.queries.instruments import shown_symbol
from trading.transactions import writing


def open_position(
    account_code: str,
    trade_id: str,
    strategy_id: str,
    symbol: str,
    *,
    entry_price: Number,
    quantity: Number,
    entry_time: Instant,
    side: str = "LONG",
    stop_price: Number | None = None,
    target_price: Number | None = None,
    charges: Number | None = None,
    fill_id: str | None = None,
    order_id: str | None = None,
    signal_conditions: Conditions | None = None,
) -> Position:
    """Open a trade and return it, committed; one that is known already is returned as it stands, and nothing changes.

    It is known where its id is, with the same instrument, side, price and quantity.

    Prices, quantity and charges are exact: an int, a text, a Decimal, or a float by its shortest form, of at most 8
    decimals. ``side`` is LONG or SHORT; ``entry_time`` a datetime (naive: the desk's zone) or ns UTC. ``trade_id`` is
    unique within account, strategy and trading day; ``fill_id`` and ``order_id`` are the broker's. From ``stop_price``
    follows the initial risk. ``charges`` are None until known. ``signal_conditions`` are kept as a TAKEN signal.

    Raises: InvalidValue, IdConflict (the id is known with other content), NotTradable, CurrencyMismatch,
        UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    trade_id = arguments.identity(trade_id, "trade_id")
    strategy_id = parse_name(strategy_id, "strategy_id")
    symbol = parse_name(symbol, "symbol")
    side = arguments.one_of(side, "side", (position.LONG, position.SHORT))
    fill = NewFill(
        money.parse_price(entry_price, "entry_price"),
        money.parse_quantity(quantity),
        arguments.required_time(entry_time, "entry_time"),
        money.parse_charge(charges),
        arguments.optional_identity(fill_id, "fill_id"),
        arguments.optional_identity(order_id, "order_id"),
        price_field="entry_price",
    )
    stop = arguments.optional_price(stop_price, "stop_price")
    target = arguments.optional_price(target_price, "target_price")
    conditions = None if signal_conditions is None else arguments.conditions_of(signal_conditions, "signal_conditions")
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        instrument, strategy = references.instrument_of(symbol, account), references.strategy_of(strategy_id)
        references.must_be_tradable(instrument)
        for price, field in ((stop, "stop_price"), (target, "target_price")):
            if price is not None:
                bounds.must_be_price(price, instrument, field)
        earlier = opening.known_trade(account, strategy, trade_id, instrument, fill.at)
        if earlier is not None:
            _must_be_same(earlier, instrument, side, fill)
            return known_already(booking.position_value(earlier))
        if fill.fill_id is not None:
            fill_keys.must_be_free(account, instrument, fill.fill_id, fill.at)
        trade = opening.new_trade(
            account, strategy, instrument, trade_id, side, fill, stop=stop, target=target, now=now
        )
        body: JournalEntry = {"stop_price": stop, "target_price": target}
        body |= booking.book(trade, position.ENTRY_SIDE[side], fill, now=now)
        if conditions is not None:
            body |= _with_signal(trade, conditions, now)
        body["trade"] = booking.trade_body(trade)
        journal.append(account, "open_position", body, now=now, head=head)
        return booking.position_value(trade)


def _with_signal(trade: Trade, conditions: dict[str, JSON], now: datetime) -> JournalEntry:
    """Keep the signal that the trade was opened on; one recorded before stays as it is and gets its trade."""
    signal, is_new = signals.keep(
        trade.account,
        trade.strategy,
        trade.instrument,
        at=trade.opened_at,
        decision=Signal.Decision.TAKEN,
        reason="",
        conditions=conditions,
        now=now,
        trade=trade,
    )
    if not is_same(signal.conditions, conditions):
        trade.flags = sorted({*trade.flags, "signal_conditions_differ"})
        trade.save(update_fields=["flags"])
    if is_new:
        decision: JournalEntry = {"at": trade.opened_at, "decision": Signal.Decision.TAKEN, "reason": ""}
        return {"signal": {**decision, "conditions": conditions}, **signals.keys_of(signal)}
    return {"signal_taken": signal.pk} if signal.trade_id == trade.pk else {}


def _must_be_same(earlier: Trade, instrument: Instrument, side: str, fill: NewFill) -> None:
    """Raise IdConflict unless the trade was opened by this fill, as it was recorded or as corrections have left it."""
    own, other = (shown_symbol(of.exchange.code, of.symbol) for of in (earlier.instrument, instrument))
    openings = [earlier.fills.get(sequence=1), *facts.fills_of(earlier)[:1]]
    if (other, side, fill.price, fill.quantity) not in {(own, earlier.side, o.price, o.quantity) for o in openings}:
        raise IdConflict(
            f"Trade {earlier.trade_id} of {earlier.trading_day} is known as {earlier.side} {openings[-1].quantity:f} "
            f"{earlier.instrument.symbol} at {openings[-1].price:f}.",
            field="trade_id",
            hint="Give another trade_id for another trade.",
        )
