"""Booking one fill on a trade, with all that follows from it, inside the transaction of an operation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.timezone import localtime

from trading import rows
from trading.bookkeeping import bounds, by_hand, fill_keys, references, slips
from trading.domain import flags, position
from trading.domain.chain import JournalEntry
from trading.domain.money import MAX_UNITS, from_units, to_units
from trading.domain.position import Execution, Holding, Realised
from trading.domain.values import Position
from trading.errors import CrossesZero, InvalidValue
from trading.models import Correction, DayTotal, Fill, Instrument, Realisation, StopChange, Trade
from trading.queries import facts
from trading.queries.instruments import shown_symbol
from trading.queries.trades import trade_value
from trading.transactions import busy


@dataclass(frozen=True, slots=True)
class NewFill:
    """A fill as its caller gave it, checked and exact."""

    price: Decimal
    quantity: Decimal
    at: datetime
    charges: Decimal | None = None
    fill_id: str | None = None
    order_id: str | None = None
    time_field: str = "at"  # what the caller calls its time, and its price
    price_field: str = "price"
    key_number: int = 0  # 1 for the second row of a fill that turns a position
    takes_key: bool = False  # of a row that was voided, where the fill is booked anew
    is_day_only: bool = False  # nobody told the time of day: `at` only keeps the order
    settlement: str = ""  # one of `flags.SETTLEMENTS`, where it is no sale at a price


# What moves in a trade after its opening.
MOVING = (
    *("state", "closed_at", "open_quantity", "open_cost", "entry_quantity", "entry_value", "realised_pnl", "charges"),
    *("close_price", "exit_reason", "reported_pnl", "reported_pnl_percent", "flags"),
)


# What moves in a day's total.
SUMS = (
    *("gross_pnl", "charges", "gross_profit", "gross_loss"),
    *("trades_closed", "wins", "losses", "breakevens", "trades_without_charges"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of a trade as it was read: `keep` writes only over that."""

    state: str
    open_quantity: Decimal
    close_price: Decimal | None

    @classmethod
    def of(cls, trade: Trade) -> Seen:
        """Return what is seen of a trade now."""
        return cls(trade.state, trade.open_quantity, trade.close_price)


def keep(trade: Trade, seen: Seen) -> None:
    """Write the columns of a trade that moved, if it still stands as it was seen: of many closes at once one is made.

    Raises: LedgerBusy where somebody else was first; nothing of this operation remains then.
    """
    if not rows.update(trade, MOVING, **asdict(seen)):
        raise busy(f"trade {trade.trade_id} changed at the same time")


def book(trade: Trade, side: str, new: NewFill, *, now: datetime) -> JournalEntry:
    """Write a fill, move its trade on and add to the day's total; return what the journal says of it.

    ``trade`` has its instrument loaded. A new one is saved here, one that was read is to be written with `keep`. That
    the fill's id is free was looked up before (`fill_keys`).

    Raises: CrossesZero; CurrencyMismatch for an entry; InvalidValue for a time before the opening, off the quantity
        step, beyond the bound of money.
    """
    _check(trade, side, new)
    units = None if new.charges is None else to_units(new.charges)
    after, realised, sequence = _applied(trade, Execution(side, to_units(new.price), to_units(new.quantity), units))
    is_new = trade.pk is None
    odd = slips.fill_flags(new.price, new.quantity, new.at, trade.instrument, now, is_day_only=new.is_day_only)
    is_timed_price = not new.is_day_only and not new.settlement
    odd |= slips.far_flags(new.price, new.at, trade.instrument) if is_timed_price else set()
    odd |= slips.plan_flags(trade, new.price) if is_new else set()
    if realised is not None and flags.PRICE_ZERO in odd and not new.settlement:
        odd.add(flags.UNEXPLAINED)  # a part that is sold for nothing has no reason; the close may give one
    if (entry := by_hand.current()) is not None:
        entry.notice(odd)
        odd.add(flags.BY_HAND)
    trade.flags = sorted({*trade.flags, *odd})
    stand(trade, after, new.at)
    if is_new:
        rows.insert(trade)
    fill = Fill(
        trade=trade,
        sequence=sequence,
        fill_id=new.fill_id,
        order_id=new.order_id,
        side=side,
        role=Fill.Role.ENTRY if side == position.ENTRY_SIDE[trade.side] else Fill.Role.EXIT,
        price=new.price,
        quantity=new.quantity,
        charges=new.charges,
        at=new.at,
        is_day_only=new.is_day_only,
        settlement=new.settlement,
        recorded_at=now,
    )
    rows.insert(fill)
    body: JournalEntry = {"fill": fill_body(fill), "fill_pk": fill.pk}
    if new.fill_id is not None:
        body |= fill_keys.keep(trade, fill, new.fill_id, number=new.key_number, takes_key=new.takes_key)
    if is_new:
        body["multiplier"] = trade.instrument.multiplier
    if realised is not None:
        body |= _realise(trade, fill, realised)
    return body


