"""Feeds over a child process that prints an SDK's dicts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.meta.test_house_rules import PACKAGES, ROOT, imported, sources
from tests.trading.live.test_connection import QUICK, points, until
from trading.data_manager import DataManager
from trading.errors import InvalidValue
from trading.feeds.live import child_line
from trading.feeds.live.child_line import command_of, must_have_sdk
from trading.feeds.live.connection import ConnectionPatience, FeedConnection
from trading.feeds.live.decoded import FeedInstrument
from trading.feeds.live.feeds import FEEDS, connection_of
from trading.feeds.live.order_booking import OrderBooking

pytestmark = pytest.mark.usefixtures("ledger", "alone")
NOW = int(time.time()) - 60
FYERS = [
    {"symbol": "NSE:SBIN-EQ", "ltp": 800.1, "vol_traded_today": volume, "exch_feed_time": NOW + volume, "type": "sf"}
    for volume in range(1, 4)
]
IB = [
    {"symbol": "AAPL", "last": 190.1, "lastSize": 1, "volume": volume, "bid": float("nan"), "ask": 190.2}
    | {"time": datetime.fromtimestamp(NOW + volume, UTC).isoformat()}
    for volume in range(1, 4)
]
DICTS: dict[str, Any] = {"fyers": FYERS, "ib": IB}
LISTINGS: dict[str, Any] = {
    "fyers": {"NSE:SBIN-EQ": FeedInstrument("SBIN", 1, 20)},
    "ib": {"AAPL": FeedInstrument("AAPL", 1, 100)},
}


def odd_lines(feed: str) -> list[str]:
    return [*map(json.dumps, DICTS[feed]), "{", "5", '{"symbol": "OTHER", "x": 1}']


def run_child(
    feed: str, file: Path, script: Sequence[tuple[list[str], str]], ends: Any, patience: ConnectionPatience = QUICK
) -> FeedConnection:
    """Record from a child that plays a script (`child.py`) until a condition holds."""
    file.write_text(json.dumps(script))
    command = [sys.executable, str(Path(__file__).with_name("child.py")), str(file)]

    async def run(connection: FeedConnection) -> None:
        task = asyncio.create_task(connection.run())
        await until(lambda: ends(connection) or task.done())
        connection.stop.set()
        await task

    with DataManager(source=feed) as dm:
        booking = OrderBooking("main", [], {})
        connection = connection_of(FEEDS[feed], dm, LISTINGS[feed], booking, times=None, any_time=True, command=command)
        connection.patience = patience
        asyncio.run(run(connection))
    return connection


@pytest.mark.parametrize("feed", DICTS)
def test_the_dicts_of_a_child_are_recorded_and_odd_lines_counted(feed: str, tmp_path: Path) -> None:
    connection = run_child(feed, tmp_path / "dicts", [(odd_lines(feed), "hang")], lambda c: c.recorder.messages == 6)
    price, symbol = (800.1, "SBIN") if feed == "fyers" else (190.1, "AAPL")
    assert points(symbol, feed) == [(price, 1), (price, 2), (price, 3)]
    assert (connection.recorder.damaged, connection.recorder.left_out) == ({"unreadable": 2}, {"not_listed": 1})
    assert json.loads((tmp_path / "dicts.starts").read_text()) == list(LISTINGS[feed])


def test_a_child_that_dies_is_started_again_and_its_half_line_is_nothing(tmp_path: Path) -> None:
    lines = odd_lines("fyers")
    connection = run_child(
        "fyers", tmp_path / "dicts", [(lines, "die")] * 2 + [(lines, "hang")],
        lambda c: c.connections == 3 and c.recorder.messages >= 18,
    )  # fmt: skip
    # Each start told three quotes, of which the first is not the newest that is recorded.
    assert [volume for _, volume in points("SBIN", "fyers")] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [gap["reason"] for gap in connection.recorder.gaps] == ["cut", "cut"]


def test_a_child_that_says_nothing_is_ended_and_started_again(tmp_path: Path) -> None:
    patience = ConnectionPatience(0.4, 60.0, 0.01, 0.02)
    script = [(odd_lines("fyers"), "hang")]
    connection = run_child("fyers", tmp_path / "dicts", script, lambda c: len(c.recorder.gaps) == 1, patience)
    assert connection.recorder.gaps[0]["reason"] == "silent"


def test_a_line_that_is_closed_ends_what_is_behind_the_child_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_line, "CLOSE_SECONDS", 0.2)
    talks = (
        "import os, time\nprint(os.getpid(), flush=True)\nwhile True:\n    print(1, flush=True)\n    time.sleep(0.02)"
    )
    command = ["/bin/sh", "-c", '"$@"; exit', "sh", sys.executable, "-c", talks]  # an interpreter behind a script

    async def play() -> int:
        heard = 0
        async with child_line.child_line(command, {}, "") as line:
            messages = line.messages()
            pid = int(await anext(messages))
            await line.close()
            async for _ in messages:
                heard += 1
                if heard == 100:
                    os.kill(pid, signal.SIGKILL)
        return heard

    assert asyncio.run(play()) < 100


def test_a_child_without_its_sdk_says_what_to_install(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    patience = ConnectionPatience(60.0, 60.0, 0.01, 0.02)  # or on a slow machine its silence ends it before it speaks
    run_child("fyers", tmp_path / "dicts", [([], "none")], lambda c: c.recorder._cut is not None, patience)
    assert "pip install fyers-apiv3" in "".join(capfd.readouterr())
    with pytest.raises(InvalidValue, match="needs the package fyers_apiv3"):
        must_have_sdk("fyers", None)
    must_have_sdk("fyers", "/opt/fyers/bin/python")


@pytest.mark.parametrize("feed", DICTS)
def test_the_real_child_ends_with_its_own_code_where_the_sdk_is_not_there(feed: str) -> None:
    done = subprocess.run(command_of(feed, None), input=b"[]\n", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b"")


def test_only_a_child_imports_an_sdk_and_nothing_imports_a_child() -> None:
    sdks = ("fyers_apiv3", "ib_async", "kiteconnect", "SmartApi", "dhanhq", "upstox_client")
    users = {
        path.relative_to(ROOT).as_posix()
        for path in sources(*PACKAGES)
        if any(name.startswith(sdks) for name in imported(path))
    }
    assert users == {f"trading/feeds/live/children/{feed}_child.py" for feed in DICTS}
    assert not any("children" in name for path in sources(*PACKAGES) for name in imported(path))
