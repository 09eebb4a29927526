"""A stop-and-reverse: one fill of the broker as two rows, booked once."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.trading.book import AT, MINUTE, filled, fills, opened, row, snapshot
from trading.bookkeeping import flipping
from trading.data_manager import DataManager
from trading.errors import CrossesZero, IdConflict, InvalidValue, TradeClosed
from trading.models import Fill, Journal

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger", "alone")]
FLIP = {"fill_id": "B7", "order_id": "O3", "charges": "30.01", "flip_to": "T2"}


def flipped(quantity: Any = 25, **more: Any) -> Any:
    return filled("SELL", 2460, quantity, **{**FLIP, **more})


def test_it_closes_the_one_and_opens_the_other_under_one_fill_id() -> None:
    opened()
    answer = flipped()
    assert (answer.trade_id, answer.side, answer.open_quantity, answer.avg_price) == ("T2", "SHORT", 15, 2460)
    assert (row("T1").state, row("T1").realised_pnl, row("T1").charges) == (
        "CLOSED",
        Decimal("99.5"),
        Decimal("12.004"),
    )
    assert (row("T2").strategy, row("T2").instrument) == (row("T1").strategy, row("T1").instrument)
    closing, opening = fills("T1")[1], fills("T2")[0]
    assert [part.fill_id for part in (closing, opening)] == ["B7", "B7"]
    assert (closing.quantity, opening.quantity, closing.charges + opening.charges) == (10, 15, Decimal("30.01"))
    assert [(one.operation, json.loads(one.body).get("flip")) for one in Journal.objects.order_by("sequence")] == [
        ("open_position", None),
        ("add_fill", {"to": "T2"}),
        ("open_position", {"from": "T1"}),
    ]


def test_a_short_is_turned_too_and_without_charges_none_are_known() -> None:
    opened(side="SHORT")
    answer = filled("BUY", 2440, "10.5", flip_to="T2")
    assert (answer.side, answer.open_quantity, answer.charges, row("T1").realised_pnl) == (
        "LONG",
        Decimal("0.5"),
        None,
        Decimal("100.5"),
    )


@pytest.mark.parametrize("fill_id", ["B7", None])
def test_said_again_it_changes_nothing(fill_id: str | None) -> None:
    opened()
    flipped(fill_id=fill_id)
    before = snapshot()
    assert flipped(fill_id=fill_id).trade_id == "T2"
    assert snapshot() == before
    for other in ({"quantity": 24}, {"flip_to": "T1"}):
        with pytest.raises(IdConflict):
            flipped(**{"fill_id": fill_id, **other})
    filled("BUY", 2450, 15, trade_id="T2", at=AT + 2 * MINUTE)
    assert flipped(fill_id=fill_id).state == "CLOSED", "said again later, too"


def test_an_exit_of_no_more_than_is_open_needs_no_other_trade() -> None:
    opened()
    assert flipped(4).trade_id == "T1"
    assert flipped(4).open_quantity == 6
    assert flipped(6, fill_id="B8").state == "CLOSED"
    with pytest.raises(TradeClosed):
        flipped(6, fill_id="B9")
    assert Fill.objects.count() == 3


def test_what_cannot_be_leaves_both_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    opened()
    opened("T2", quantity=3)
    before = snapshot()
    with pytest.raises(IdConflict):
        flipped()
    with pytest.raises(InvalidValue):
        filled("BUY", 2460, 25, **FLIP)
    with pytest.raises(CrossesZero):
        filled("SELL", 2460, 25)
    filled("SELL", 2460, 1, fill_id="B7")
    with pytest.raises(IdConflict):
        flipped(flip_to="T3")
    before = snapshot()
    monkeypatch.setattr(flipping, "new_trade", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        flipped(flip_to="T3", fill_id="B8")
    assert snapshot() == before, "the closing part goes with the opening one"


def test_the_facade_has_it() -> None:
    opened()
    with DataManager() as dm:
        answer = dm.add_fill("T1", "SELL", 2460, 25, AT + MINUTE, fill_id="B7", flip_to="T2")
        assert (answer.trade_id, dm.get_trade("T1").state) == ("T2", "CLOSED")
