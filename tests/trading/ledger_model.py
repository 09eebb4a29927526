"""The ledger as its words say it, in plain lists and fractions: no database, no cleverness, everything computed anew.

Each operation returns the trade it answers with, or the set of error names of which one must be raised. It changes the
model only where it returns a trade.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.trading.oracle import day_of, step

D = Decimal
FUTURE = "CLK0"  # has prices of either sign; the other symbols are shares
EXIT, ENTRY = {"LONG": "SELL", "SHORT": "BUY"}, {"LONG": "BUY", "SHORT": "SELL"}


@dataclass
class Fill:
    side: str
    price: D
    quantity: D
    at: datetime
    charges: D | None
    fill_id: str | None
    said: tuple[str, D, D] = ("", D(0), D(0))
    said_at: datetime | None = None
    is_void: bool = False
    ratio: Fraction | None = None  # of a split

    def __post_init__(self) -> None:
        self.said = self.said if self.said[0] else (self.side, self.price, self.quantity)
        self.said_at = self.said_at or self.at

    def copy(self) -> Fill:
        return Fill(**vars(self))


@dataclass
class Sums:
    """What fills make of a trade."""

    held: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    pnl: Fraction = Fraction(0)
    charges: Fraction | None = None
    exits: list[tuple[Fill, Fraction, Fraction | None]] = field(default_factory=list)  # its P&L and charges


@dataclass
class Trade:
    number: int
    trade_id: str
    strategy: str
    symbol: str
    side: str
    stop: D | None
    fills: list[Fill]
    state: str = "OPEN"
    close_price: D | None = None
    reason: str = ""
    stops: list[tuple[datetime, D]] = field(default_factory=list)
    moved: list[tuple[str, date]] = field(default_factory=list)

    @property
    def right(self) -> list[Fill]:
        return [one for one in self.fills if not one.is_void]

    @property
    def opened_at(self) -> datetime:
        return self.right[0].at

    @property
    def day(self) -> date:
        return day_of(self.opened_at)

    @property
    def sums(self) -> Sums:
        return fold(self.side, self.right)

    @property
    def risk(self) -> Fraction | None:
        first = self.right[0]
        return None if self.stop is None else step(abs(Fraction(first.price - self.stop)) * Fraction(first.quantity))


def fold(side: str, fills: list[Fill]) -> Sums:
    """Average cost: an exit releases its share of cost and of the entries' charges, the last one what is left."""
    made, carried = Sums(), None
    for fill in fills:
        if fill.ratio is not None:
            made.held += Fraction(fill.quantity) * (1 if fill.side == ENTRY[side] else -1)
            continue
        quantity, value = Fraction(fill.quantity), step(Fraction(fill.quantity) * Fraction(fill.price))
        made.charges = plus(made.charges, fill.charges)
        if fill.side == ENTRY[side]:
            made.held, made.cost, carried = made.held + quantity, made.cost + value, plus(carried, fill.charges)
            continue
        whole = quantity == made.held
        cost = made.cost if whole else step(made.cost * quantity / made.held)
        shared = None if carried is None else carried if whole else step(carried * quantity / made.held)
        made.held, made.cost = made.held - quantity, made.cost - cost
        carried = None if carried is None or shared is None else carried - shared
        gain = value - cost if side == "LONG" else cost - value
        made.pnl += gain
        made.exits.append((fill, gain, plus(shared, fill.charges)))
    return made


def plus(known: Fraction | None, more: D | None) -> Fraction | None:
    if more is None:
        return known
    return Fraction(more) + (known or 0)


class Refused(Exception):
    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.names = set(names)


def is_price(symbol: str, price: D, *, can_be_zero: bool = False) -> bool:
    return symbol == FUTURE or price > 0 or (can_be_zero and not price)


def must_be_price(symbol: str, price: D, *, can_be_zero: bool = False) -> None:
    if not is_price(symbol, price, can_be_zero=can_be_zero):
        raise Refused("InvalidValue")


