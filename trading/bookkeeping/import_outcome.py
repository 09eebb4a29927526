"""What became of a statement's fills, and what a person has to look at after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from trading.bookkeeping.settling import LostCost, SettlingPlan
from trading.brokers.values import Remark, Statement
from trading.domain.flags import IMPORTED
from trading.domain.money import from_units
from trading.domain.position import LONG, SELL
from trading.domain.trade_building import ReportedFill
from trading.models import Trade
from trading.queries.instruments import shown_symbol


@dataclass(slots=True)
class ImportOutcome:
    """What became of a statement's fills. ``findings`` are things to look at that are no row of the file."""

    fills: int = 0
    already_known: int = 0
    opening_sales: int = 0
    trades_opened: int = 0
    trades_closed: int = 0
    refused: list[Remark] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def add(self, plan: SettlingPlan, statement: Statement) -> None:
        """Add what the plan of one instrument and strategy has to say."""
        days = (statement.first_day or date.min, statement.last_day or date.max)
        self.trades_opened += plan.opened
        self.trades_closed += plan.closed
        self.opening_sales += sum(days[0] <= leg.fill.day <= days[1] for leg in plan.built.opening_sales)
        self.findings += [f"{symbol_of(plan)}: {text}" for text in _findings(plan)]


def symbol_of(plan: SettlingPlan) -> str:
    """Return the symbol of a plan's instrument, as VELOX shows it."""
    return shown_symbol(plan.group.instrument.exchange.code, plan.group.instrument.symbol)


def _findings(plan: SettlingPlan) -> Iterator[str]:
    for trade in plan.blocked:
        yield (
            f"trade {trade.trade_id} of {trade.trading_day} stays as it is: fills contradict it, and somebody had a "
            "hand in it, or in a trade beside it. `manage.py reconcile` lists the fills that are in no trade: amend "
            "what was corrected wrongly and import the file again, or book them by hand."
        )
    for leg in plan.built.unmatched:
        yield f"{from_units(leg.quantity):f} were settled on {leg.fill.day} and are in no position."
    for row in plan.orders:
        if row.differs:
            quantities = f"{from_units(row.order.quantity):f}, its fills are of {from_units(row.quantity):f}"
            yield f"{_order(row.order)} is of {quantities}."
    for lost in plan.lost_costs:
        yield _lost(lost)
    yield from _open_twice(plan)


def _order(order: ReportedFill) -> str:
    return f"a sum of {order.day}" if order.order_id is None else f"order {order.order_id}"


def _lost(lost: LostCost) -> str:
    price, before, after = (f"{from_units(units):f}" for units in (lost.cost.price, lost.before, lost.after))
    count = "no longer counts" if not lost.after else f"counts for {after} of {before} only"
    return (
        f"the cost of {price} on {lost.cost.day} that was given for sale {lost.sale} of {lost.day} {count}: files tell "
        "of purchases before it, and the sale is of these. Look whether they are the same shares; if not, amend the "
        "trade that the sale is in."
    )


def _open_twice(plan: SettlingPlan) -> Iterator[str]:
    """Yield where a position that the file's fills make stands against one that a strategy or a person booked: the one
    may be the other's exit, which nobody can tell from the fills."""
    group = plan.group
    if group.instrument.pk is None:
        return
    rows = Trade.objects.filter(account=group.account, instrument=group.instrument, state=Trade.State.OPEN)
    for other in rows.select_related("strategy").order_by("opened_at", "pk"):
        if IMPORTED in other.flags:
            continue
        theirs = (
            f"trade {other.trade_id} of {other.trading_day} ({other.side} {other.open_quantity:f}, strategy "
            f"{other.strategy.code})"
        )
        for each in plan.standing:
            trade = each.trade
            if trade.state == Trade.State.OPEN and trade.side != other.side:
                ours = f"trade {trade.trade_id} of {each.name[1]} ({trade.side} {trade.open_quantity:f}, of files)"
                yield (
                    f"{ours} and {theirs} are both open. If the one is the other's exit, void {trade.trade_id} and "
                    f"close {other.trade_id} at the file's price, without the fill's id."
                )
        for leg in plan.built.opening_sales:
            if other.side == LONG and leg.fill.side == SELL:
                yield (
                    f"sale {leg.fill.key} of {leg.fill.day} ({from_units(leg.quantity):f}) has no purchase, and "
                    f"{theirs} is open. If it is its exit, close {other.trade_id} by hand with that fill's id."
                )
