"""A fill's price is the same however many came before it, and so are its figures."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests.trading.book import AT, closed, filled, opened, row
from trading.domain.money import SCALE
from trading.operations.amend import amend
from trading.proof.verify import verify_ledger
from trading.queries import facts

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]
CHARGES: dict[str, tuple[Any, ...]] = {
    "unknown": (None,),
    "known": ("1.23456789", 0, "-0.5"),
    "some": (None, None, "0.77777777", -1),
}


def test_what_stands_in_a_trade_is_what_all_its_fills_make() -> None:
    """After every fill, long and short, with charges of all, of some, of none, of exits alone and rebates."""
    chance = random.Random(11)
    for name, charges in CHARGES.items():
        for side in ("LONG", "SHORT"):
            trade_id = f"{name} {side}"
            opened(trade_id, side=side, quantity="7.1", charges=chance.choice(charges))
            for number in range(14):
                trade = row(trade_id)
                made = facts.folded(trade, trade.fills.order_by("sequence"))[0]
                assert facts.standing(trade) == (made, number + 2), (trade_id, number)
                is_entry = chance.random() < 0.5
                quantity = chance.randrange(1, 300) if is_entry else trade.open_quantity / chance.choice((2, 4, 8))
                quantity = Decimal(quantity).quantize(Decimal("0.00000001"))
                word = ("BUY" if is_entry else "SELL") if side == "LONG" else ("SELL" if is_entry else "BUY")
                filled(word, chance.randrange(1, 9**9) / 1000, quantity, trade_id, charges=chance.choice(charges))
            closed(trade_id, "2465.07")
            trade = row(trade_id)
            made, parts = facts.folded(trade, trade.fills.order_by("sequence"))
            assert sum(part.cost for part in parts) == made.entry_value and made.open_cost == 0
            assert trade.realised_pnl == Decimal(sum(part.pnl for part in parts)).scaleb(-8)
    assert verify_ledger().differences == []


def test_exits_alone_with_charges_leave_those_of_the_entries_unknown() -> None:
    opened(quantity=10)
    filled("SELL", 2460, 4, charges=3)
    trade = row()
    assert trade.charges == 3 and facts.standing(trade)[0].open_charges is None
    closed()
    assert [part.charges for part in row().realisations.order_by("pk")] == [3, None]


def test_a_corrected_trade_goes_on_from_what_is_right() -> None:
    opened(quantity=10, charges=2)
    filled("SELL", 2460, 4)
    amend(row().pk, fill=1, price="2400", charges="5", by="asha", reason="typing error")
    filled("BUY", 2410, 2, at=AT + timedelta(minutes=3))
    closed(price=2500, exit_time=AT + timedelta(minutes=4))
    assert row().realised_pnl == 4 * 60 + 6 * 100 + 2 * 90
    assert row().charges == 5 and verify_ledger().ok


def test_a_fill_reads_no_fill_that_came_before() -> None:
    """Whether its id is known is read off the key of its day, and whether a value was rounded off an index that has
    fills of a fraction alone."""
    opened(quantity=10)
    for number in range(5):
        filled("BUY", 2450, 1, fill_id=f"F{number}")
    read: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("SELECT") and 'FROM "trading_fill' in sql:
            read.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        filled("SELL", 2460, 3, fill_id="F5")
    of_a_fraction = f'"quantity" / {SCALE} * {SCALE} <> '
    assert read and all('"broker_fill_id" = ' in sql or of_a_fraction in sql for sql in read), read
