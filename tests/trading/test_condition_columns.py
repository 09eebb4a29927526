"""Conditions as columns are those that stand by themselves in the ledger, whatever their objects hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from trading.models import Account, Realisation, Signal, SignalCondition
from trading.operations.close_position import close_position
from trading.operations.create_account import create_account
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.queries.condition_columns import numbers_of, recorded_conditions
from trading.queries.statistics import Cut

pytestmark = pytest.mark.ledger
OPENED = datetime(2021, 4, 12, 4, tzinfo=UTC)
ALIKE: list[Mapping[str, Any]] = [
    {"rsi": 61.3, "up": True, "said": 'a "b"\n,', "levels": [1, 2.5]},
    {"rsi": 1 / 3, "up": False, "day": "2021-04-12", "trend": {"fast": 3, "slow": {"steep": True}}},
    {"rsi": 2**53 + 1, 'odd, "name"\'%s': -0.0, "none": None},
    {"rsi": 12345678901234567890123, "trend": {"slow": {"steep": False}}},
    {"large": 1e300, "near": 9.99e299, "small": 5e-324, "": 3, "x" * 255: 1, "y" * 256: 1},
    {},
]
MIXED: dict[str, list[Mapping[str, Any]]] = {
    "alike": ALIKE,
    "a word and a number": [{"rsi": 61}, {"rsi": "high"}, {"rsi": 3.5}],
    "a truth and a number": [{"up": True}, {"up": 1}],
    "an object and a number": [{"a": {"b": 1}}, {"a": 2}],
    "one name of two paths": [{"a.b": 1, "a": {"b": 2}}, {"a": {"b": 3}, "a.b": 4}],
    "a list of anything": [{"seen": [1, "x"]}, {"rsi": 1}],
}


@pytest.mark.parametrize("objects", MIXED.values(), ids=MIXED)
def test_conditions_as_columns_are_the_rows_of_the_ledger(ledger: Any, objects: list[Mapping[str, Any]]) -> None:
    keys = [traded(number, conditions) for number, conditions in enumerate(objects)]
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=1, capital_date="2000-01-01")
    for number, conditions in enumerate(objects):  # of another account, and of no trade
        traded(number, {"rsi": -1.0}, account="paper")
        at = OPENED + timedelta(days=9, minutes=number)
        record_signal("main", "one", "SBIN", at, dict(conditions), decision="SKIPPED")
    assert conditions_of(keys) == rows_of(keys)


def test_of_two_signals_that_led_to_a_trade_the_first_one_stands(ledger: Any) -> None:
    key = traded(0, {"rsi": 61.5, "up": True})
    earlier = OPENED - timedelta(minutes=3)
    record_signal("main", "one", "SBIN", earlier, {"rsi": 40.25, "wide": 2}, decision="TAKEN")
    Signal.objects.filter(at=earlier).update(trade=key)
    assert conditions_of([key]) == {"rsi": {key: 40.25}, "up": {key: 1.0}, "wide": {key: 2.0}}


def test_conditions_of_some_exits_are_those_of_their_trades(ledger: Any) -> None:
    keys = [traded(number, {"rsi": number + 0.5, "up": number % 2 == 0}) for number in range(4)]
    some = Realisation.objects.filter(trade__in=keys[1:3])
    recorded = recorded_conditions(Cut(Account.objects.get(code="main")), some)
    assert sorted(recorded["rsi"][0].tolist()) == keys[1:3]
    assert np.isnan(numbers_of(np.array(keys), recorded)["up"][[0, 3]]).all()


def traded(number: int, conditions: Mapping[str, Any], *, account: str = "main") -> int:
    """Book a trade that a signal led to; return its key."""
    at = OPENED + timedelta(minutes=number)
    bought: dict[str, Any] = {"entry_price": 500, "quantity": 3, "entry_time": at}
    open_position(account, f"T{number}", "one", "SBIN", signal_conditions=dict(conditions), **bought)
    close_position(account, f"T{number}", "one", "SBIN", exit_price=499, exit_time=at + timedelta(minutes=1))
    return int(Realisation.objects.get(account__code=account, trade__trade_id=f"T{number}").trade_id)


def conditions_of(keys: list[int]) -> dict[str, dict[int, float]]:
    columns = numbers_of(np.array(sorted(keys)), recorded_conditions(Cut(Account.objects.get(code="main"))))
    by_name = {name: zip(sorted(keys), column.tolist(), strict=True) for name, column in columns.items()}
    return {name: {key: number for key, number in column if number == number} for name, column in by_name.items()}


def rows_of(keys: list[int]) -> dict[str, dict[int, float]]:
    """Return the conditions of the trades' signals as the ledger's rows have them."""
    by_name: dict[str, dict[int, float]] = {}
    rows = SignalCondition.objects.filter(signal__trade__in=keys)
    for name, key, number in rows.values_list("name", "signal__trade", "value"):
        by_name.setdefault(name, {})[key] = number
    return by_name
