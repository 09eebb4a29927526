"""Fills of an evening that a file counts to the next day, or a file's zone to another: their day is the exchange's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.trading.statements import line, statement
from trading.brokers.values import Broker, Segment, Statement
from trading.domain.charge_heads import Head
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.models import Trade
from trading.operations.create_account import create_account
from trading.operations.find_breaks import find_breaks
from trading.operations.import_charges import import_charges
from trading.operations.import_fills import import_fills
from trading.operations.state_charges import state_charges

pytestmark = pytest.mark.ledger
DAY = date(2026, 1, 26)
EVENING = datetime(2026, 1, 26, 23, 30, tzinfo=UTC)  # 17:30 in Chicago


@pytest.fixture(autouse=True)
def account(proved: Any) -> str:
    zone = "America/Chicago"
    return create_account("us", book="live", currency="USD", zone=zone, capital=0, capital_date=DAY).code


def told(fill_id: str | None, day: date) -> Statement:
    """Return a file with one purchase of the evening, which it counts to this day."""
    of = {"exchange": "CME", "symbol": "ESH6", "multiplier": Decimal(50)}
    bought = line(None, "BUY", 2, 6900, instrument=of, segment=Segment.FUTURES, currency="USD")
    fills = [replace(bought, day=day, at=EVENING, fill_id=fill_id)]
    return statement(fills, broker=Broker.IBKR, zone="America/New_York")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_file_that_counts_it_to_the_next_day_does_not_bring_it_again(order: tuple[int, int]) -> None:
    files = told(None, DAY), told("T1", DAY + timedelta(days=1))
    outcomes = [import_fills("us", files[number]) for number in order]
    assert [outcome.fills for outcome in outcomes] == [1, 0]
    assert [row.reason for row in outcomes[1].refused] == [("rows_known", "ids_known")[order[0]]]
    assert Trade.objects.get().open_quantity == 2


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("days", [-1, 1])
def test_charges_that_are_stated_of_its_day_are_its_own_whatever_came_first(is_first: bool, days: int) -> None:
    file = told("T1", DAY + timedelta(days=days))
    stated = ChargeStatement(
        day=DAY, last_day=DAY, head=Head.BROKERAGE, amount=Decimal("4.5"), source=ChargeSource.PERSON
    )
    if is_first:
        state_charges("us", [stated], by="tests", text="by telephone")
    import_fills("us", file)
    import_charges("us", file)
    if not is_first:
        state_charges("us", [stated], by="tests", text="by telephone")
    assert Trade.objects.get().charges == Decimal("4.5")


def test_it_is_no_break_beside_the_file_that_brought_it() -> None:
    file = told("T1", DAY + timedelta(days=1))
    import_fills("us", file)
    assert not find_breaks("us", [file], now=EVENING).breaks.open
