"""Random operations against a plain model of the ledger: every answer, every refusal, every figure."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import QuerySet

from tests.trading.kept_rows import assert_kept_tables_stand
from tests.trading.ledger_model import ENTRY, EXIT, FUTURE, Fill, Model, Refused, Trade, day_of
from trading.models import Correction, DayTotal, Exchange, Instrument, Journal, Realisation
from trading.models import Trade as Row
from trading.operations.add_fill import add_fill
from trading.operations.amend import amend
from trading.operations.apply_split import apply_split
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.set_charges import set_charges_of
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.proof.verify import verify_ledger

pytestmark = [pytest.mark.ledger, pytest.mark.chaos]

# Of one account; `make chaos` plays a hundred of them, and as many on a server.
OPERATIONS = int(os.environ.get("VELOX_MODEL_OPERATIONS", "300" if connection.vendor == "postgresql" else "500"))
DESKS, FIRST_SEED = (int(os.environ.get(f"VELOX_MODEL_{name}", "1")) for name in ("DESKS", "SEED"))
BEGIN = datetime(2024, 3, 11, 4, tzinfo=UTC)
STRATEGIES, SYMBOLS, IDS = ("orb", "ema cross"), ("RELIANCE", "M&M", FUTURE), [f"T{n}" for n in range(60)]
WHO = {"by": "asha", "reason": "model"}
LOOK_EVERY = 200
Call = Callable[[], Any]


class Desk:
    """Makes one random operation after another, on the model and on the ledger."""

    def __init__(self, seed: int, book: str = "main") -> None:
        self.random, self.model, self.book = random.Random(seed), Model(), book
        self.pks: dict[int, int] = {}
        self.said: list[tuple[Call, Callable[[], Trade]]] = []
        self.ticks = 0

    # -- what happens ------------------------------------------------------------------------------------------------
    def go(self) -> None:
        ways = {
            self.open: 20, self.scale: 22, self.close: 14, self.stop: 8, self.again: 8, self.amend: 12, self.void: 3,
            self.void_fill: 3, self.charge: 4, self.flip: 5, self.stale: 1, self.split: 6,
        }  # fmt: skip
        (way,) = self.random.choices(list(ways), list(ways.values()))
        made = way()
        if made is not None:
            self.said = [*self.said[-20:], made]
            self.both(*made, threads=3 if self.random.random() < 0.01 else 1)

    def both(self, call: Call, expected: Callable[[], Trade], *, threads: int) -> None:
        """Do it on both sides, as often as threads say it at once: so many answers, so many refusals of such names."""
        outcomes = [self.expect(expected) for _ in range(threads)]
        answers = [attempt(call)] if threads == 1 else at_once(call, threads)
        trades = [one for one in outcomes if isinstance(one, Trade)]
        refusals = [one for one in answers if isinstance(one, BaseException)]
        assert len(refusals) == threads - len(trades), refusals
        allowed = set().union(*(one for one in outcomes if isinstance(one, set)))
        assert {type(one).__name__ for one in refusals} <= allowed, refusals
        for trade in trades:
            if trade.number not in self.pks:
                self.pks[trade.number] = self.rows().filter(trade_id=trade.trade_id).latest("pk").pk
            self.same(trade)
        if threads == 1 and trades and hasattr(answers[0], "state"):
            assert answers[0].state == trades[0].state

    def expect(self, expected: Callable[[], Trade]) -> Trade | set[str]:
        before = self.state_of_model()
        try:
            return expected()
        except Refused as refusal:
            assert self.state_of_model() == before
            return refusal.names

    # -- the operations ----------------------------------------------------------------------------------------------
    def open(self) -> Any:
        trade_id, strategy, symbol = (self.random.choice(names) for names in (IDS, STRATEGIES, SYMBOLS))
        side, at = self.random.choice(("LONG", "SHORT")), self.instant()
        stop = self.price() if self.random.random() < 0.5 else None
        fill = Fill(ENTRY[side], self.price(), self.quantity(), at, self.charges(), self.fill_id())
        said = {"entry_price": fill.price, "quantity": fill.quantity, "entry_time": at, "side": side}
        said |= {"stop_price": stop, "charges": fill.charges, "fill_id": fill.fill_id}
        return (
            lambda: open_position(self.book, trade_id, strategy, symbol, **said),
            lambda: self.model.open(trade_id, strategy, symbol, side, stop, fill.copy()),
        )

    def scale(self) -> Any:
        trade = self.any_trade("OPEN")
        if trade is None:
            return None
        is_exit = self.random.random() < 0.6
        side = (EXIT if is_exit else ENTRY)[trade.side]
        most = trade.sums.held
        quantity = self.quantity()
        if is_exit and self.random.random() < 0.8:
            quantity = min(quantity, Decimal(most.numerator) / Decimal(most.denominator))
        at = trade.opened_at + timedelta(minutes=self.random.choice((-1, 1, 2, 60, 60 * 24)))
        fill = Fill(side, self.price(), quantity, at, self.charges(), self.fill_id())
        return self.filling(trade.trade_id, trade.strategy, fill)

    def filling(self, trade_id: str, strategy: str, fill: Fill) -> Any:
        more = {"charges": fill.charges, "fill_id": fill.fill_id, "strategy_id": strategy}
        return (
            lambda: add_fill(self.book, trade_id, fill.side, fill.price, fill.quantity, fill.at, **more),
            lambda: self.model.fill(self.model.find(trade_id, strategy), fill.copy()),
        )

    def flip(self) -> Any:
        trade = self.any_trade("OPEN")
        if trade is None:
            return None
        held, to = trade.sums.held, self.random.choice(IDS)
        quantity = Decimal(held.numerator) / Decimal(held.denominator) + self.random.choice((-1, 0, 1, 7))
        side = (EXIT if self.random.random() < 0.95 else ENTRY)[trade.side]
        at = trade.right[-1].at + timedelta(minutes=self.random.choice((0, 1)))
        fill = Fill(side, self.price(), max(quantity, Decimal(1)), at, self.charges(), f"B{self.tick()}")
        more = {"charges": fill.charges, "fill_id": fill.fill_id, "strategy_id": trade.strategy, "flip_to": to}
        where = (trade.trade_id, trade.strategy)
        return (
            lambda: add_fill(self.book, where[0], fill.side, fill.price, fill.quantity, fill.at, **more),
            lambda: self.model.flip(self.model.find(*where), fill.copy(), to),
        )

    def close(self) -> Any:
        trade = self.any_trade("OPEN" if self.random.random() < 0.8 else None)
        if trade is None:
            return None
        price = trade.close_price if trade.close_price is not None and self.random.random() < 0.5 else self.price()
        at, charges = trade.opened_at + timedelta(minutes=self.random.randrange(-1, 300)), self.charges()
        name = (trade.trade_id, trade.strategy)
        said = {"exit_price": price, "exit_time": at, "charges": charges, "exit_reason": "model"}
        return (
            lambda: close_position(self.book, *name, trade.symbol, **said),
            lambda: self.model.close(self.model.find(*name, trade.symbol), price, at, "model", charges),
        )

    def stop(self) -> Any:
        trade = self.any_trade("OPEN" if self.random.random() < 0.8 else None)
        if trade is None:
            return None
        at = trade.opened_at + timedelta(minutes=self.random.randrange(-1, 300), microseconds=self.tick())
        price, name = self.price(), (trade.trade_id, trade.strategy)
        return (
            lambda: update_trailing_sl(self.book, *name, trade.symbol, price, price, "atr", at=at),
            lambda: self.model.move_stop(self.model.find(*name, trade.symbol), at, price),
        )

    def split(self) -> Any:
        trade = self.any_trade("OPEN")
        if trade is None:
            return None
        new, old = self.random.choice(((2, 1), (3, 2), (1, 2), (10, 1), (1, 3)))
        newest = max([one.at for one in trade.fills] + [at for at, _ in trade.stops])
        at = newest + timedelta(minutes=self.random.choice((-1, 0, 1, 5)))
        key, name = f"S{self.tick()}", {"trade_id": trade.trade_id, "strategy_id": trade.strategy}
        same = [one for one in self.model.trades if (one.trade_id, one.strategy) == tuple(name.values())]
        if len([one for one in same if one.state == "OPEN"]) > 1:
            return None  # of two open ones of a name each is booked
        return (
            lambda: apply_split(self.book, trade.symbol, new, old, at, key=key, **name),
            lambda: self.model.split(trade, at, key, Fraction(new, old)),
        )

    def again(self) -> Any:
        """Say something once more: a strategy that was restarted."""
        return self.random.choice(self.said) if self.said else None

    def stale(self) -> Any:
        fill = Fill("SELL", self.price(), self.quantity(), BEGIN, None, None)
        return self.filling(f"never {self.tick()}", "orb", fill)

    def amend(self) -> Any:
        trade = self.any_trade(None)
        if trade is None:
            return None
        number = self.random.randrange(1, len(trade.fills) + 1 + (self.random.random() < 0.1))
        fill = trade.fills[min(number, len(trade.fills)) - 1]
        value = {
            "price": self.price(),
            "quantity": self.random.choice((fill.quantity, self.quantity())),
            "at": fill.at + timedelta(minutes=self.random.choice((-2, 0, 1, 60 * 24))),
            "charges": Decimal(self.random.randrange(-20, 100)) / 4,
        }
        names = self.random.sample(list(value), self.random.choice((0, 1, 1, 1, 2)))
        change = {name: value[name] for name in names}
        strategy = self.random.choice(STRATEGIES) if not change or self.random.random() < 0.1 else None
        pk = self.pks[trade.number]
        more = {**change, "strategy_id": strategy, "fill": number if change else None}
        return lambda: amend(pk, **more, **WHO), lambda: self.model.amend(trade, number, change, strategy)

    def void(self) -> Any:
        trade = self.any_trade(None)
        return None if trade is None else self.voiding(trade, self.pks[trade.number])

    def voiding(self, trade: Trade, pk: int) -> Any:
        return lambda: void(pk, **WHO), lambda: self.model.void(trade)

    def void_fill(self) -> Any:
        trade = self.any_trade(None)
        if trade is None:
            return None
        number, pk = self.random.randrange(1, len(trade.fills) + 2), self.pks[trade.number]
        return lambda: void(pk, fill=number, **WHO), lambda: self.model.void_fill(trade, number)

    def charge(self) -> Any:
        trade = self.any_trade(None)
        if trade is None:
            return None
        amount, pk = Decimal(self.random.randrange(-2000, 10_000)) / 100, self.pks[trade.number]
        return lambda: set_charges_of(pk, amount, **WHO), lambda: self.model.charge(trade, amount)

    # -- what is said ------------------------------------------------------------------------------------------------
    def any_trade(self, state: str | None) -> Trade | None:
        found = [one for one in self.model.trades if state in (None, one.state) and one.number in self.pks]
        return self.random.choice(found[-40:]) if found else None

    def instant(self) -> datetime:
        return BEGIN + timedelta(days=self.random.randrange(3), minutes=self.random.randrange(300))

    def price(self) -> Decimal:
        """Most prices are above 0, as most are; some are nothing, and some are a future's below it."""
        sign = self.random.choice((1,) * 9 + (0, -1))
        return sign * Decimal(self.random.randrange(1, 60_000)) / self.random.choice((1, 20, 100, 10**8))

    def quantity(self) -> Decimal:
        return Decimal(self.random.choice((1, 2, 3, 7, 10, Decimal("0.5"), Decimal("0.00000003"))))

    def charges(self) -> Decimal | None:
        return self.random.choice((None, Decimal(0), Decimal("1.01"), Decimal("0.00000007"), Decimal("-0.35")))

    def fill_id(self) -> str | None:
        return self.random.choice((None, f"F{self.tick()}", f"F{self.tick()}", f"G{self.random.randrange(50)}"))

    def tick(self) -> int:
        self.ticks += 1
        return self.ticks

    # -- comparing ---------------------------------------------------------------------------------------------------
    def state_of_model(self) -> Any:
        return [(one.state, len(one.fills), one.strategy, one.close_price) for one in self.model.trades[-60:]]

    def same(self, trade: Trade) -> None:
        row = Row.objects.select_related("strategy", "instrument").get(pk=self.pks[trade.number])
        told = (row.trade_id, row.strategy.code, row.instrument.symbol, row.side, row.state, row.trading_day)
        day = row.trading_day if trade.state == "VOID" else trade.day
        assert told == (trade.trade_id, trade.strategy, trade.symbol, trade.side, trade.state, day)
        parts = list(row.realisations.order_by("fill__sequence"))
        if trade.state == "VOID":
            assert (row.open_quantity, row.open_cost, row.realised_pnl, row.charges, parts) == (0, 0, 0, None, [])
            return
        sums = trade.sums
        figures = (row.open_quantity, row.open_cost, row.realised_pnl, row.charges, row.initial_risk)
        assert tuple(map(fraction, figures)) == (sums.held, sums.cost, sums.pnl, sums.charges, trade.risk)
        assert (row.opened_at, row.close_price, row.exit_reason) == (trade.opened_at, trade.close_price, trade.reason)
        assert row.closed_at == (trade.right[-1].at if trade.state == "CLOSED" else None)
        assert [(one.at, fraction(one.pnl), fraction(one.charges)) for one in parts] == [
            (fill.at, pnl, charges) for fill, pnl, charges in sums.exits
        ]
        last = max(trade.stops, default=(None, trade.stop))[1]
        assert row.stop_price == last
        assert row.fills.count() == len(trade.fills)

    def same_everywhere(self) -> None:
        """Every trade, every day's total, and nothing beside them."""
        for trade in self.model.trades:
            self.same(trade)
        assert self.rows().count() == len(self.model.trades)
        totals = {}
        for one in DayTotal.objects.filter(account__code=self.book).select_related("strategy", "instrument"):
            money = map(fraction, (one.gross_pnl, one.charges, one.gross_profit, one.gross_loss))
            counts = (one.trades_closed, one.wins, one.losses, one.breakevens, one.trades_without_charges)
            totals[one.strategy.code, one.instrument.symbol, one.day] = (*money, *counts)
        assert totals == self.totals()
        assert Realisation.objects.filter(account__code=self.book).count() == sum(
            len(one.sums.exits) for one in self.model.trades if one.state != "VOID"
        )

    def rows(self) -> QuerySet[Row]:
        return Row.objects.filter(account__code=self.book)

    def totals(self) -> dict[Any, Any]:
        made: dict[Any, list[Any]] = {}
        for trade in self.model.trades:
            sums = trade.sums
            for fill, pnl, charges in sums.exits if trade.state != "VOID" else []:
                total = made.setdefault((trade.strategy, trade.symbol, day_of(fill.at)), [Fraction(0)] * 4 + [0] * 5)
                total[0] += pnl
                total[1] += charges or 0
                if trade.state == "CLOSED" and fill is trade.right[-1]:
                    net = sums.pnl - (sums.charges or 0)
                    total[2] += max(net, 0)
                    total[3] += min(net, 0)
                    for place, counts in enumerate((True, net > 0, net < 0, net == 0, sums.charges is None)):
                        total[4 + place] += counts
        return {key: tuple(total) for key, total in made.items()}


