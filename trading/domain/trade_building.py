"""Trades built from the fills that a broker reports, from flat to flat. Pure, in integers of 10^-8.

Fills of one account, strategy and instrument make one row of trades: the fill that brings the position to zero closes a
trade, one that crosses zero closes it and opens the next. A trade is named after its broker, its exchange and its first
fill, so that the same fills make the same trades whatever file brought them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType

from timeseries.values import ID_BYTES_MAX
from trading.domain.money import divide_half_even
from trading.domain.position import BUY, ENTRY_SIDE, LONG, SELL, SHORT

TRADE, ORDER, EXPIRY, EXERCISE, DELIVERY = "trade", "order", "expiry", "exercise", "delivery"
HOLDING = "holding"  # of no broker's file: the purchase of holdings, as a person says
SPLIT = "split"  # of no broker's file: what a corporate action that was booked gave to a trade, or took
# Kinds that are no sale at a price, with the reason of such a close.
SETTLEMENTS = {EXPIRY: "expired", EXERCISE: "settled", DELIVERY: "delivered"}
OPENS = {BUY: LONG, SELL: SHORT}
COST_KEY = "cost"
# What the key of a fill without a broker's id begins with; an action's is a settlement that a person confirmed.
ORDER_KEY, ROW_KEY, ACTION_KEY = "order", "row", "action"
LIVE, REST = "-live", "-rest"  # what the key of an order update's fill ends in
BILL = "bill-"  # what the order id of a day's sum begins with, which a bill tells in place of orders
_DIGEST_LENGTH = 16
_DIGITS_MAX = 40
_NUMBER = re.compile(r"0*([0-9]+)")
_SUFFIX_LENGTH = 20  # room for what the id of a trade gets that others have taken the place of
SortKey = tuple[date, bool, float, int, int, str, int]


@dataclass(frozen=True, slots=True)
class ReportedFill:
    """One fill as a broker reports it; quantity and price in units of 10^-8.

    ``key`` is the broker's id, or a made-up one (`order_key`, `row_key`), unique by exchange and trading day. ``at`` is
    aware, None where only the day is known. ``position`` is its place among the fills of its file, oldest first.
    ``is_cash``: a share that is delivered, where a sale from nothing may be of holdings.
    """

    key: str
    broker: str
    exchange: str
    day: date
    at: datetime | None
    side: str
    quantity: int
    price: int
    kind: str = TRADE
    order_id: str | None = None
    position: int = 0
    is_cash: bool = False
    charges: int | None = None

    @property
    def is_made_up(self) -> bool:
        """Whether the key is no id of the broker."""
        return self.key.startswith((f"{ORDER_KEY}-", f"{ROW_KEY}-", f"{ACTION_KEY}-"))

    @property
    def only_closes(self) -> bool:
        """Whether it settles a position that must be there: shares that are delivered may open one."""
        return self.kind in SETTLEMENTS and not self.is_cash


@dataclass(frozen=True, slots=True)
class Leg:
    """What of a fill is booked on one trade: all of it, or the part up to zero, or the part beyond (``is_rest``)."""

    fill: ReportedFill
    quantity: int
    is_rest: bool = False

    @property
    def charges(self) -> int | None:
        """Its share of what the fill was charged, by quantity; the shares of a fill's legs add up to the whole."""
        if self.fill.charges is None or self.quantity == self.fill.quantity:
            return self.fill.charges
        before = self.fill.quantity - self.quantity if self.is_rest else 0
        first, last = (
            divide_half_even(self.fill.charges * units, self.fill.quantity)
            for units in (before, before + self.quantity)
        )
        return last - first


@dataclass(frozen=True, slots=True)
class BuiltTrade:
    """A trade from its first fill on; ``is_open`` where the fills end before it is flat. ``turned`` is the trade that
    its first fill closed, "" where it closed none."""

    trade_id: str
    side: str
    legs: tuple[Leg, ...]
    is_open: bool
    turned: str = ""

    @property
    def name(self) -> tuple[str, date]:
        """Return its id and the day of its first fill: together they name it within account and instrument."""
        return self.trade_id, self.legs[0].fill.day

    @property
    def reason(self) -> str:
        """The reason of its close as a broker's file tells it: "expired", "settled", "delivered" or ""."""
        return "" if self.is_open else SETTLEMENTS.get(self.legs[-1].fill.kind, "")