def position_value(trade: Trade) -> Position:
    """Return the position that a call on a trade answers with."""
    return Position(**trade_value(trade).as_dict())


def trade_body(trade: Trade) -> JournalEntry:
    """Return how the journal names a trade."""
    return {
        "pk": trade.pk,
        "trade_id": trade.trade_id,
        "trading_day": trade.trading_day,
        "strategy": trade.strategy.code,
        "symbol": shown_symbol(trade.instrument.exchange.code, trade.instrument.symbol),
        "side": trade.side,
        "strategy_pk": trade.strategy_id,
        "instrument_pk": trade.instrument_id,
        "flags": trade.flags,
    }


def initial_risk(price: Decimal, quantity: Decimal, stop: Decimal, instrument: Instrument) -> Decimal:
    """Return |entry − stop| × quantity × multiplier of an opening fill. Raises: InvalidValue beyond the bound."""
    distance = abs(to_units(price) - to_units(stop))
    risk = position.value_of(distance, to_units(quantity), to_units(instrument.multiplier))
    if risk > MAX_UNITS:
        raise InvalidValue(f"stop_price is {stop}.", field="stop_price", hint="The risk would pass 92,233,720,368.")
    return from_units(risk)


def _check(trade: Trade, side: str, new: NewFill) -> None:
    """Raise what `book` raises for a fill that the trade, its instrument or its account cannot have."""
    if new.at < trade.opened_at:
        hint = f"It opened {localtime(trade.opened_at)}."
        raise InvalidValue("The fill lies before the trade's opening.", field=new.time_field, hint=hint)
    # What came before a split that is booked is in other units: the trade counts in the new ones.
    if flags.SPLIT in trade.flags and trade.fills.filter(role=Fill.Role.SPLIT, at__gt=new.at).exists():
        raise InvalidValue(
            f"The fill lies before a split of trade {trade.trade_id}.",
            field=new.time_field,
            hint="Book it in the units since then, with a time after the split.",
        )
    references.must_be_on_step(new.quantity, trade.instrument)
    bounds.must_be_price(new.price, trade.instrument, new.price_field, can_be_zero=trade.pk is not None)
    is_exit = side == position.EXIT_SIDE[trade.side]
    if not is_exit:  # what an older VELOX booked in two currencies can still be closed
        references.must_be_in_currency(trade.instrument, trade.account)
    if is_exit and new.quantity > trade.open_quantity:
        rest = new.quantity - trade.open_quantity
        raise CrossesZero(
            f"{side} {new.quantity:f} is more than the {trade.open_quantity:f} that are open.",
            field="quantity",
            hint=f"{trade.open_quantity:f} close the trade; give flip_to to open one with the rest of {rest:f}.",
        )


def _applied(trade: Trade, execution: Execution) -> tuple[Holding, Realised | None, int]:
    """Return the holding after one more execution, what that realised, and the sequence of its fill.

    Raises: InvalidValue beyond the bound of money.
    """
    multiplier = to_units(trade.instrument.multiplier)
    if trade.pk is None:
        before, sequence = Holding(trade.side, multiplier), 1
    elif facts.CORRECTED not in trade.flags:
        before, sequence = facts.standing(trade)
    else:
        fills = rows.fetch(Fill, trade_id=trade.pk, order_by="sequence")
        sequence = len(fills) + 1
        fills = facts.corrected(fills, rows.fetch(Correction, trade_id=trade.pk, order_by="id"))
        before = position.fold(trade.side, multiplier, facts.executions(fills))[0]
    after, realised = position.apply(before, execution)
    worth = position.value_of(execution.price, execution.quantity, before.multiplier)
    money = (after.open_cost, after.entry_value, after.realised_pnl, worth, after.charges or 0)
    if max(after.open_quantity, after.entry_quantity, *map(abs, money)) > MAX_UNITS:
        raise InvalidValue(
            f"Trade {trade.trade_id} would be worth more than 92,233,720,368.",
            field="quantity",
            hint="Check price and quantity; book such a position as several trades.",
        )
    return after, realised, sequence


