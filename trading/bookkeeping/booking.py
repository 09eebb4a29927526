"""Booking one fill on a trade, with all that follows from it, inside the operation's transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.bookkeeping import bounds, references, rows, slips
from trading.domain import flags, position
from trading.domain.money import MAX_UNITS, from_units, to_units
from trading.domain.position import Execution, Holding, Realised
from trading.errors import CrossesZero, InvalidValue
from trading.models import Correction, DayTotal, Fill, Instrument, Realisation, Trade
from trading.queries import facts
from trading.queries.instruments import shown_symbol
from trading.transactions import busy


@dataclass(frozen=True, slots=True)
class NewFill:
    """A fill as its caller said it, checked and exact."""

    price: Decimal
    quantity: Decimal
    at: datetime
    charges: Decimal | None = None
    fill_id: str | None = None
    order_id: str | None = None
    time_field: str = "at"  # what the caller calls its time, and its price
    price_field: str = "price"


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
    """A trade as it was read: `keep` writes only over that."""

    state: str
    open_quantity: Decimal
    close_price: Decimal | None

    @classmethod
    def of(cls, trade: Trade) -> Seen:
        return cls(trade.state, trade.open_quantity, trade.close_price)


def keep(trade: Trade, seen: Seen) -> None:
    """Write how the trade stands now, if it still stands as it was seen: of many closes at once one is made.

    Raises: LedgerBusy where somebody else was first; nothing of this operation remains then.
    """
    if not rows.update(trade, MOVING, **asdict(seen)):
        raise busy(f"trade {trade.trade_id} changed at the same time")


def book(trade: Trade, side: str, new: NewFill, *, now: datetime) -> dict[str, Any]:
    """Write the fill, move the trade on, keep the day total; return what the journal says of it.

    ``trade`` has its instrument loaded. A new one is saved here, one that was read is to be written with `keep`.

    Raises: CrossesZero; CurrencyMismatch for an entry; InvalidValue for a time before the opening, off the quantity
        step, beyond the bound of money.
    """
    _check(trade, side, new)
    before, sequence = _before(trade)
    execution = Execution(side, to_units(new.price), to_units(new.quantity), _units(new.charges))
    after, realised = _applied(before, execution, trade)
    trade.flags = sorted({*trade.flags, *_flags(trade, new, realised, now)})
    stand(trade, after, new.at)
    is_new = trade.pk is None
    if is_new:
        rows.insert(trade)
    fill = _written(trade, side, new, sequence, now)
    said: dict[str, Any] = {"fill": fill_body(fill), "fill_pk": fill.pk}
    if is_new:
        said["multiplier"] = trade.instrument.multiplier
    if realised is not None:
        said |= _realise(trade, fill, realised)
    return said


def _flags(trade: Trade, new: NewFill, realised: Realised | None, now: datetime) -> set[str]:
    """Return what is odd about a fill. A part that is sold for nothing has no reason; the close may give one."""
    instrument = trade.instrument
    odd = slips.fill_flags(new.price, new.quantity, new.at, instrument, now)
    odd |= slips.far_flags(new.price, new.at, instrument)
    odd |= slips.plan_flags(trade, new.price) if trade.pk is None else set()
    return odd | ({flags.UNEXPLAINED} if realised is not None and flags.PRICE_ZERO in odd else set())


def said_of(trade: Trade) -> dict[str, Any]:
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
    if new.at < trade.opened_at:
        raise InvalidValue(
            "The fill lies before the trade's opening.", field=new.time_field, hint=f"It opened {trade.opened_at}."
        )
    _must_be_in_its_units(trade, new)
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


def _must_be_in_its_units(trade: Trade, new: NewFill) -> None:
    """Raise InvalidValue for a fill from before a split that is booked: the trade counts in other units since."""
    if flags.SPLIT in trade.flags and trade.fills.filter(role=Fill.Role.SPLIT, at__gt=new.at).exists():
        raise InvalidValue(
            f"The fill lies before a split of trade {trade.trade_id}.",
            field=new.time_field,
            hint="Book it in the units since then, with a time after the split.",
        )


def _before(trade: Trade) -> tuple[Holding, int]:
    """Return the holding that the fills so far make, and the sequence of the next one."""
    multiplier = to_units(trade.instrument.multiplier)
    if trade.pk is None:
        return Holding(trade.side, multiplier), 1
    if facts.CORRECTED not in trade.flags:
        return facts.standing(trade)
    fills = rows.fetch(Fill, trade_id=trade.pk, order_by="sequence")
    following = len(fills) + 1
    fills = facts.corrected(fills, rows.fetch(Correction, trade_id=trade.pk, order_by="id"))
    return position.fold(trade.side, multiplier, facts.executions(fills))[0], following


def _applied(before: Holding, execution: Execution, trade: Trade) -> tuple[Holding, Realised | None]:
    after, realised = position.apply(before, execution)
    value = position.value_of(execution.price, execution.quantity, before.multiplier)
    money = (after.open_cost, after.entry_value, after.realised_pnl, value, after.charges or 0)
    if max(after.open_quantity, after.entry_quantity, *map(abs, money)) > MAX_UNITS:
        raise InvalidValue(
            f"Trade {trade.trade_id} would be worth more than 92,233,720,368.",
            field="quantity",
            hint="Check price and quantity; book such a position as several trades.",
        )
    return after, realised


def stand(trade: Trade, after: Holding, at: datetime) -> None:
    """Put a holding into the trade's columns; one of nothing is closed ``at``."""
    trade.open_quantity, trade.open_cost = from_units(after.open_quantity), from_units(after.open_cost)
    trade.entry_quantity, trade.entry_value = from_units(after.entry_quantity), from_units(after.entry_value)
    trade.realised_pnl = from_units(after.realised_pnl)
    trade.charges = None if after.charges is None else from_units(after.charges)
    if not after.open_quantity:
        trade.state, trade.closed_at = Trade.State.CLOSED, at