@dataclass(frozen=True, slots=True)
class GivenCost:
    """What a person says that holdings cost: the day of their purchase, and the price in units of 10^-8."""

    day: date
    price: int


Costs = Mapping[tuple[date, str], GivenCost]  # by day and key of the sale
NO_COSTS: Costs = MappingProxyType({})


@dataclass(slots=True)
class Built:
    """All trades that some fills make, in the order of their openings, and what made none.

    ``opening_sales`` are sales of holdings bought before the fills begin, whose cost is unknown; ``unmatched`` are
    settlements of a position that the fills do not have.
    """

    trades: list[BuiltTrade] = field(default_factory=list)
    opening_sales: list[Leg] = field(default_factory=list)
    unmatched: list[Leg] = field(default_factory=list)


def order_key(order_id: str, quantity: str) -> str:
    """Return the key of an order's line; each cumulative quantity is a line of its own."""
    return f"{ORDER_KEY}-{order_id}-{quantity}"


def live_key(order_id: str, quantity: str, *, is_rest: bool = False) -> str:
    """Return the key of what an order update tells at a cumulative quantity; its money may take two fills, of which the
    second is the rest."""
    return f"{ORDER_KEY}-{order_id}-{quantity}{LIVE}{REST if is_rest else ''}"


def row_key(content: Sequence[str], occurrence: int) -> str:
    """Return the key of a fill without an id: its content, and how many times it has occurred in the file, from 1."""
    digest = sha256("\x1f".join(content).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    return f"{ROW_KEY}-{digest}-{occurrence}"


def trade_id_of(first: ReportedFill) -> str:
    """Return the id of the trade that a fill opens, at most 128 bytes long."""
    plain = f"{first.broker}-{first.exchange}-{first.key}"
    if len(plain.encode()) <= ID_BYTES_MAX - _SUFFIX_LENGTH:
        return plain
    return f"{first.broker}-{first.exchange}-{row_key([first.key], 1)}"


def sort_key(fill: ReportedFill) -> SortKey:
    """Return what orders fills: day, time, the broker's id (numbers in it by size), place in the file.

    Fills whose time is not known come last on their day.
    """
    clock = 0.0 if fill.at is None else fill.at.timestamp()
    if fill.is_made_up:
        return (fill.day, fill.at is None, clock, 1, 0, "", fill.position)
    digits = fill.key if fill.key.isdigit() and fill.key.isascii() and len(fill.key) <= _DIGITS_MAX else ""
    return (fill.day, fill.at is None, clock, 0, int(digits or 0), "" if digits else _by_size(fill.key), fill.position)


def _by_size(key: str) -> str:
    """Return a text in whose order ids stand by the size of the numbers in them: X9 before X10."""
    return _NUMBER.sub(lambda number: f"{len(number[1]):03d}{number[1]}", key) + f" {key}"


def is_descending(times: Iterable[datetime | date]) -> bool:
    """Tell whether a file lists its fills newest first, by their times in the file's order."""
    earlier: datetime | date | None = None
    falls = rises = 0
    for instant in times:
        if earlier is not None:
            falls += instant < earlier
            rises += instant > earlier
        earlier = instant
    return falls > rises


def bill_id(number: str, side: str, occurrence: int) -> str:
    """Return what stands for an order's id where a bill tells the day's sum of one side; rows of one contract on one
    bill are counted from 1."""
    return f"{BILL}{number}-{side}" + (f"-{occurrence}" if occurrence > 1 else "")


def is_sum(order_id: str | None) -> bool:
    """Tell whether an order's line that has this id is of no one order: a day's sum of a side, or a part of it."""
    return order_id is None or order_id.startswith(BILL)


def purchase_key(day: date, sale: str) -> str:
    """Return the key of the purchase that nobody reported, of the holdings that a sale of this day and key was of."""
    return row_key([COST_KEY, day.isoformat(), sale], 1)


def purchase_of(sale: ReportedFill, quantity: int, cost: GivenCost) -> ReportedFill:
    """Return the purchase that nobody reported, of the holdings that a sale was of."""
    return ReportedFill(
        key=purchase_key(sale.day, sale.key),
        broker=sale.broker,
        exchange=sale.exchange,
        day=cost.day,
        at=None,
        side=BUY,
        quantity=quantity,
        price=cost.price,
        kind=HOLDING,
        is_cash=True,
    )


def build(fills: Iterable[ReportedFill], *, begun: BuiltTrade | None = None, costs: Costs = NO_COSTS) -> Built:
    """Return the trades that fills make; ``begun`` is an open trade that they continue.

    The fills may come in any order. Of ``begun`` the legs are kept, so that the trade is returned whole. A sale of
    holdings whose cost is among ``costs`` is a closed trade of its own.
    """
    built = Built()
    walk = TradeWalk(built, begun, costs)
    ordered = sorted(fills, key=sort_key)
    for _, of_day in groupby(ordered, key=attrgetter("day")):
        walk.take_day(list(of_day))
    walk.finish()
    return built


@dataclass(slots=True)
class TradeWalk:
    """The position while fills are taken one by one. ``held`` is what is open, in units, without a sign."""

    built: Built
    begun: BuiltTrade | None
    costs: Costs
    trade_id: str = ""
    side: str = ""
    legs: list[Leg] = field(default_factory=list)
    held: int = 0
    turned: str = ""

    def __post_init__(self) -> None:
        if self.begun is not None:
            self.trade_id, self.side, self.turned = self.begun.trade_id, self.begun.side, self.begun.turned
            self.legs = list(self.begun.legs)
            entry = ENTRY_SIDE[self.side]
            self.held = sum(leg.quantity if leg.fill.side == entry else -leg.quantity for leg in self.legs)

    def take_day(self, fills: list[ReportedFill]) -> None:
        """Take the fills of one day, in order."""
        bought_later = sum(fill.quantity for fill in fills if fill.side == BUY and fill.kind != SPLIT)
        for fill in fills:
            bought_later -= fill.quantity if fill.side == BUY and fill.kind != SPLIT else 0
            self._take(fill, bought_later)

    def finish(self) -> None:
        """Keep the trade that is open at the end."""
        if self.legs:
            self._keep(is_open=True)

    def _take(self, fill: ReportedFill, bought_later: int) -> None:
        rest = fill.quantity
        if fill.kind == SPLIT:
            if self.legs:
                self._add(Leg(fill, rest), rest if fill.side == ENTRY_SIDE[self.side] else -rest)
            return
        if self.legs and fill.side != ENTRY_SIDE[self.side]:
            closing = min(rest, self.held)
            self._add(Leg(fill, closing), -closing)
            rest -= closing
            if not self.held:
                self._keep(is_open=False)
        if not rest:
            return
        if fill.only_closes:
            self.built.unmatched.append(Leg(fill, rest))
            return
        if fill.is_cash and fill.side == SELL:
            # A short is bought back on its day, or it is no short: the shares were there before the fills begin.
            short = self.held if self.legs else 0
            intraday = min(rest, max(0, bought_later - short))
            if rest > intraday:
                self._sell_holdings(fill, rest - intraday, is_last=not intraday)
            rest = intraday
        if rest:
            self._open_or_add(Leg(fill, rest, is_rest=rest < fill.quantity))

    def _sell_holdings(self, fill: ReportedFill, quantity: int, *, is_last: bool) -> None:
        """Take a sale of holdings: a closed trade where their cost is given. A fill that goes on as a short has no room
        for another row."""
        cost = self.costs.get((fill.day, fill.key))
        if cost is None or not is_last:
            self.built.opening_sales.append(Leg(fill, quantity))
            return
        purchase = purchase_of(fill, quantity, cost)
        legs = (Leg(purchase, quantity), Leg(fill, quantity, is_rest=quantity < fill.quantity))
        self.built.trades.append(BuiltTrade(trade_id_of(purchase), LONG, legs, is_open=False))

    def _open_or_add(self, leg: Leg) -> None:
        if not self.legs:
            self.side = OPENS[leg.fill.side]
            last = self.built.trades[-1] if self.built.trades else None
            self.turned = last.trade_id if last is not None and last.legs[-1].fill is leg.fill else ""
            self.trade_id = trade_id_of(leg.fill)
        self._add(leg, leg.quantity)

    def _add(self, leg: Leg, change: int) -> None:
        self.legs.append(leg)
        self.held += change

    def _keep(self, *, is_open: bool) -> None:
        self.built.trades.append(BuiltTrade(self.trade_id, self.side, tuple(self.legs), is_open, self.turned))
        self.legs, self.held = [], 0
