"""Provisional fills whose recorder is killed before, between and behind their real trades: each fill is there once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from websockets.asyncio.server import ServerConnection

from tests.companions import ended_afterwards
from tests.conftest import Ledger
from tests.trading.live import test_record_command
from tests.trading.live.broker import broker, trades_of_day
from tests.trading.live.test_orders import FULL, booked, booking, money, trade, update
from tests.trading.live.test_record_command import recorder
from trading.feeds.live import order_booking
from trading.feeds.live.order_log import OrderLog
from trading.models import BrokerFill, Fill, Journal

instruments = test_record_command.instruments  # the fixture
REAL = [trade(number, *each) for number, each in enumerate(FULL, 1)]
TRUTH = sorted(("BUY", Decimal(count), Decimal(price)) for count, price in FULL)


def provisional() -> int:
    return Fill.objects.exclude(trade__state="VOID").filter(fill_id__startswith="order-").count()


class Killed(BaseException):
    """What is thrown where a process would be killed."""


@pytest.mark.ledger
@pytest.mark.usefixtures("proved", "alone")
@pytest.mark.parametrize("way", ["rest", "file"])
@pytest.mark.parametrize("seed", range(3))
def test_each_step_that_a_kill_may_come_before_or_behind_is_gone_over_again(
    way: str, seed: int, tmp_path: Path
) -> None:
    """Killed as an update is on disk, as fills are booked, as the broker is asked, as its trades are booked."""
    chance, kills, trades = random.Random(seed), 0, list[Any]()
    file, log = tmp_path / "trades.json", OrderLog(tmp_path / "feeds", "kite")

    def at_risk(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            nonlocal kills
            moment = chance.choice(["before", "behind", "never"]) if kills < 6 else "never"
            kills += moment != "never"
            if moment == "before":
                raise Killed
            answer = call(*arguments, **keywords)
            if moment == "behind":
                raise Killed
            return answer

        return wrapped

    def life(*states: Any) -> None:
        """Start a recorder, which takes the updates that are on disk, gets some more, and settles; until it lives."""
        waiting = list(states)
        while True:
            desk = booking(trades if way == "rest" else None, log=log)
            try:
                desk.begin()
                while waiting:
                    desk.offer(waiting.pop(0))  # the broker tells each once
                assert desk.settle()
                if way == "file":
                    file.write_text(json.dumps({"status": "success", "data": trades}))
                    if trades:
                        call_command("broker_import", str(file), stdout=StringIO())
                return
            except Killed:
                continue

    with ExitStack() as stack:
        for name in ("import_fills", "import_files"):
            stack.enter_context(patch.object(order_booking, name, at_risk(getattr(order_booking, name))))
        life(update(FULL[:1]), update(FULL[:2]))
        assert money() == sum(count * Decimal(price) for count, price in FULL[:2])
        trades += REAL[:1]  # the interface lags behind
        life(update(FULL, status="COMPLETE"), update(FULL[:1]))
        assert money() == sum(count * Decimal(price) for count, price in FULL)
        trades += REAL[1:]
        life(update(FULL, status="COMPLETE"))
        life()
    assert kills > 2
    assert sorted(booked()) == TRUTH
    assert BrokerFill.objects.filter(kind="trade").count() == len(FULL)
    for number in range(1, len(FULL) + 1):
        assert Fill.objects.filter(fill_id=str(number)).exclude(trade__state="VOID").count() == 1
    # Nothing was changed in silence: what gave way stands in the journal, with the trade that it was of.
    gone = Fill.objects.filter(fill_id__startswith="order-")
    assert gone.exists()
    bodies = " ".join(Journal.objects.values_list("body", flat=True))
    assert all(each.fill_id in bodies and each.trade.state == "VOID" for each in gone)


@pytest.mark.usefixtures("ledger")
def test_the_recorder_itself_is_killed_between_fills_and_their_trades(ledger: Ledger, instruments: Path) -> None:
    trades: list[Any] = []

    async def script(connection: ServerConnection, number: int) -> None:
        for state in [update(FULL[:2]), update(FULL[:1])] if number == 1 else []:
            await connection.send(json.dumps({"type": "order", "data": state}))
        await connection.wait_closed()

    async def when(condition: Callable[[], bool], process: Any) -> None:
        while not await asyncio.to_thread(condition):
            assert process.poll() is None, process.communicate()

    async def run(url: str) -> None:
        options = ("--trades-url", url, "--strategy", "bot")
        async with broker(script, subscriptions=2) as fake:
            with recorder(ledger, instruments, "--url", fake.url, *options) as process:
                await when(lambda: provisional() > 0, process)
                process.kill()
            trades[:] = REAL  # the order is filled while nobody records it
            with recorder(ledger, instruments, "--url", fake.url, *options) as process:
                await when(lambda: len(booked()) == 3, process)
                process.kill()

    with ended_afterwards(), trades_of_day(trades) as url:
        asyncio.run(run(url))
    assert (sorted(booked()), provisional()) == (TRUTH, 0)
