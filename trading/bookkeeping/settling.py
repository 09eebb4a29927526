"""What the trades of an account must be after a broker's fills, and the steps that bring the ledger there.

The fills that were imported are facts (`BrokerFill`); the trades of one instrument and strategy follow from them. A
trade that stands as its fills make it is left alone, an open one is gone on with, and one that fills of an earlier
time have made another gives way: it is voided, and its fills are booked anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from trading.bookkeeping import correcting, journal
from trading.bookkeeping.built_trades import Book, book_trades
from trading.domain.trade_building import BuiltTrade, Leg, ReplacedOrder, ReportedFill
from trading.models import Correction, Trade
from trading.queries.imported_trades import (
    IMPORTER,
    REPLACED_MARK,
    Booked,
    FillGroup,
    LegName,
    Rebuilt,
    first_unbooked,
    rebuilt,
)
from trading.transactions import writing

FILLS_AT_ONCE = 500  # well within the two seconds for which a strategy waits behind them
VOIDS_AT_ONCE = 50
REASON = "Fills of an earlier time came: built anew from all of them."


@dataclass(slots=True)
class SettlingPlan:
    """What is to be done in one group. ``blocked`` are trades that fills contradict and that may not give way: a person
    or a strategy had a hand in them, or not all of their fills would be booked anew."""

    group: FillGroup
    replaced: list[Trade] = field(default_factory=list)
    to_book: list[BuiltTrade] = field(default_factory=list)
    blocked: list[Trade] = field(default_factory=list)
    opening_sales: list[Leg] = field(default_factory=list)
    unmatched: list[Leg] = field(default_factory=list)
    orders: list[ReplacedOrder] = field(default_factory=list)
    opened: int = 0
    closed: int = 0


def plan_of(group: FillGroup, since: date, arriving: Sequence[ReportedFill] = ()) -> SettlingPlan:
    """Return what is to be done after fills of the day ``since`` and later; ``arriving`` are some that are not kept.

    Only the trades from the last one on that was opened before that day are built anew.
    """
    rebuilding = rebuilt(group, min(since, first_unbooked(group) or since), arriving)
    built = rebuilding.built
    plan = SettlingPlan(group, opening_sales=built.opening_sales, unmatched=built.unmatched, orders=rebuilding.orders)
    _compare(plan, built.trades, rebuilding)
    return plan


def _compare(plan: SettlingPlan, trades: Sequence[BuiltTrade], rebuilding: Rebuilt) -> None:
    """Fill the plan with the differences between the trades that must be and those that stand."""
    by_id = {(each.trade.trade_id, each.trade.trading_day): each for each in rebuilding.window}
    to_replace: list[Booked] = []
    pending: list[tuple[BuiltTrade, Booked | None]] = []
    for built in trades:
        legs = [(leg.fill.day, leg.fill.key, leg.quantity) for leg in built.legs]
        earlier = by_id.pop((built.trade_id, built.legs[0].fill.day), None)
        is_moved = earlier is not None and earlier.trade.strategy_id != plan.group.strategy.pk
        if (
            earlier is not None
            and earlier.legs[: len(legs)] == legs
            and not _own(earlier.legs[len(legs) :], rebuilding)
        ):
            continue  # as it stands, or ahead by what a strategy or a person booked
        pending.append((built, earlier))
        is_prefix = earlier is not None and legs[: len(earlier.legs)] == earlier.legs
        if earlier is not None and (is_moved or not is_prefix or earlier.trade.state != Trade.State.OPEN):
            to_replace.append(earlier)
    to_replace += by_id.values()
    # What stands for fills by now, or needs no trade: orders whose fills came, sales of holdings, settlements.
    elsewhere = {(row.order.day, row.order.key) for row in rebuilding.orders}
    elsewhere |= {(leg.fill.day, leg.fill.key) for leg in (*plan.opening_sales, *plan.unmatched)}
    blocked: dict[int, Booked] = {}
    while True:
        held = {(day, key) for each in blocked.values() for day, key, _ in each.legs}
        kept = [row for row in pending if not any((leg.fill.day, leg.fill.key) in held for leg in row[0].legs)]
        anew = elsewhere | {(leg.fill.day, leg.fill.key) for built, _ in kept for leg in built.legs}
        stuck = {
            each.trade.pk: each
            for each in to_replace
            if each.trade.pk not in blocked
            and (each.is_touched or any((day, key) not in anew for day, key, _ in each.legs))
        }
        if not stuck:
            break
        blocked |= stuck
    plan.blocked = [each.trade for each in blocked.values()]
    plan.replaced = [each.trade for each in to_replace if each.trade.pk not in blocked]
    plan.to_book = [built for built, _ in kept]
    for built, earlier in kept:
        plan.opened += earlier is None
        plan.closed += not built.is_open and (earlier is None or earlier.trade.state == Trade.State.OPEN)


def _own(legs: Sequence[LegName], rebuilding: Rebuilt) -> bool:
    """Tell whether some of a trade's legs are fills of the group."""
    return any((day, key) in rebuilding.own for day, key, _ in legs)


def give_way(trades: Sequence[Trade]) -> None:
    """Void trades that give way, and free their ids for those that take their place."""
    for start in range(0, len(trades), VOIDS_AT_ONCE):
        with writing():
            now = datetime.now(UTC)
            for each in trades[start : start + VOIDS_AT_ONCE]:
                trade, head = correcting.locked(each.pk)
                trade.trade_id = f"{trade.trade_id}{REPLACED_MARK}{trade.pk}"
                correcting.write(trade, head, kind=Correction.Kind.VOID, reason=REASON, by=IMPORTER, now=now)


def book_all(group: FillGroup, trades: Sequence[BuiltTrade], *, by: str) -> None:
    """Book trades, and go on with those that stand open, in short transactions."""
    for batch in _at_once(trades):
        with writing():
            account, head = journal.lock_account(group.account.code)
            of = {"account": account, "strategy": group.strategy, "state": Trade.State.OPEN}
            rows = Trade.objects.filter(**of, trade_id__in=[built.trade_id for built in batch])
            standing = {(row.trade_id, row.trading_day): row for row in rows}
            book = Book(account, group.strategy, group.instrument, head, datetime.now(UTC), by)
            book_trades(book, [(built, standing.get((built.trade_id, built.legs[0].fill.day))) for built in batch])


def _at_once(trades: Sequence[BuiltTrade]) -> Iterator[list[BuiltTrade]]:
    """Yield trades in runs of at most about `FILLS_AT_ONCE` fills; a longer trade comes again, each time with more."""
    batch: list[BuiltTrade] = []
    count = 0
    for built in trades:
        if batch and count + len(built.legs) > FILLS_AT_ONCE:
            yield batch
            batch, count = [], 0
        for end in range(FILLS_AT_ONCE, len(built.legs), FILLS_AT_ONCE):
            yield [replace(built, legs=built.legs[:end], is_open=True)]
        batch.append(built)
        count += len(built.legs) % FILLS_AT_ONCE
    if batch:
        yield batch
