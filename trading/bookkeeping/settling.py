"""What the trades of an account must be after a broker's fills, and the steps that bring the ledger there.

The fills that were imported are facts (`BrokerFill`); the trades of one instrument and strategy follow from them. A
trade that stands as its fills make it is left alone, an open one is gone on with, and one that fills of an earlier
time have made another gives way: it is voided, and its fills are booked anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from django.db.models import F

from trading.bookkeeping import charging, correcting, journal
from trading.bookkeeping.built_trades import Book, book_trades, instant_of
from trading.domain import position
from trading.domain.money import from_units
from trading.domain.position import CrossesZeroError, Execution
from trading.domain.replaced_sums import ReplacedOrder
from trading.domain.trade_building import (
    Built,
    BuiltTrade,
    GivenCost,
    Leg,
    purchase_key,
)
from trading.models import Correction, Trade
from trading.queries import facts
from trading.queries.imported_trades import (
    IMPORTER,
    NOTHING_AHEAD,
    REPLACED_MARK,
    Ahead,
    Booked,
    FillGroup,
    FillName,
    LegName,
    Rebuilt,
    TradeName,
    booked_trades,
    first_unbooked,
    rebuilt,
    to_be_booked,
)
from trading.queries.period import date_in
from trading.transactions import busy, writing

FILLS_AT_ONCE = 500  # well within the two seconds for which a strategy waits behind them
VOIDS_AT_ONCE = 50
REASON = "Fills of an earlier time came: built anew from all of them."


@dataclass(frozen=True, slots=True)
class LostCost:
    """A cost that a person gave of a sale, which counts for fewer units than ``before``: files have the purchase."""

    day: date
    sale: str
    cost: GivenCost
    before: int
    after: int


@dataclass(slots=True)
class SettlingPlan:
    """What is to be done in one group, whose fills make what is ``built``.

    ``blocked`` are trades that fills contradict and that may not give way: a person or a strategy had a hand in them,
    or not all of their fills would be booked anew. ``standing`` are the group's trades once it is done, in the place of
    those that were ``compared``.
    """

    group: FillGroup
    built: Built
    replaced: list[Booked] = field(default_factory=list)
    to_book: list[BuiltTrade] = field(default_factory=list)
    blocked: list[Trade] = field(default_factory=list)
    orders: list[ReplacedOrder] = field(default_factory=list)
    standing: list[Booked] = field(default_factory=list)
    compared: set[TradeName] = field(default_factory=set)
    lost_costs: list[LostCost] = field(default_factory=list)
    opened: int = 0
    closed: int = 0


def plan_of(group: FillGroup, since: date, ahead: Ahead = NOTHING_AHEAD) -> SettlingPlan:
    """Return what is to be done after fills of the day ``since`` and later; those ``ahead`` are only tried.

    Only the trades from the last one on that was opened before that day are built anew.
    """
    days = (since, first_unbooked(group), ahead.first_unbooked)
    rebuilding = rebuilt(group, min(day for day in days if day is not None), ahead)
    plan = SettlingPlan(group, rebuilding.built, orders=rebuilding.orders)
    _compare(plan, rebuilding)
    return plan


def _compare(plan: SettlingPlan, rebuilding: Rebuilt) -> None:
    """Fill the plan with the differences between the trades that must be and those that stand."""
    by_name = {each.name: each for each in rebuilding.window}
    plan.compared = set(by_name)
    to_replace: list[Booked] = []
    pending: list[tuple[BuiltTrade, Booked | None]] = []
    for built in plan.built.trades:
        legs = [(leg.fill.day, leg.fill.key, leg.quantity) for leg in built.legs]
        earlier = by_name.pop(built.name, None)
        is_moved = earlier is not None and earlier.trade.strategy_id != plan.group.strategy.pk
        if (
            earlier is not None
            and earlier.legs[: len(legs)] == legs
            and not _own(earlier.legs[len(legs) :], rebuilding)
        ):
            continue  # as it stands, or ahead by what a strategy or a person booked
        pending.append((built, earlier))
        if earlier is not None:
            can_go_on = earlier.trade.state == Trade.State.OPEN and legs[: len(earlier.legs)] == earlier.legs
            if is_moved or not can_go_on or not _takes(earlier.trade, built.legs, plan.group):
                to_replace.append(earlier)
    to_replace += by_name.values()
    # What stands for fills by now, or needs no trade: orders whose fills came, sales of holdings, settlements.
    elsewhere = {(row.order.day, row.order.key) for row in rebuilding.orders}
    purchases = {name: (cost.day, purchase_key(*name)) for name, cost in rebuilding.costs.items()}
    elsewhere |= set(purchases.values())  # of which files may tell by now where the shares came from
    elsewhere |= {(leg.fill.day, leg.fill.key) for leg in (*plan.built.opening_sales, *plan.built.unmatched)}
    blocked: dict[int, Booked] = {}
    while True:
        kept = _without([row[0] for row in pending], {leg[:2] for each in blocked.values() for leg in each.legs})
        anew = elsewhere | {(leg.fill.day, leg.fill.key) for built in kept for leg in built.legs}
        stuck = {
            number: each
            for number, each in enumerate(to_replace)
            if number not in blocked and (each.is_touched or any(leg[:2] not in anew for leg in each.legs))
        }
        if not stuck:
            break
        blocked |= stuck
    plan.blocked = [each.trade for each in blocked.values()]
    plan.replaced = [each for number, each in enumerate(to_replace) if number not in blocked]
    plan.to_book = kept
    gone = {each.name for each in plan.replaced}
    standing = {each.name: each for each in rebuilding.window if each.name not in gone}
    earlier_of = {built.name: earlier for built, earlier in pending}
    for built in kept:
        earlier = earlier_of[built.name]
        plan.opened += earlier is None
        plan.closed += not built.is_open and (earlier is None or earlier.trade.state == Trade.State.OPEN)
        standing[built.name] = _booked(plan.group, built, standing.get(built.name))
    plan.standing = list(standing.values())
    for name, purchase in purchases.items():
        before = sum(leg[2] for each in plan.replaced for leg in each.legs if leg[:2] == purchase)
        after = sum(leg[2] for each in plan.standing for leg in each.legs if leg[:2] == purchase)
        if after < before:
            plan.lost_costs.append(LostCost(*name, rebuilding.costs[name], before, after))


def _without(trades: Sequence[BuiltTrade], held: set[FillName]) -> list[BuiltTrade]:
    """Return the trades that need none of the fills held, nor a part of one that another needs which is left out: a
    fill that turned a position stands in two trades, and is not halved."""
    by_fill: defaultdict[FillName, list[BuiltTrade]] = defaultdict(list)
    for built in trades if held else ():
        for leg in built.legs:
            by_fill[leg.fill.day, leg.fill.key].append(built)
    left_out: set[TradeName] = set()
    names = list(held)
    while names:
        for built in by_fill.pop(names.pop(), ()):
            left_out.add(built.name)
            names += [(leg.fill.day, leg.fill.key) for leg in built.legs]
    return [built for built in trades if built.name not in left_out]


def _booked(group: FillGroup, built: BuiltTrade, earlier: Booked | None) -> Booked:
    """Return a trade as it stands once it is booked; nothing is written."""
    trade = to_be_booked(group) if earlier is None else copy(earlier.trade)
    trade.trade_id, trade.side, trade.trading_day = built.trade_id, built.side, built.legs[0].fill.day
    trade.state = Trade.State.OPEN if built.is_open else Trade.State.CLOSED
    entry = position.ENTRY_SIDE[built.side]
    held = sum(leg.quantity if leg.fill.side == entry else -leg.quantity for leg in built.legs)
    trade.open_quantity = from_units(held)
    legs = [(leg.fill.day, leg.fill.key, leg.quantity) for leg in built.legs]
    return Booked(trade, legs, is_touched=earlier is not None and earlier.is_touched)


def _takes(trade: Trade, legs: Sequence[Leg], group: FillGroup) -> bool:
    """Tell whether an open trade can take the legs that follow those it has, as corrections have left it: none may come
    before its opening, and only the last may close it."""
    if facts.CORRECTED not in trade.flags:
        return True
    holding, _ = facts.folded(trade, facts.fills_of(trade))
    for leg in legs[trade.fills.count() :]:
        fill = leg.fill
        if not holding.open_quantity or instant_of(fill, group.instrument) < trade.opened_at:
            return False
        try:
            holding, _ = position.apply(holding, Execution(fill.side, fill.price, leg.quantity, leg.charges))
        except CrossesZeroError:
            return False
    return True


def _own(legs: Sequence[LegName], rebuilding: Rebuilt) -> bool:
    """Tell whether some of a trade's legs are fills of the group."""
    return any((day, key) in rebuilding.own for day, key, _ in legs)


