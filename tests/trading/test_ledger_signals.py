"""A trade and the signal it was opened on, in every order in which strategies say them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.trading.book import AT, MINUTE, closed, filled, opened, row
from trading.models import Journal, Signal, SignalCondition
from trading.operations.record_signal import record_signal

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]


def taken(conditions: dict[str, Any], reason: str = "") -> Any:
    return record_signal("main", "ema cross", "RELIANCE", AT, conditions, decision="TAKEN", reason=reason)


def journalled() -> list[tuple[str, bool]]:
    return [(one.operation, "signal" in json.loads(one.body)) for one in Journal.objects.order_by("sequence")]


def test_a_signal_recorded_before_is_taken_up_and_told_once() -> None:
    taken({"rsi": 61.5}, "crossed")
    opened(signal_conditions={"rsi": 61.5})
    assert (Signal.objects.get().trade, Signal.objects.get().reason) == (row(), "crossed")
    assert journalled() == [("record_signal", True), ("open_position", False)]
    assert row().flags == []


def test_other_conditions_never_refuse_the_trade_and_are_flagged() -> None:
    taken({"rsi": 61.5})
    opened(signal_conditions={"rsi": 70})
    assert (Signal.objects.get().conditions, row().flags) == ({"rsi": 61.5}, ["signal_conditions_differ"])


def test_two_trades_of_one_signal_leave_it_with_the_first() -> None:
    for name in ("T1", "T2"):
        opened(name, signal_conditions={"rsi": 61.5})
    assert (Signal.objects.get().trade, row("T2").flags) == (row("T1"), [])


@pytest.mark.parametrize("number", [1e300, 1e16, 10**30, -0.0, 5e-324, 0.1, 1.0, True, None, "1"])
def test_a_number_of_any_size_is_the_same_again(number: Any) -> None:
    first = taken({"n": number, "list": [number, {"deep": number}]})
    assert taken({"n": number, "list": [number, {"deep": number}]}) == first
    assert Signal.objects.count() == 1


def test_two_conditions_of_one_dotted_name_leave_one_number() -> None:
    taken({"a.b": 1, "a": {"b": 2}})
    assert [(one.name, one.value) for one in SignalCondition.objects.all()] == [("a.b", 2.0)]
    assert Signal.objects.get().conditions == {"a.b": 1, "a": {"b": 2}}


def test_a_close_after_the_last_exit_says_what_it_cannot_book_any_more() -> None:
    opened()
    filled("SELL", 2460, 10)
    trade = closed(price=2461, charges=5)
    assert trade.flags == ("close_charges_not_booked", "close_price_differs")
    assert trade.charges is None


def test_a_time_before_the_opening_is_refused_under_its_own_name() -> None:
    opened()
    for call, name in (
        (lambda: closed(exit_time=AT - MINUTE), "exit_time"),
        (lambda: filled("SELL", 2460, 1, at=AT - MINUTE), "at"),
    ):
        with pytest.raises(ValueError, match="before the trade") as refusal:
            call()
        assert refusal.value.field == name  # type: ignore[attr-defined]
