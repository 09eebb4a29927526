"""Each feed through one day of all that can go wrong with a connection: the spool has each quote that it told, once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.trading.live import encoders as pack
from tests.trading.live import test_connection
from tests.trading.live.broker import FakeBroker
from tests.trading.live.test_children import run_child
from tests.trading.live.test_connection import NOW, forever, full, points, run_feed
from trading.feeds.live.connection import ConnectionPatience, FeedConnection

pytestmark = pytest.mark.usefixtures("ledger", "alone")
PATIENCE = ConnectionPatience(
    silent_seconds=1.0, frozen_seconds=1.0, first_pause_seconds=0.01, longest_pause_seconds=0.02
)
secrets = test_connection.secrets  # the fixture
UPSTOX = "NSE_EQ|INE009A01021"
STORM = 6


def upstox(volume: int) -> bytes:
    ltpc = pack.upstox_ltpc(1573.7, (NOW + volume) * 1000, 1)
    return pack.upstox_message(NOW * 1000, **{UPSTOX: pack.upstox_full(ltpc, volume)})


FRAMES: dict[str, Callable[[int], bytes]] = {
    "kite": full,
    "angel": lambda volume: pack.angel_snap(1, "1594", (NOW + volume) * 1000, 157370, 1, volume),
    "dhan": lambda volume: pack.dhan_full(1, 1333, 2453.05, 1, NOW + volume, volume),
    "upstox": upstox,
}
TALK: dict[str, bytes | str] = {  # what a feed says without a quote
    "kite": b"\0",
    "angel": "pong",
    "dhan": pack.dhan(5, 1, 1333, pack.le(12, 4)),
    "upstox": pack.upstox_message(NOW * 1000),
}
SYMBOLS = {"kite": "INFY", "angel": "INFY", "dhan": "HDFCBANK", "upstox": "INFY", "fyers": "SBIN", "ib": "AAPL"}


def volumes(feed: str) -> list[int | None]:
    return [volume for _, volume in points(SYMBOLS[feed], feed)]


def must_be_the_truth(feed: str, connection: FeedConnection, last: int, frozen: int) -> None:
    """See each quote in the spool once; of the one that a frozen feed repeated, as many as came."""
    runs = [(volume, len(list(run))) for volume, run in groupby(volumes(feed))]
    assert [volume for volume, _ in runs] == list(range(1, last + 1))
    assert {volume for volume, count in runs if count > 1} <= {frozen}
    recorder = connection.recorder
    assert [gap["reason"] for gap in recorder.gaps] == ["silent", "frozen", *["cut"] * STORM]
    assert recorder.repeated == connection.connections - 1
    assert sum(recorder.damaged.values()) == 1
    assert recorder.recorded == sum(count for _, count in runs)


@pytest.mark.parametrize("feed", FRAMES)
def test_silence_frozen_prices_half_frames_and_a_storm_of_cuts_lose_and_double_nothing(feed: str) -> None:
    frame = FRAMES[feed]

    async def script(connection: ServerConnection, number: int) -> None:
        with_snapshot = (frame(number), frame(number + 1))  # what every subscription begins with, and one more
        for message in (frame(1), frame(1)[:-3], frame(2)) if number == 1 else with_snapshot:
            await connection.send(message)
        if number == 2:  # the feed talks, and no quote moves
            while True:
                await connection.send(frame(3))
                await connection.send(TALK[feed])
                await asyncio.sleep(0.02)
        if number not in range(3, 3 + STORM):
            await forever(connection)

    def is_over(connection: FeedConnection, fake: FakeBroker) -> bool:
        return fake.connections == 3 + STORM and len(connection.recorder.gaps) == 2 + STORM

    connection, _ = run_feed(script, is_over, feed=feed, patience=PATIENCE)
    must_be_the_truth(feed, connection, 4 + STORM, frozen=3)


def line(feed: str, volume: int) -> str:
    if feed == "fyers":
        return json.dumps(
            {"symbol": "NSE:SBIN-EQ", "ltp": 800.1, "vol_traded_today": volume, "exch_feed_time": NOW + volume}
        )
    at = datetime.fromtimestamp(NOW + volume, UTC).isoformat()
    return json.dumps({"symbol": "AAPL", "last": 190.1, "lastSize": 1, "volume": volume, "time": at})


@pytest.mark.parametrize("feed", ["fyers", "ib"])
def test_a_child_that_hangs_freezes_and_dies_again_and_again_loses_and_doubles_nothing(
    feed: str, tmp_path: Path
) -> None:
    first = [line(feed, 1), line(feed, 1)[:-3], line(feed, 2)]
    after = [[line(feed, number), line(feed, number + 1)] for number in range(2, 4 + STORM)]
    ends = ["freeze", *["die"] * STORM, "hang"]
    script: list[Any] = [(first, "hang"), *zip(after, ends, strict=True)]
    patience = ConnectionPatience(3.0, 3.0, 0.01, 0.02)  # a start of Python is slower than a socket
    connection = run_child(feed, tmp_path / "dicts", script, lambda c: len(c.recorder.gaps) == 2 + STORM, patience)
    must_be_the_truth(feed, connection, 4 + STORM, frozen=3)
