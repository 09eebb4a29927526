"""Open a trade with its first fill."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from timeseries.values import parse_name
from trading.bookkeeping import arguments, booking, bounds, journal, opening, references, signals
from trading.bookkeeping.booking import NewFill
from trading.domain import money, position
from trading.domain.conditions import is_same
from trading.domain.values import Position, known_already
from trading.errors import IdConflict
from trading.models import Instrument, Signal, Trade
from trading.queries import facts
from trading.queries.instruments import shown_symbol
from trading.queries.trades import trade_value
from trading.transactions import writing


def open_position(
    account_code: str,
    trade_id: str,
    strategy_id: str,
    symbol: str,
    *,
    entry_price: Any,
    quantity: Any,
    entry_time: Any,
    side: str = "LONG",
    stop_price: Any = None,
    target_price: Any = None,
    charges: Any = None,
    fill_id: str | None = None,
    order_id: str | None = None,
    signal_conditions: dict[str, Any] | None = None,
) -> Position:
    """Return the trade, opened and committed. The same again (id, instrument, side, price, quantity) answers with what
    is there and changes nothing.

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
        known = opening.known_trade(account, strategy, trade_id, instrument, fill.at)
        if known is not None:
            return known_already(_same_again(known, instrument, side, fill))
        trade = opening.new_trade(
            account, strategy, instrument, trade_id, side, fill, stop=stop, target=target, now=now
        )
        said = booking.book(trade, position.ENTRY_SIDE[side], fill, now=now)
        if conditions is not None:
            said |= _with_signal(trade, conditions, now)
        plan = {"stop_price": stop, "target_price": target}
        body = {"trade": booking.said_of(trade), **plan, **said}
        journal.append(account, "open_position", body, now=now, head=head)
        return Position(**trade_value(trade).as_dict())


def _with_signal(trade: Trade, conditions: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Keep the signal that the trade was opened on; one recorded before stays as it is and gets its trade."""
    decided: dict[str, Any] = {"at": trade.opened_at, "decision": Signal.Decision.TAKEN, "reason": ""}
    decided |= {"conditions": conditions}
    signal, is_new = signals.keep(trade.account, trade.strategy, trade.instrument, **decided, now=now, trade=trade)
    if not is_same(signal.conditions, conditions):
        trade.flags = sorted({*trade.flags, "signal_conditions_differ"})
        trade.save(update_fields=["flags"])
    if is_new:
        return {"signal": decided, **signals.keys_of(signal)}
    return {"signal_taken": signal.pk} if signal.trade_id == trade.pk else {}


def _same_again(known: Trade, instrument: Instrument, side: str, fill: NewFill) -> Position:
    """Answer what was said before with what is there: as it was said, or as a correction has put it right."""
    said = [known.fills.get(sequence=1), *facts.fills_of(known)[:1]]
    same = (_name(instrument), side, fill.price, fill.quantity)
    if same not in {(_name(known.instrument), known.side, first.price, first.quantity) for first in said}:
        raise IdConflict(
            f"Trade {known.trade_id} of {known.trading_day} is known as {known.side} {said[-1].quantity:f} "
            f"{known.instrument.symbol} at {said[-1].price:f}.",
            field="trade_id",
            hint="Give another trade_id for another trade.",
        )
    return Position(**trade_value(known).as_dict())


def _name(instrument: Instrument) -> str:
    return shown_symbol(instrument.exchange.code, instrument.symbol)
