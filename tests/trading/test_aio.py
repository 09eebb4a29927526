"""The facade under an event loop: awaited, or called plainly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from tests.trading.book import AT, MINUTE
from tests.waiting import PATIENCE_SECONDS
from trading.data_manager import DataManager
from trading.errors import IdConflict
from trading.models import Trade

pytestmark = pytest.mark.usefixtures("ledger", "alone")


def run(work: Any) -> None:
    """Run a strategy's coroutine, and close the connection of the ledger's thread behind it."""

    async def all_of_it() -> None:
        with DataManager() as dm:
            try:
                await work(dm)
            finally:
                await dm.aio.disconnected()

    asyncio.run(all_of_it())


@pytest.fixture(autouse=True)
def disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataManager, "disconnected", lambda _self: connections.close_all(), raising=False)


@pytest.mark.ledger
def test_a_day_is_awaited() -> None:
    async def work(dm: DataManager) -> None:
        opened = await dm.aio.open_position("T1", "orb", "RELIANCE", 100, 10, AT, stop_price=99)
        assert opened.open_quantity == 10
        await dm.aio.add_fill("T1", "SELL", 101, 4, AT + MINUTE)
        assert await dm.aio.update_trailing_sl("T1", "orb", "RELIANCE", 99.5, 101, "atr", at=AT + MINUTE)
        assert (await dm.aio.close_position("T1", "orb", "RELIANCE", 102, AT + 2 * MINUTE)).state == "CLOSED"
        assert (await dm.aio.set_charges("T1", 5, source="note")).charges == 5
        assert (await dm.aio.get_strategy_stats("orb", None))["total_trades"] == 1
        assert await dm.aio.process_tick("RELIANCE", {"ltp": 101.0, "timestamp": AT})
        with pytest.raises(IdConflict):
            await dm.aio.open_position("T1", "orb", "RELIANCE", 100, 11, AT)

    run(work)


def test_the_loop_goes_on_meanwhile_and_calls_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, free = threading.Event(), threading.Event()

    def hold(_self: DataManager) -> bool:
        begun.set()
        return free.wait(30)

    monkeypatch.setattr(DataManager, "hold", hold, raising=False)

    async def work(dm: DataManager) -> None:
        held = asyncio.ensure_future(dm.aio.hold())
        later = [asyncio.ensure_future(dm.aio.open_position(f"T{n}", "orb", "INFY", 100, 1, AT)) for n in range(9)]
        while not begun.is_set():
            await asyncio.sleep(0)
        assert not any(one.done() for one in (held, *later))
        free.set()  # by the loop, which no call keeps waiting
        assert await held
        await asyncio.gather(*later)

    run(work)
    assert list(Trade.objects.order_by("pk").values_list("trade_id", flat=True)) == [f"T{n}" for n in range(9)]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """(begun, free): an opening that has begun and waits for `free` before it writes."""
    begun, free = threading.Event(), threading.Event()
    real = DataManager.open_position

    def open_position(self: DataManager, *arguments: Any) -> Any:
        begun.set()
        assert free.wait(PATIENCE_SECONDS)
        return real(self, *arguments)

    monkeypatch.setattr(DataManager, "open_position", open_position)
    yield begun, free
    free.set()


async def until_set(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0)


def ids() -> list[str]:
    return list(Trade.objects.order_by("pk").values_list("trade_id", flat=True))


ARGUMENTS = ("orb", "INFY", 100, 1, AT)


@pytest.mark.ledger
def test_a_cancelled_call_that_has_begun_ends_first_and_the_same_call_again_answers(slow: Any) -> None:
    begun, free = slow

    async def work(dm: DataManager) -> None:
        call = asyncio.ensure_future(dm.aio.open_position("T1", *ARGUMENTS))
        await until_set(begun)
        for _ in range(2):  # impatience changes nothing
            call.cancel()
            await asyncio.sleep(0)
        is_left = call.done()
        free.set()
        assert not is_left, "it cannot be taken back, so its caller does not go on yet"
        with pytest.raises(asyncio.CancelledError):
            await call
        assert [one.trade_id for one in await dm.aio.get_open_positions()] == ["T1"]
        assert (await dm.aio.open_position("T1", *ARGUMENTS)).open_quantity == 1

    run(work)
    assert ids() == ["T1"]


def test_a_cancelled_call_that_waits_for_its_turn_is_not_carried_out(slow: Any) -> None:
    begun, free = slow

    async def work(dm: DataManager) -> None:
        first = asyncio.ensure_future(dm.aio.open_position("T1", *ARGUMENTS))
        await until_set(begun)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(dm.aio.open_position("T2", *ARGUMENTS), 0.01)
        free.set()
        await first
        assert [one.trade_id for one in await dm.aio.get_open_positions()] == ["T1"]
        assert (await dm.aio.open_position("T2", *ARGUMENTS)).trade_id == "T2"

    run(work)
    assert ids() == ["T1", "T2"]


@pytest.mark.ledger
def test_a_task_group_that_fails_leaves_nothing_under_way(slow: Any) -> None:
    begun, free = slow

    async def work(dm: DataManager) -> None:
        async def fail() -> None:
            await until_set(begun)
            asyncio.get_running_loop().call_later(0.01, free.set)
            raise ValueError("another task's fault")

        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(dm.aio.open_position("T1", *ARGUMENTS))
                tasks.create_task(fail())
        # Asked past the ledger's thread: nothing of the call is left that could still come.
        assert await asyncio.to_thread(in_a_thread, ids) == ["T1"]

    run(work)


def in_a_thread(query: Callable[[], list[str]]) -> list[str]:
    try:
        return query()
    finally:
        connections.close_all()


@pytest.mark.ledger
def test_a_loop_that_ends_lets_the_call_end_first(slow: Any) -> None:
    begun, free = slow

    async def work() -> None:
        dm = DataManager()
        asyncio.ensure_future(dm.aio.open_position("T1", *ARGUMENTS))  # noqa: RUF006 (nobody awaits it: that is the case)
        await until_set(begun)
        threading.Timer(0.05, free.set).start()

    asyncio.run(work())
    assert ids() == ["T1"]
    asyncio.run(DataManager().aio.disconnected())


def test_a_cancelled_read_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    monkeypatch.setattr(DataManager, "hold", lambda _self: free.wait(PATIENCE_SECONDS), raising=False)

    async def work(dm: DataManager) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(dm.aio.hold(), 0.01)
        assert not free.is_set()
        free.set()

    run(work)


def test_a_plain_call_from_a_running_loop_is_no_fault() -> None:
    async def work(dm: DataManager) -> None:
        with pytest.raises(SynchronousOnlyOperation):
            Trade.objects.count()  # what the plain calls below would run into
        dm.open_position("T1", "orb", "RELIANCE", 100, 10, AT)
        dm.add_fill("T1", "SELL", 101, 15, AT + MINUTE, fill_id="B1", flip_to="T2")
        dm.update_trailing_sl("T2", "orb", "RELIANCE", 103, 101, "atr", at=AT + MINUTE)
        dm.record_signal("orb", "RELIANCE", AT, {"rsi": 1}, decision="SKIPPED")
        dm.set_charges("T2", 5, source="note")
        assert dm.close_position("T2", "orb", "RELIANCE", 99, AT + 2 * MINUTE).realised_pnl == 10
        assert len(dm.get_trades()) == 2
        assert dm.get_open_positions() == []
        assert dm.get_daily_summary()["total"]["total_trades"] == 2

    run(work)


def test_what_is_no_method_is_none_of_the_awaited() -> None:
    with DataManager() as dm:
        for name in ("source", "_begin", "nothing"):
            with pytest.raises(AttributeError):
                getattr(dm.aio, name)
        assert "open_position" in dir(dm.aio)
