"""Refolding a corrected trade from its facts: its figures, what it realised, the totals of its days.

For use inside a correction's transaction, once its row is written.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import prod
from operator import attrgetter

from trading import rows
from trading.bookkeeping import booking, bounds, references, slips
from trading.bookkeeping.booking import Seen
from trading.bookkeeping.reported import reported_flags
from trading.domain.chain import JournalEntry
from trading.domain.flags import FOLLOWING
from trading.domain.money import MAX_UNITS, from_units
from trading.domain.position import ENTRY_SIDE, CrossesZeroError, Holding
from trading.domain.split import ratio_of
from trading.errors import CrossesZero, IdConflict, InvalidValue
from trading.models import DayTotal, Fill, Realisation, Strategy, Trade
from trading.queries import facts
from trading.transactions import busy

# What a correction may move in a trade: all that follows from its fills, and how it is found.
STANDING = (*booking.MOVING, "trade_id", "strategy_id", "trading_day", "opened_at", "initial_risk")
# What the journal says of it.
JOURNALLED = (
    *("state", "trading_day", "opened_at", "closed_at", "open_quantity", "open_cost", "entry_quantity", "entry_value"),
    *("realised_pnl", "charges", "initial_risk", "close_price", "exit_reason", "reported_pnl", "reported_pnl_percent"),
    "flags",
)
FIGURES = ("strategy_id", "day", "at", "quantity", "cost", "proceeds", "charges", "pnl", "closes")


def stand(trade: Trade, fills: list[Fill], strategy: Strategy, *, is_void: bool) -> None:
    """Put into the trade's columns what these fills make of it; nothing is written yet.

    Raises: InvalidValue, CrossesZero, IdConflict where they make no trade.
    """
    trade.strategy = strategy
    trade.flags = sorted({*trade.flags, facts.CORRECTED})
    if is_void:  # it holds nothing and brought nothing; what its entries were stays to be read
        trade.state = Trade.State.VOID
        trade.open_quantity = trade.open_cost = trade.realised_pnl = Decimal(0)
        trade.charges = trade.closed_at = None
        return
    _check(trade, fills)
    holding = _folded(trade, fills)
    trade.opened_at, trade.trading_day = fills[0].at, references.day_of(fills[0].at, trade.instrument)
    same = Trade.objects.filter(
        account=trade.account, strategy=trade.strategy, trade_id=trade.trade_id, trading_day=trade.trading_day
    )
    if same.exclude(pk=trade.pk).exists():
        raise IdConflict(
            f"{trade.strategy} has another trade {trade.trade_id} of {trade.trading_day}.",
            field="trade_id",
            hint="Void one of the two.",
        )
    booking.stand(trade, holding, fills[-1].at)
    if holding.open_quantity:  # open again, or still: what a close had said stays in the journal alone
        trade.state, trade.closed_at, trade.close_price, trade.exit_reason = Trade.State.OPEN, None, None, ""
        trade.reported_pnl = trade.reported_pnl_percent = None
    if trade.initial_stop_price is not None:
        opening = (fills[0].price, fills[0].quantity, trade.initial_stop_price, trade.instrument)
        trade.initial_risk = booking.initial_risk(*opening)
    # The flags of prices, quantities and reports follow from the fills, the others stay.
    following = {*FOLLOWING, "reported_pnl_differs", "reported_pnl_percent_differs"}
    odd = slips.standing_flags(trade, fills) | reported_flags(trade)
    trade.flags = sorted({*trade.flags} - following | odd | {facts.CORRECTED})


def follow(trade: Trade, seen: Seen, fills: list[Fill]) -> JournalEntry:
    """Write a refolded trade, what it realised and the totals of its days; return what the journal says of it.

    The correction's row is written already. Raises: LedgerBusy where somebody else was first.
    """
    if not rows.update(trade, STANDING, **asdict(seen)):
        raise busy(f"trade {trade.trade_id} changed at the same time")
    keys_of_days = Realisation.objects.filter(trade=trade).values_list("strategy_id", "day")
    before = set(keys_of_days)
    realisations = _realise(trade, [] if trade.state == Trade.State.VOID else fills)
    totals = [
        {"strategy_pk": strategy_id, "day": day, "pk": _total(trade, strategy_id, day)}
        for strategy_id, day in sorted(before | set(keys_of_days.all()))
    ]
    stands: JournalEntry = {name: getattr(trade, name) for name in JOURNALLED}
    stands["strategy"] = trade.strategy.code
    return {"stands": stands, "realisations": realisations, "day_totals": totals}


def _folded(trade: Trade, fills: list[Fill]) -> Holding:
    """Return the holding that the fills make. Raises: CrossesZero, InvalidValue beyond the bound of money."""
    try:
        holding, realised = facts.folded(trade, fills)
    except CrossesZeroError as error:
        raise CrossesZero(
            f"More of trade {trade.trade_id} would be closed than was open.",
            field="quantity",
            hint="Correct the other fill first, or void the trade and book it as it was.",
        ) from error
    money = (holding.entry_value, holding.open_cost, holding.realised_pnl, holding.charges or 0)
    if max(holding.entry_quantity, *map(abs, money), *(abs(exit_.proceeds) for exit_ in realised)) > MAX_UNITS:
        raise InvalidValue(f"Trade {trade.trade_id} would be worth more than 92,233,720,368.", field="price")
    return holding


def _check(trade: Trade, fills: list[Fill]) -> None:
    """Raise InvalidValue where a fill could not be booked as it is now, or the fills make no trade."""
    if not fills or fills[0].role != Fill.Role.ENTRY:
        raise InvalidValue("No trade is left without its opening.", field="fill", hint="Void the trade instead.")
    _must_keep_ratios(trade, fills)
    left = Decimal(0)
    for fill in fills:
        if fill.role != Fill.Role.SPLIT:
            references.must_be_on_step(fill.quantity, trade.instrument)
            bounds.must_be_price(fill.price, trade.instrument, "price", can_be_zero=fill is not fills[0])
        if fill.at < fills[0].at:
            raise InvalidValue(f"Fill {fill.sequence} would lie before the trade's opening.", field="at")
        left += fill.quantity if fill.side == ENTRY_SIDE[trade.side] else -fill.quantity
        if not left and fill is not fills[-1]:
            raise InvalidValue(
                f"Fill {fill.sequence} would close the trade before its last one.",
                field="quantity",
                hint="Void the trade and book it as two.",
            )
    if trade.stop_changes.filter(at__lt=fills[0].at).exists():
        raise InvalidValue("The trade would open after its first stop change.", field="at")


def _must_keep_ratios(trade: Trade, fills: list[Fill]) -> None:
    """Raise InvalidValue where what a split gave or took is no longer its ratio of what was open before it.

    Splits in a row count as one: a split and its inverse give nothing, whatever was open.
    """
    left, entry = Decimal(0), ENTRY_SIDE[trade.side]
    for role, group in groupby(fills, key=attrgetter("role")):
        run = list(group)
        change = sum((fill.quantity if fill.side == entry else -fill.quantity for fill in run), Decimal(0))
        ratio = prod((ratio_of(fill.order_id or "") for fill in run if role == Fill.Role.SPLIT), start=Fraction(1))
        if role == Fill.Role.SPLIT and Fraction(left) * ratio != Fraction(left + change):
            raise InvalidValue(
                f"Fill {run[0].sequence} is a split of what was open before it.",
                field="quantity",
                hint="Take it back first (apply the inverse, such as 1 for 2), correct, and apply the split again.",
            )
        left += change


def _realise(trade: Trade, fills: list[Fill]) -> list[JournalEntry]:
    """Make the rows of what was realised those that the fills make; return them as the journal says them."""
    _, realised = facts.folded(trade, fills)
    exits = [fill for fill in fills if fill.role == Fill.Role.EXIT]
    earlier = {row.fill_id: row for row in Realisation.objects.filter(trade=trade)}
    bodies: list[JournalEntry] = []
    for fill, of_fill in zip(exits, realised, strict=True):
        row = earlier.pop(fill.pk, None) or Realisation(
            trade=trade, fill=fill, account=trade.account, instrument=trade.instrument
        )
        row.strategy, row.day, row.at = trade.strategy, references.day_of(fill.at, trade.instrument), fill.at
        row.quantity, row.cost, row.proceeds = map(from_units, (of_fill.quantity, of_fill.cost, of_fill.proceeds))
        row.charges = None if of_fill.charges is None else from_units(of_fill.charges)
        row.pnl, row.closes = from_units(of_fill.pnl), of_fill.closes
        rows.insert(row) if row.pk is None else rows.update(row, FIGURES)
        names = ("day", "at", "quantity", "cost", "proceeds", "charges", "pnl", "closes")
        bodies.append({"fill": fill.sequence, "pk": row.pk, **{name: getattr(row, name) for name in names}})
    Realisation.objects.filter(pk__in=[row.pk for row in earlier.values()]).delete()
    return bodies


def _total(trade: Trade, strategy_id: int, day: date) -> int | None:
    """Make the day's total that of its realisations and return its key; none is left where nothing was realised."""
    key: dict[str, int | date] = {"account_id": trade.account_id, "strategy_id": strategy_id, "day": day}
    key["instrument_id"] = trade.instrument_id
    realisations = list(Realisation.objects.filter(**key).select_related("trade").order_by("pk"))
    if not realisations:
        DayTotal.objects.filter(**key).delete()
        return None
    before = rows.one(DayTotal, **key)
    total = DayTotal(pk=None if before is None else before.pk, **key)
    for row in realisations:
        booking.add_to_total(total, row.trade, row)
    rows.insert(total) if before is None else rows.update(total, booking.SUMS)
    return int(total.pk)
