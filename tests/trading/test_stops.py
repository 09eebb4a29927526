"""Stops as a strategy says them, and says them again: after a kill, in a replay, late, within one instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading.errors import InvalidValue, TradeClosed
from trading.models import Journal, StopChange, Trade
from trading.operations import update_trailing_sl as module
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.update_trailing_sl import update_trailing_sl

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]

AT = datetime(2021, 4, 12, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)
# Two prices within one second, as real ticks have them, and a stop that is said again without having moved.
WALK = [(2441, 0), (2442, 0), (2442, 1), (2444, 3), (2444, 5), (2447, 7), (2448, 7)]


def opened(**more: Any) -> None:
    said = {"entry_price": 2450, "quantity": 10, "entry_time": AT, **more}
    open_position("main", "T1", "ema", "RELIANCE", **said)


def stop(price: Any, second: float, method: str = "atr") -> bool:
    return update_trailing_sl("main", "T1", "ema", "RELIANCE", price, 2460, method, at=AT + second * SECOND)


def rows() -> list[tuple[Decimal, float]]:
    return [(change.stop_price, (change.at - AT) / SECOND) for change in StopChange.objects.order_by("at", "pk")]


def as_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROCESS_BEGAN", datetime.now(UTC))


@pytest.mark.parametrize("said", range(1, len(WALK) + 1))
def test_a_walk_that_was_killed_and_is_said_again_leaves_what_an_undisturbed_one_leaves(
    said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(stop_price=2440)
    for price, second in WALK[:said]:
        assert stop(price, second)
    as_another_process(monkeypatch)
    for price, second in WALK:
        assert stop(price, second)
    assert rows() == [(2441, 0), (2442, 0), (2444, 3), (2447, 7), (2448, 7)]
    assert Trade.objects.get().stop_price == 2448
    assert Trade.objects.get().flags == []
    assert Journal.objects.filter(operation="update_trailing_sl").count() == 5


def test_a_walk_said_again_after_the_close_answers_and_writes_nothing() -> None:
    opened(stop_price=2440)
    for price, second in WALK:
        stop(price, second)
    close_position("main", "T1", "ema", "RELIANCE", exit_price=2448, exit_time=AT + 9 * SECOND)
    before = (rows(), Journal.objects.count())
    for price, second in WALK:
        assert stop(price, second)
    assert (rows(), Journal.objects.count()) == before
    assert stop(2448, 10)  # unchanged: a whole day's script may be run again
    with pytest.raises(TradeClosed):
        stop(2449, 8)


def test_a_late_stop_is_kept_where_it_belongs_and_does_not_move_what_stands_now() -> None:
    opened(stop_price=2440)
    stop(2441, 1)
    stop(2445, 5)
    assert stop(2443, 3)
    assert rows() == [(2441, 1), (2443, 3), (2445, 5)]
    assert (Trade.objects.get().stop_price, Trade.objects.get().flags) == (2445, [])
    assert stop(2441, 2), "what stood then"
    assert len(rows()) == 3


def test_back_and_forth_within_one_instant_takes_a_microsecond_each_time() -> None:
    opened()
    for price in (2441, 2442, 2441, 2442, 2442):
        assert stop(price, 1)
    microsecond = 1e-6
    assert [(price, round((second - 1) / microsecond)) for price, second in rows()] == [
        (2441, 0), (2442, 0), (2441, 1), (2442, 2),
    ]  # fmt: skip
    assert Trade.objects.get().stop_price == 2442
    assert Trade.objects.get().flags == ["stop_moved_back"]


def test_a_stop_before_the_opening_is_refused_even_when_it_would_change_nothing() -> None:
    opened(stop_price=2440)
    for price in (2440, 2441):
        with pytest.raises(InvalidValue) as refusal:
            stop(price, -1)
        assert refusal.value.field == "at"
    assert rows() == []