def settle(plan: SettlingPlan, *, by: str, reason: str) -> None:
    """Do what a plan says within an operation's transaction, and share stated charges anew among the fills of its days:
    a trade that takes another's place has what was told with its fills alone."""
    give_way(plan.replaced)
    book_all(plan.group, plan.to_book, by=by)
    days = {leg.fill.day for built in plan.to_book for leg in built.legs}
    days |= {leg[0] for each in plan.replaced for leg in each.legs}
    charging.share_anew(plan.group.account, days, reason=reason, by=by, now=datetime.now(UTC))


def must_stand(plan: SettlingPlan) -> None:
    """Look again, behind the lock, at the trades that are to give way. Raises: LedgerBusy where one is another now."""
    if not plan.replaced:
        return
    journal.lock_account(plan.group.account.code)
    window = booked_trades(plan.group, min(each.name[1] for each in plan.replaced))
    standing = {each.trade.pk: each for each in window if not each.is_touched}
    for each in plan.replaced:
        now = standing.get(each.trade.pk)
        if now is None or (now.trade.state, now.legs) != (each.trade.state, each.legs):
            raise busy(f"trade {each.trade.trade_id} changed at the same time")


def give_way(trades: Sequence[Booked]) -> None:
    """Void trades that give way, and free their ids for those that take their place."""
    for start in range(0, len(trades), VOIDS_AT_ONCE):
        with writing():
            now = datetime.now(UTC)
            for each in trades[start : start + VOIDS_AT_ONCE]:
                trade, head = correcting.locked(each.trade.pk)
                trade.trade_id = f"{trade.trade_id}{REPLACED_MARK}{trade.pk}"
                correcting.write(trade, head, kind=Correction.Kind.VOID, reason=REASON, by=IMPORTER, now=now)


def book_all(group: FillGroup, trades: Sequence[BuiltTrade], *, by: str) -> None:
    """Book trades, and go on with those that stand open, in short transactions."""
    for batch in _at_once(trades):
        with writing():
            account, head = journal.lock_account(group.account.code)
            of = {"account": account, "strategy": group.strategy, "fills__sequence": 1}
            rows = Trade.objects.filter(**of, trade_id__in=[built.trade_id for built in batch])
            # Its own day is another than the reported one where a correction moved it.
            opened = rows.annotate(first_at=F("fills__at"))
            standing = {(row.trade_id, date_in(row.first_at, group.instrument.exchange.zone)): row for row in opened}
            if any(built.name in standing and _is_done(built, standing[built.name], trades) for built in batch):
                continue
            book = Book(account, group.strategy, group.instrument, head, datetime.now(UTC), by)
            book_trades(book, [(built, standing.get(built.name)) for built in batch])


def _is_done(built: BuiltTrade, trade: Trade, trades: Sequence[BuiltTrade]) -> bool:
    """Tell whether this is a run of a longer trade, which stands by itself, that was booked before a kill."""
    return built not in trades and trade.fills.count() >= len(built.legs)


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