def fraction(value: Decimal | None) -> Fraction | None:
    return None if value is None else Fraction(value)


def attempt(call: Call) -> Any:
    """Return the answer, or the error that is raised."""
    try:
        return call()
    except Exception as error:
        return error


def at_once(call: Call, threads: int) -> list[Any]:
    """Let several threads say the same at once."""
    answers: list[Any] = []

    def work() -> None:
        answers.append(attempt(call))
        connections.close_all()

    started = [threading.Thread(target=work) for _ in range(threads)]
    for one in started:
        one.start()
    for one in started:
        one.join()
    return answers


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + DESKS))
def test_random_operations_end_as_a_plain_model_says(ledger: Any, seed: int) -> None:
    nse = Exchange.objects.get(code="NSE")
    Instrument.objects.create(exchange=nse, symbol=FUTURE, kind=Instrument.Kind.FUTURE, currency="INR")
    desk = Desk(seed)
    for number in range(OPERATIONS):
        desk.go()
        if number % LOOK_EVERY == 0:
            desk.same_everywhere()
        if number % 5 == 0:
            assert_kept_tables_stand(desk.book)
    desk.same_everywhere()
    proof = verify_ledger()
    assert proof.ok, proof.differences[:5]
    assert Correction.objects.count() == Journal.objects.filter(operation__in=("amend", "void", "set_charges")).count()
    assert {one.state for one in desk.model.trades} == {"OPEN", "CLOSED", "VOID"}, "every state was met"