def _written(trade: Trade, side: str, new: NewFill, sequence: int, now: datetime) -> Fill:
    role = Fill.Role.ENTRY if side == position.ENTRY_SIDE[trade.side] else Fill.Role.EXIT
    fill = Fill(
        trade=trade,
        sequence=sequence,
        fill_id=new.fill_id,
        order_id=new.order_id,
        side=side,
        role=role,
        price=new.price,
        quantity=new.quantity,
        charges=new.charges,
        at=new.at,
        recorded_at=now,
    )
    rows.insert(fill)
    return fill


def _realise(trade: Trade, fill: Fill, realised: Realised) -> dict[str, Any]:
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
    day_so_far, total = _day_so_far(trade, row)
    keys = {"realisation_pk": row.pk, "day_total_pk": total.pk}
    return {"realised": {name: getattr(row, name) for name in names}, "day": day_so_far, **keys}


def _day_so_far(trade: Trade, row: Realisation) -> tuple[dict[str, Any], DayTotal]:
    """Keep the day total; return the sums of the strategy's day, over all instruments, and the total."""
    of_day: dict[str, Any] = {"account_id": trade.account_id, "strategy_id": trade.strategy_id, "day": row.day}
    totals = rows.fetch(DayTotal, lock=True, **of_day)
    total = next((one for one in totals if one.instrument_id == trade.instrument_id), None)
    if total is None:
        total = DayTotal(**of_day, instrument=trade.instrument)
        totals.append(total)
    _add(total, trade, row)
    if total.pk is None:
        rows.insert(total)
    else:
        rows.update(total, SUMS)
    names = ("gross_pnl", "charges", "trades_closed", "wins", "losses")
    return {"day": row.day, **{name: sum(getattr(one, name) for one in totals) for name in names}}, total


def total_of(total: DayTotal, parts: list[Realisation]) -> DayTotal:
    """Return an empty total with these realisations added; each has its trade loaded."""
    for part in parts:
        _add(total, part.trade, part)
    return total


def _add(total: DayTotal, trade: Trade, row: Realisation) -> None:
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


def fill_body(fill: Fill) -> dict[str, Any]:
    """Return how the journal tells a fill."""
    names = ("sequence", "fill_id", "order_id", "side", "role", "price", "quantity", "charges", "at")
    return {name: getattr(fill, name) for name in names}


def _units(amount: Decimal | None) -> int | None:
    return None if amount is None else to_units(amount)