def stand(trade: Trade, after: Holding, at: datetime) -> None:
    """Put a holding into the trade's columns; a trade that holds nothing is closed ``at`` this instant."""
    trade.open_quantity, trade.open_cost = from_units(after.open_quantity), from_units(after.open_cost)
    trade.entry_quantity, trade.entry_value = from_units(after.entry_quantity), from_units(after.entry_value)
    trade.realised_pnl = from_units(after.realised_pnl)
    trade.charges = None if after.charges is None else from_units(after.charges)
    if not after.open_quantity:
        trade.state, trade.closed_at = Trade.State.CLOSED, at


def _realise(trade: Trade, fill: Fill, realised: Realised) -> JournalEntry:
    """Write what an exit fill realised and keep the day total; return what the journal says of both."""
    day = references.day_of(fill.at, trade.instrument)
    row = Realisation(
        trade=trade,
        fill=fill,
        account=trade.account,
        strategy=trade.strategy,
        instrument=trade.instrument,
        day=day,
        at=fill.at,
        quantity=from_units(realised.quantity),
        cost=from_units(realised.cost),
        proceeds=from_units(realised.proceeds),
        charges=None if realised.charges is None else from_units(realised.charges),
        pnl=from_units(realised.pnl),
        closes=realised.closes,
    )
    rows.insert(row)
    names = ("quantity", "cost", "proceeds", "charges", "pnl", "closes", "day")
    body: JournalEntry = {"realised": {name: getattr(row, name) for name in names}, "realisation_pk": row.pk}
    return {**body, **_add_to_day(trade, row)}


def _add_to_day(trade: Trade, row: Realisation) -> JournalEntry:
    """Add what a fill realised to its day's total; return the sums of the strategy's day, over all instruments."""
    day = row.day
    totals = rows.fetch(DayTotal, lock=True, account_id=trade.account_id, strategy_id=trade.strategy_id, day=day)
    total = next((row_of_day for row_of_day in totals if row_of_day.instrument_id == trade.instrument_id), None)
    if total is None:
        total = DayTotal(
            account_id=trade.account_id, strategy_id=trade.strategy_id, instrument=trade.instrument, day=day
        )
        totals.append(total)
    add_to_total(total, trade, row)
    if total.pk is None:
        rows.insert(total)
    else:
        rows.update(total, SUMS)
    sums = ("gross_pnl", "charges", "trades_closed", "wins", "losses")
    so_far = {name: sum(getattr(row_of_day, name) for row_of_day in totals) for name in sums}
    return {"day": {"day": day, **so_far}, "day_total_pk": total.pk}


def add_to_total(total: DayTotal, trade: Trade, row: Realisation) -> None:
    """Add what a fill of the trade realised to a day's total. Raises: InvalidValue beyond the bound of money."""
    total.gross_pnl += row.pnl
    total.charges += row.charges or 0
    if row.closes:
        net = trade.realised_pnl - (trade.charges or 0)
        total.trades_closed += 1
        total.wins += net > 0
        total.losses += net < 0
        total.breakevens += net == 0
        total.trades_without_charges += trade.charges is None
        total.gross_profit += max(net, Decimal(0))
        total.gross_loss += min(net, Decimal(0))
    sums = (abs(total.gross_pnl), abs(total.charges), total.gross_profit, -total.gross_loss)
    if max(sums) > from_units(MAX_UNITS):
        raise InvalidValue("The day's total would pass 92,233,720,368.", field="quantity", hint="Check the price.")


def fill_body(fill: Fill) -> JournalEntry:
    """Return how the journal tells a fill."""
    names = ("sequence", "fill_id", "order_id", "side", "role", "price", "quantity", "charges", "at")
    body: JournalEntry = {name: getattr(fill, name) for name in names}
    marks = ("is_day_only", "settlement")  # told of those that have them alone, as before there were any
    return body | {name: getattr(fill, name) for name in marks if getattr(fill, name)}


def stop_body(change: StopChange) -> JournalEntry:
    """Return how the journal tells a change of a stop."""
    names = ("stop_price", "extreme_price", "method", "at", "moved_back")
    return {name: getattr(change, name) for name in names}
