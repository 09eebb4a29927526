"""A book of 100,000 trades to report on, written as straight rows into a ledger of its own in some seconds.

A year of weekdays, five strategies and eight symbols, long and short; some in two exits, some overnight, some without
charges or stop; each from a signal with two conditions, some signals skipped; some trades reviewed. Rows are those that
the operations would have left, without the journal: nothing here proves a ledger.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models, transaction

from bench.ledger import ledger_of_its_own
from trading.models import (
    Account,
    DayTotal,
    Exchange,
    Fill,
    Instrument,
    Realisation,
    Review,
    Signal,
    SignalCondition,
    Strategy,
    Trade,
)

TRADES, STRATEGIES, SYMBOLS, DAYS = 100_000, 5, 8, 250
SKIPPED_EVERY, REVIEWED_EVERY, TWO_EXITS_EVERY, OVERNIGHT_EVERY, NO_CHARGES_EVERY, NO_STOP_EVERY = 20, 40, 25, 50, 10, 5
FIRST = date(2024, 1, 1)
OPENS = time(3, 45)  # UTC: 09:15 at NSE
CENT = 10**6  # in units of 10^-8
REASONS = ("target", "stop", "square_off", "")
TAGS = (["late"], ["news"], ["late", "news"], [])
CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Deal:
    """One trade to be written; prices and money in cents."""

    pk: int
    strategy: int
    instrument: int
    is_long: bool
    opened_at: datetime
    closed_at: datetime
    half_at: datetime | None
    entry: int
    exits: tuple[tuple[datetime, int, int], ...]  # when, price, quantity
    quantity: int
    charges: int | None
    risk: int | None

    @property
    def pnl(self) -> int:
        sign = 1 if self.is_long else -1
        return sum(sign * (price - self.entry) * quantity for _, price, quantity in self.exits)


@contextmanager
def book_of_trades() -> Iterator[date]:
    """Point the default connection at a ledger that holds the book in `main`; give its last day."""
    with ledger_of_its_own():
        weekdays = list(islice(_weekdays(), DAYS + 1))
        with transaction.atomic():
            fill(weekdays)
        yield weekdays[-1]


def _weekdays() -> Iterator[date]:
    day = FIRST
    while True:
        if day.weekday() < 5:
            yield day
        day += timedelta(days=1)


def fill(weekdays: Sequence[date]) -> None:
    """Write the rows of all trades."""
    account, exchange = Account.objects.get(code="main"), Exchange.objects.get(code="NSE")
    strategies = [Strategy.objects.create(code=f"bench {number}").pk for number in range(STRATEGIES)]
    instruments = [
        Instrument.objects.create(exchange=exchange, symbol=f"BENCH{number}", currency="INR").pk
        for number in range(SYMBOLS)
    ]
    deals = list(_deals(weekdays, strategies, instruments))
    _write(Trade, (_trade(account.pk, deal) for deal in deals))
    _write(Fill, (row for deal in deals for row in _fills(deal)))
    _write(Realisation, (row for deal in deals for row in _realisations(account.pk, deal)))
    _write(DayTotal, _totals(account.pk, deals))
    _write(Signal, (row for deal in deals for row in _signals(account.pk, deal)))
    _write(SignalCondition, (row for deal in deals for row in _conditions(deal)))
    _write(Review, (_review(deal) for deal in deals[::REVIEWED_EVERY]))


def _deals(weekdays: Sequence[date], strategies: list[int], instruments: list[int]) -> Iterator[Deal]:
    chance = random.Random(20210412)
    for number in range(TRADES):
        place = number * DAYS // TRADES
        opened_at = datetime.combine(weekdays[place], OPENS, UTC) + timedelta(seconds=chance.randrange(19_000))
        closed_at = opened_at + timedelta(seconds=chance.randrange(10, 3_000))
        if number % OVERNIGHT_EVERY == 0:
            closed_at = datetime.combine(weekdays[place + 1], OPENS, UTC) + timedelta(seconds=chance.randrange(3_000))
        entry, quantity = chance.randrange(10_000, 300_000), 2 * chance.randrange(1, 50)
        price = entry + chance.randrange(-entry // 100, entry // 90)
        exits, half_at = ((closed_at, price, quantity),), None
        if number % TWO_EXITS_EVERY == 1:
            half_at = opened_at + (closed_at - opened_at) / 2
            exits = ((half_at, price + 5, quantity // 2), (closed_at, price, quantity // 2))
        yield Deal(
            pk=number + 1,
            strategy=chance.choice(strategies),
            instrument=chance.choice(instruments),
            is_long=chance.random() < 0.6,
            opened_at=opened_at,
            closed_at=closed_at,
            half_at=half_at,
            entry=entry,
            exits=exits,
            quantity=quantity,
            charges=None if number % NO_CHARGES_EVERY == 0 else 40_00,
            risk=None if number % NO_STOP_EVERY == 0 else entry * quantity // 100,
        )


def _trade(account: int, deal: Deal) -> dict[str, Any]:
    value = deal.entry * deal.quantity * CENT
    return {
        "id": deal.pk, "account": account, "strategy": deal.strategy, "instrument": deal.instrument,
        "trade_id": str(deal.pk), "trading_day": deal.opened_at.date(), "side": "LONG" if deal.is_long else "SHORT",
        "state": "CLOSED", "opened_at": deal.opened_at, "closed_at": deal.closed_at, "recorded_at": deal.opened_at,
        "open_quantity": 0, "open_cost": 0, "entry_quantity": deal.quantity * 10**8, "entry_value": value,
        "realised_pnl": deal.pnl * CENT, "charges": None if deal.charges is None else deal.charges * CENT,
        "initial_risk": None if deal.risk is None else deal.risk * CENT, "exit_reason": REASONS[deal.pk % 4],
        "flags": "[]",
    }  # fmt: skip


def _fills(deal: Deal) -> Iterator[dict[str, Any]]:
    opening = (deal.opened_at, deal.entry, deal.quantity)
    count = 1 + len(deal.exits)
    for number, (at, price, quantity) in enumerate((opening, *deal.exits)):
        yield {
            "id": deal.pk * 4 + number, "trade": deal.pk, "sequence": number + 1,
            "side": "BUY" if deal.is_long == (number == 0) else "SELL", "role": "EXIT" if number else "ENTRY",
            "price": price * CENT, "quantity": quantity * 10**8, "at": at, "recorded_at": at,
            "is_day_only": False, "settlement": "",
            "charges": None if deal.charges is None else deal.charges * CENT // count,
        }  # fmt: skip


def _realisations(account: int, deal: Deal) -> Iterator[dict[str, Any]]:
    sign, count = (1 if deal.is_long else -1), len(deal.exits)
    for number, (at, price, quantity) in enumerate(deal.exits, start=1):
        yield {
            "id": deal.pk * 4 + number, "trade": deal.pk, "fill": deal.pk * 4 + number, "account": account,
            "strategy": deal.strategy, "instrument": deal.instrument, "day": at.date(), "at": at,
            "quantity": quantity * 10**8, "cost": deal.entry * quantity * CENT, "proceeds": price * quantity * CENT,
            "pnl": sign * (price - deal.entry) * quantity * CENT, "closes": number == count,
            "charges": None if deal.charges is None else deal.charges * CENT // count,
        }  # fmt: skip


def _totals(account: int, deals: Sequence[Deal]) -> Iterator[dict[str, Any]]:
    totals: dict[tuple[int, int, date], dict[str, int]] = {}
    names = ("gross_pnl", "charges", "gross_profit", "gross_loss", "trades_closed", "wins", "losses", "breakevens")
    for deal in deals:
        for realisation in _realisations(account, deal):
            key = (deal.strategy, deal.instrument, realisation["day"])
            total = totals.setdefault(key, dict.fromkeys((*names, "trades_without_charges"), 0))
            total["gross_pnl"] += realisation["pnl"]
            total["charges"] += realisation["charges"] or 0
            if realisation["closes"]:
                net = (deal.pnl - (deal.charges or 0)) * CENT
                total["trades_closed"] += 1
                total["wins" if net > 0 else "losses" if net < 0 else "breakevens"] += 1
                total["gross_profit" if net > 0 else "gross_loss"] += net
                total["trades_without_charges"] += deal.charges is None
    for number, ((strategy, instrument, day), sums) in enumerate(totals.items(), start=1):
        key_of = {"id": number, "account": account, "strategy": strategy, "instrument": instrument, "day": day}
        yield {**key_of, **sums}


def _signals(account: int, deal: Deal) -> Iterator[dict[str, Any]]:
    signal = {
        "account": account, "strategy": deal.strategy, "instrument": deal.instrument, "at": deal.opened_at,
        "conditions": json.dumps(_seen(deal)), "recorded_at": deal.opened_at, "reason": "",
    }  # fmt: skip
    at = signal["at"] + timedelta(microseconds=deal.pk)  # a signal is one by strategy, symbol, time and decision
    yield {**signal, "id": deal.pk, "at": at, "decision": "TAKEN", "trade": deal.pk}
    if deal.pk % SKIPPED_EVERY == 0:
        yield {**signal, "id": TRADES + deal.pk, "at": at, "decision": "SKIPPED", "trade": None, "reason": "late"}


def _seen(deal: Deal) -> dict[str, Any]:
    side = "LONG" if deal.is_long else "SHORT"
    return {"above_vwap": deal.pk % 3 == 0, "rsi": deal.pk * 7919 % 10_000 / 100, "side": side}


def _conditions(deal: Deal) -> Iterator[dict[str, Any]]:
    seen = _seen(deal)
    yield {"id": 2 * deal.pk, "signal": deal.pk, "name": "above_vwap", "value": float(seen["above_vwap"])}
    yield {"id": 2 * deal.pk + 1, "signal": deal.pk, "name": "rsi", "value": seen["rsi"]}


def _review(deal: Deal) -> dict[str, Any]:
    tags = json.dumps(TAGS[deal.pk // REVIEWED_EVERY % len(TAGS)])
    at = deal.closed_at
    words = {"mistakes": "", "notes": "as planned"}
    return {"id": deal.pk, "trade": deal.pk, "state": "DONE", "rating": 4, "tags": tags, "reviewed_at": at, **words}


def _write(model: type[models.Model], rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows as they are, many in one statement's run: objects of the ORM would cost minutes."""
    rows = iter(rows)
    for row in rows:
        names = list(row)
        break
    else:
        return
    columns = ", ".join(f'"{model._meta.get_field(name).column}"' for name in names)  # type: ignore[union-attr]
    marks = ", ".join(["%s"] * len(names))
    statement = f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({marks})'
    with connection.cursor() as cursor:
        chunk = [_adapted(row)]
        while chunk:
            cursor.executemany(statement, chunk)
            chunk = [_adapted(row) for row in islice(rows, CHUNK)]
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):  # PostgreSQL counts on from there
            cursor.execute(statement)


def _adapted(row: dict[str, Any]) -> list[Any]:
    ops = connection.ops
    return [
        ops.adapt_datetimefield_value(value)
        if isinstance(value, datetime)
        else ops.adapt_datefield_value(value)
        if isinstance(value, date)
        else value
        for value in row.values()
    ]
