"""The facade under an event loop: awaited, or called plainly."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation

from tests.trading.book import AT, MINUTE
from trading.data_manager import DataManager
from trading.errors import IdConflict
from trading.models import Trade

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]


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
    from django.db import connections

    monkeypatch.setattr(DataManager, "disconnected", lambda _self: connections.close_all(), raising=False)


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