class Model:
    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self.keys: dict[tuple[date, str], list[tuple[int, int]]] = {}  # day, fill id: trade and place of each fill

    # -- whose a fill id is ------------------------------------------------------------------------------------------
    def having(self, fill: Fill) -> list[tuple[int, int]]:
        return self.keys.get((day_of(fill.at), fill.fill_id), []) if fill.fill_id is not None else []

    def note(self, trade: Trade, place: int) -> None:
        fill = trade.fills[place]
        if fill.fill_id is not None and fill.ratio is None:
            of_day = self.keys.setdefault((day_of(fill.at), fill.fill_id), [])
            of_day += [] if (trade.number, place) in of_day else [(trade.number, place)]

    def strange(self, trade: Trade, fills: list[Fill]) -> bool:
        """Whether a fill would come to a day on which its id is another one's, both rows of a flip being one."""
        for place, (new, old) in enumerate(zip(fills, trade.fills, strict=True)):
            if new.at != old.at:
                own = [keys for keys in self.keys.values() if (trade.number, place) in keys]
                if set(self.having(new)) - {one for keys in own for one in keys}:
                    return True
        return False

    # -- finding -----------------------------------------------------------------------------------------------------
    def find(self, trade_id: str, strategy: str, symbol: str | None = None) -> Trade:
        found = self._find(trade_id, strategy)
        if symbol not in (None, found.symbol):
            raise Refused("IdConflict")
        return found

    def _find(self, trade_id: str, strategy: str) -> Trade:
        own = [one for one in self.trades if one.trade_id == trade_id and one.strategy == strategy]
        still = [one for one in own if one.state == "OPEN"]
        if len(still) > 1:
            raise Refused("AmbiguousTrade")
        if still:
            return still[0]
        moved = [one for one in self.trades if one.trade_id == trade_id and strategy in dict(one.moved)]
        found = [*sorted(own, key=lambda one: (one.opened_at, one.number))[-1:], *moved]
        if not found:
            raise Refused("UnknownTrade")
        return max(found, key=lambda one: (one.state == "OPEN", one.opened_at, one.number))

    def known(self, strategy: str, trade_id: str, day: date) -> Trade | None:
        same = [one for one in self.trades if one.trade_id == trade_id]
        here = [one for one in same if (one.strategy, one.day) == (strategy, day)]
        return next(iter([*here, *(one for one in same if (strategy, day) in one.moved)]), None)

    # -- what strategies say -----------------------------------------------------------------------------------------
    def open(self, trade_id: str, strategy: str, symbol: str, side: str, stop: D | None, fill: Fill) -> Trade:
        if stop is not None:
            must_be_price(symbol, stop)
        known = self.known(strategy, trade_id, day_of(fill.at))
        if known is not None:
            first = known.right[0]
            said = [known.fills[0].said[1:], (first.price, first.quantity)]
            if (known.symbol, known.side) != (symbol, side) or (fill.price, fill.quantity) not in said:
                raise Refused("IdConflict")
            return known
        if self.having(fill):
            raise Refused("IdConflict")
        must_be_price(symbol, fill.price)
        return self.begin(trade_id, strategy, symbol, side, stop, fill)

    def begin(self, trade_id: str, strategy: str, symbol: str, side: str, stop: D | None, fill: Fill) -> Trade:
        self.trades.append(Trade(len(self.trades), trade_id, strategy, symbol, side, stop, [fill]))
        self.note(self.trades[-1], 0)
        return self.trades[-1]

    def fill(self, trade: Trade, fill: Fill) -> Trade:
        for one in trade.fills:
            if fill.fill_id is None and not fill.price and (one.said, one.said_at) == (fill.said, fill.at):
                return trade  # units for nothing: the same gift
        if having := self.having(fill):
            places = [place for number, place in having if number == trade.number]
            one = trade.fills[places[0]] if places else Fill("", D(0), D(0), fill.at, None, None)
            right = [] if one.is_void else [(one.side, one.price, one.quantity)]
            if (fill.side, fill.price, fill.quantity) not in [one.said, *right]:
                raise Refused("IdConflict")
            return trade
        if trade.state != "OPEN":
            raise Refused("TradeClosed")
        too_early = fill.at < trade.opened_at or any(one.ratio and one.at > fill.at for one in trade.right)
        wrong = {"InvalidValue"} if too_early else set()
        if fill.side == EXIT[trade.side] and Fraction(fill.quantity) > trade.sums.held:
            wrong.add("CrossesZero")
        if not is_price(trade.symbol, fill.price, can_be_zero=True):
            wrong.add("InvalidValue")
        if wrong:
            raise Refused(*wrong)
        trade.fills.append(fill)
        self.note(trade, len(trade.fills) - 1)
        self.settle(trade)
        return trade

    def flip(self, trade: Trade, fill: Fill, to: str) -> Trade:
        if fill.side == ENTRY[trade.side]:
            raise Refused("InvalidValue")
        known = self.known(trade.strategy, to, day_of(fill.at))
        if known is not None:
            having = self.having(fill)
            parts = [
                self.trades[number].fills[place] for number, place in having if number in (trade.number, known.number)
            ]
            is_same = len(parts) == 2 and known is not trade and sum(one.said[2] for one in parts) == fill.quantity
            if not is_same or {one.said[:2] for one in parts} != {(fill.side, fill.price)}:
                raise Refused("IdConflict")
            return known
        held = D(trade.sums.held.numerator) / D(trade.sums.held.denominator)
        if trade.state != "OPEN" or fill.quantity <= held or self.having(fill):
            return self.fill(trade, fill)
        if fill.at < trade.opened_at or any(one.ratio and one.at > fill.at for one in trade.right):
            raise Refused("InvalidValue")
        must_be_price(trade.symbol, fill.price)
        own = None
        if fill.charges is not None:
            share = step(Fraction(fill.charges) * Fraction(held) / Fraction(fill.quantity))
            own = D(share.numerator) / D(share.denominator)
        left = None if own is None or fill.charges is None else fill.charges - own
        closing = Fill(fill.side, fill.price, held, fill.at, own, fill.fill_id)
        opening = Fill(fill.side, fill.price, fill.quantity - held, fill.at, left, fill.fill_id)
        trade.fills.append(closing)
        self.note(trade, len(trade.fills) - 1)
        self.settle(trade)
        side = "LONG" if fill.side == "BUY" else "SHORT"
        return self.begin(to, trade.strategy, trade.symbol, side, None, opening)

    def close(self, trade: Trade, price: D, at: datetime, reason: str, charges: D | None) -> Trade:
        must_be_price(trade.symbol, price, can_be_zero=True)
        if trade.state == "VOID":
            raise Refused("TradeClosed")
        if trade.close_price is not None:
            if price not in (trade.close_price, trade.right[-1].price):
                raise Refused("TradeClosed")
            return trade
        if trade.state == "OPEN":
            held = trade.sums.held
            rest = D(held.numerator) / D(held.denominator)
            self.fill(trade, Fill(EXIT[trade.side], price, rest, at, charges, None))
        trade.close_price, trade.reason = price, reason
        return trade

    def move_stop(self, trade: Trade, at: datetime, stop: D) -> Trade:
        must_be_price(trade.symbol, stop)
        if at < trade.opened_at:
            raise Refused("InvalidValue")
        if (at, stop) in trade.stops:
            return trade
        before = [price for _, price in sorted(one for one in trade.stops if one[0] <= at)]
        if (before[-1] if before else trade.stop) == stop:
            return trade
        if trade.state != "OPEN":
            raise Refused("TradeClosed")
        trade.stops.append((at, stop))
        return trade

    def split(self, trade: Trade, at: datetime, key: str, ratio: Fraction) -> Trade:
        if trade.state != "OPEN" or at < trade.opened_at:
            raise Refused("UnknownTrade")
        if any(one.at > at or (one.said_at or at) > at for one in trade.fills) or any(
            when >= at for when, _ in trade.stops
        ):
            raise Refused("InvalidValue")
        held, unit = trade.sums.held, 1 if trade.sums.held.denominator == 1 else Fraction(1, 10**8)
        if (held * ratio) % unit:
            raise Refused("InvalidValue")
        change = held * ratio - held
        side = (ENTRY if change > 0 else EXIT)[trade.side]
        quantity = D(abs(change).numerator) / D(abs(change).denominator)
        stop = max(trade.stops, default=(None, trade.stop))[1]
        if stop is not None:
            moved = step(Fraction(stop) / ratio)
            must_be_price(trade.symbol, D(moved.numerator) / D(moved.denominator))
            trade.stops.append((at, D(moved.numerator) / D(moved.denominator)))
        trade.fills.append(Fill(side, D(0), quantity, at, None, key, ratio=ratio))
        return trade

    # -- what people correct -----------------------------------------------------------------------------------------
    def amend(self, trade: Trade, number: int, change: dict[str, Any], strategy: str | None) -> Trade:
        if trade.state == "VOID":
            raise Refused("TradeClosed")
        fills = [one.copy() for one in trade.fills]
        if change:
            if not 1 <= number <= len(fills) or fills[number - 1].is_void:
                raise Refused("InvalidValue")
            for name, value in change.items():
                setattr(fills[number - 1], name, value)
        return self.correct(trade, fills, strategy or trade.strategy)

    def void_fill(self, trade: Trade, number: int) -> Trade:
        if trade.state == "VOID":
            raise Refused("TradeClosed")
        if not 1 <= number <= len(trade.fills):
            raise Refused("InvalidValue")
        fills = [one.copy() for one in trade.fills]
        fills[number - 1].is_void = True
        return self.correct(trade, fills, trade.strategy)

    def void(self, trade: Trade) -> Trade:
        trade.state = "VOID"
        return trade

    def charge(self, trade: Trade, amount: D) -> Trade:
        if trade.state == "VOID":
            raise Refused("TradeClosed")
        if trade.sums.charges == Fraction(amount):
            return trade
        right, left = [one for one in trade.right if one.ratio is None], int(amount * 10**8)
        worth = [abs(Fraction(one.price)) * Fraction(one.quantity) for one in right]
        worth = worth if any(worth) else [Fraction(one.quantity) for one in right]
        for one, value in zip(right[:-1], worth, strict=False):
            share = int(amount * 10**8) * value // sum(worth)
            one.charges, left = D(share) / 10**8, left - share
        right[-1].charges = D(left) / 10**8
        return trade

    def correct(self, trade: Trade, fills: list[Fill], strategy: str) -> Trade:
        """Take the corrected fills if they make a trade, else name what is wrong with them."""
        right = [one for one in fills if not one.is_void]
        if ([vars(one) for one in fills], strategy) == ([vars(one) for one in trade.fills], trade.strategy):
            return trade
        if any(new.ratio is not None and vars(new) != vars(old) for new, old in zip(fills, trade.fills, strict=True)):
            raise Refused("InvalidValue")
        wrong = set()
        if not right or right[0].side != ENTRY[trade.side]:
            raise Refused("InvalidValue")
        held = before = Fraction(0)
        ratio: Fraction | None = None
        for one in right:
            if one.ratio is None and not is_price(trade.symbol, one.price, can_be_zero=one is not right[0]):
                wrong.add("InvalidValue")
            if one.at < right[0].at:
                wrong.add("InvalidValue")
            change = Fraction(one.quantity) * (1 if one.side == ENTRY[trade.side] else -1)
            if one.ratio is not None:  # those in a row count as one
                before, ratio = (before, ratio * one.ratio) if ratio else (held, one.ratio)
            elif ratio and before * ratio != held:
                wrong.add("InvalidValue")
            ratio = ratio if one.ratio is not None else None
            held += change
            if held < 0:
                wrong.add("CrossesZero")
            if held == 0 and one is not right[-1]:
                wrong.add("InvalidValue")
        if ratio and before * ratio != held:
            wrong.add("InvalidValue")
        if any(at < right[0].at for at, _ in trade.stops):
            wrong.add("InvalidValue")
        was, now = (trade.strategy, trade.day), (strategy, day_of(right[0].at))
        same = [one for one in self.trades if one is not trade and one.trade_id == trade.trade_id]
        if any((one.strategy, one.day) == now for one in same):
            wrong.add("IdConflict")
        wrong |= {"IdConflict"} if self.strange(trade, fills) else set()
        if wrong:
            raise Refused(*wrong)
        trade.fills, trade.strategy = fills, strategy
        for place in range(len(fills)):
            self.note(trade, place)
        if was != now:
            trade.moved.append(was)
        self.settle(trade)
        return trade

    @staticmethod
    def settle(trade: Trade) -> None:
        trade.state = "OPEN" if trade.sums.held else "CLOSED"
        if trade.state == "OPEN":
            trade.close_price, trade.reason = None, ""
