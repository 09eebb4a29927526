"""A feed on its worst days: cut, silent, frozen, damaged, refused; the spool has what came, each once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.trading.live import encoders as pack
from tests.trading.live.broker import FakeBroker, Script, broker
from tests.trading.live.frames import LISTING
from trading.data_manager import DataManager
from trading.errors import InvalidValue
from trading.feeds.live.connection import ConnectionPatience, FeedConnection
from trading.feeds.live.feeds import FEEDS, connection_of
from trading.feeds.live.order_booking import OrderBooking
from trading.feeds.live.socket_line import must_be_safe

pytestmark = pytest.mark.usefixtures("ledger", "alone")
SECRETS = {name: f"secret-{name.lower()}" for feed in FEEDS.values() for name in feed.credentials}
QUICK = ConnectionPatience(silent_seconds=5.0, frozen_seconds=5.0, first_pause_seconds=0.01, longest_pause_seconds=0.02)
NOW = int(time.time()) - 60  # when the feed's quotes are of


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


def full(volume: int, price: int = 157370, second: int | None = None) -> bytes:
    return pack.kite_message(pack.kite_full(408065, price, 1, volume, NOW + volume if second is None else second))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def run_feed(
    script: Script,
    ends: Callable[[FeedConnection, FakeBroker], bool],
    *,
    feed: str = "kite",
    patience: ConnectionPatience = QUICK,
    is_trading: bool = True,
) -> tuple[FeedConnection, FakeBroker]:
    """Record from a broker that plays a script until a condition holds; return both as they were then."""
    keys: Any = {"kite": [408065, 256265, 412675], "angel": ["1:1594"], "dhan": ["1:1333"]}
    listing = {key: LISTING[key] for key in keys.get(feed, ["NSE_EQ|INE009A01021"])}

    async def run(connection: FeedConnection) -> FakeBroker:
        async with broker(script, subscriptions=2 if feed == "kite" else 1) as fake:
            connection.url = fake.url
            task = asyncio.create_task(connection.run())
            await until(lambda: ends(connection, fake) or task.done())
            connection.stop.set()
            await task
        return fake

    with DataManager(source=feed) as dm:
        booking = OrderBooking("main", [], {})
        connection = connection_of(FEEDS[feed], dm, listing, booking, times="utc", any_time=True)
        connection.patience = patience
        if not is_trading:
            connection.recorder.is_trading = lambda _: False
        return connection, asyncio.run(run(connection))


def points(symbol: str = "INFY", source: str = "kite") -> list[tuple[float, int | None]]:
    with DataManager(source="reader") as dm:
        start = datetime.now(UTC) - timedelta(days=2)
        table = dm.get_ticks(symbol, start, start + timedelta(days=3), source=source)
    return list(zip(table["close"].to_pylist(), table["day_volume"].to_pylist(), strict=True))


async def forever(connection: ServerConnection) -> None:
    await connection.wait_closed()


FIRST = {
    "kite": (full(1), {"a": "subscribe", "v": [408065, 256265, 412675]}),
    "angel": (
        pack.angel_snap(1, "1594", NOW * 1000, 157370, 1, 1),
        {
            "correlationID": "velox",
            "action": 1,
            "params": {"mode": 3, "tokenList": [{"exchangeType": 1, "tokens": ["1594"]}]},
        },
    ),
    "dhan": (
        pack.dhan_full(1, 1333, 2453.05, 1, NOW, 1),
        {
            "RequestCode": 21,
            "InstrumentCount": 1,
            "InstrumentList": [{"ExchangeSegment": "NSE_EQ", "SecurityId": "1333"}],
        },
    ),
    "upstox": (
        pack.upstox_message(
            NOW * 1000,
            **{"NSE_EQ|INE009A01021": pack.upstox_full(pack.upstox_ltpc(1573.7, NOW * 1000, 1), 1)},
        ),
        {"guid": "velox", "method": "sub", "data": {"mode": "full", "instrumentKeys": ["NSE_EQ|INE009A01021"]}},
    ),
}


@pytest.mark.parametrize("feed", FIRST)
def test_each_feed_is_subscribed_to_and_recorded(feed: str) -> None:
    frame, subscription = FIRST[feed]

    async def script(connection: ServerConnection, number: int) -> None:
        await connection.send(frame)
        await forever(connection)

    _, fake = run_feed(script, lambda c, _: c.recorder.recorded == 1, feed=feed)
    assert fake.subscriptions[0] == subscription
    sent = fake.paths[0] + json.dumps(fake.headers[0])
    assert all(SECRETS[name] in sent for name in FEEDS[feed].credentials)
    symbol = "HDFCBANK" if feed == "dhan" else "INFY"
    assert points(symbol, feed) == [(2453.05 if feed == "dhan" else 1573.7, 1)]


def test_the_snapshot_of_a_new_subscription_adds_no_point_and_the_cut_is_a_gap_by_name() -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        if number == 1:
            await connection.send(full(1))
            await connection.send(full(2))
            return  # the server goes away
        await connection.send(full(2))  # what every subscription begins with
        await connection.send(full(3))
        await connection.send(full(3))  # and this came twice: it is kept as it came
        await forever(connection)

    connection, _ = run_feed(script, lambda c, _: c.recorder.recorded == 4)
    assert points() == [(1573.7, 1), (1573.7, 2), (1573.7, 3), (1573.7, 3)]
    counts = connection.recorder.counts()
    assert (counts["repeated"], [gap["reason"] for gap in counts["gaps"]]) == (1, ["cut"])


def test_a_restart_knows_what_was_recorded_before() -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await connection.send(full(1))
        await connection.send(pack.kite_message(pack.kite_ltp(256265, 2400005)))  # which carries no time
        await forever(connection)

    def whole(connection: FeedConnection, _: FakeBroker) -> bool:
        return connection.recorder.messages == 2

    run_feed(script, whole)
    again, _ = run_feed(script, whole)
    assert (again.recorder.recorded, again.recorder.repeated) == (0, 2)
    assert (len(points()), len(points("NIFTY 50"))) == (1, 1)


def test_a_restart_knows_it_whoever_else_records_the_symbol_later() -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await connection.send(full(1))
        await forever(connection)

    def whole(connection: FeedConnection, _: FakeBroker) -> bool:
        return connection.recorder.messages == 1

    run_feed(script, whole)
    with DataManager(source="strategy") as dm:
        assert dm.process_tick("INFY", {"ltp": 1573.8})
    again, _ = run_feed(script, whole)
    assert (again.recorder.recorded, again.recorder.repeated) == (0, 1)
    assert len(points()) == 1


def test_a_storm_of_reconnections_loses_and_doubles_nothing() -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await connection.send(full(max(1, number - 1)))
        await connection.send(full(number))
        if number >= 15:
            await forever(connection)

    connection, _ = run_feed(script, lambda c, _: c.connections >= 15 and c.recorder.messages >= 30)
    assert [volume for _, volume in points()] == [1, 1, *range(2, 16)]  # the first connection told its first twice
    assert {gap["reason"] for gap in connection.recorder.gaps} == {"cut"}


def test_half_frames_are_counted_and_the_stream_goes_on() -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        for volume in range(1, 4):
            await connection.send(full(volume)[: 60 * volume])
            await connection.send(full(volume))
        await connection.send("{")
        await connection.send(b"\0")
        await forever(connection)

    connection, _ = run_feed(script, lambda c, _: c.recorder.messages == 8)
    assert [volume for _, volume in points()] == [1, 2, 3]
    assert connection.recorder.damaged == {"cut": 3, "unreadable": 1}
    assert connection.connections == 1


@pytest.mark.parametrize("reason", ["silent", "frozen"])
def test_a_feed_that_says_nothing_new_is_connected_again(reason: str) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await connection.send(full(number))
        if number == 1 and reason == "frozen":
            while True:
                await connection.send(full(1))
                await connection.send(b"\0")
                await asyncio.sleep(0.02)
        await forever(connection)

    patience = ConnectionPatience(0.4, 0.4 if reason == "frozen" else 60.0, 0.01, 0.02)
    connection, _ = run_feed(script, lambda c, _: c.connections == 2 and bool(c.recorder.gaps), patience=patience)
    assert [gap["reason"] for gap in connection.recorder.gaps] == [reason]
    assert points()[-1] == (1573.7, 2)


@pytest.mark.parametrize(("feed", "reasons"), [("kite", ["silent"]), ("dhan", [])])
def test_before_the_session_only_a_feed_with_a_heartbeat_is_silent(feed: str, reasons: list[str]) -> None:
    began = time.monotonic()

    async def script(connection: ServerConnection, number: int) -> None:
        await connection.send(FIRST[feed][0])
        await forever(connection)

    def ends(connection: FeedConnection, fake: FakeBroker) -> bool:
        connection.is_trading = lambda _: False
        return time.monotonic() - began > 1.5 if feed == "dhan" else fake.connections == 2

    patience = ConnectionPatience(0.4, 60.0, 0.01, 0.02)
    connection, _ = run_feed(script, ends, feed=feed, patience=patience)
    assert [connection.recorder._cut[1]] == reasons if connection.recorder._cut else reasons == []


def test_a_price_that_moves_is_not_frozen_however_often_it_comes_back() -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        for step in range(60):
            await connection.send(full(1, 157370 + step % 2, NOW))
            await asyncio.sleep(0.02)
        await forever(connection)

    patience = ConnectionPatience(0.4, 0.4, 0.01, 0.02)
    connection, _ = run_feed(script, lambda c, _: c.recorder.recorded == 60, patience=patience)
    assert connection.connections == 1


def test_credentials_that_are_refused_are_read_anew_and_never_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        monkeypatch.delenv("KITE_ACCESS_TOKEN", raising=False)
        if number == 1:
            return
        await connection.send(full(1))
        await forever(connection)

    def ends(connection: FeedConnection, fake: FakeBroker) -> bool:
        if connection.recorder._cut is not None:
            monkeypatch.setenv("KITE_ACCESS_TOKEN", "another-word")
        return connection.recorder.recorded == 1

    _, fake = run_feed(script, ends)
    assert "another-word" in fake.paths[-1]
    output = "".join(capfd.readouterr())
    assert "secret-" not in output
    assert "another-word" not in output


def test_outside_the_session_a_quote_without_a_time_is_yesterdays() -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        await connection.send(pack.kite_message(pack.kite_ltp(408065, 157370)))
        await connection.send(full(1))
        await forever(connection)

    connection, _ = run_feed(script, lambda c, _: c.recorder.messages == 2, is_trading=False)
    assert connection.recorder.left_out == {"no_session": 1}
    assert len(points()) == 1


@pytest.mark.parametrize("url", ["ws://ws.kite.trade", "http://127.0.0.1", "ws://127.0.0.1.example.org"])
def test_credentials_are_sent_over_no_network_in_the_clear(url: str) -> None:
    with pytest.raises(InvalidValue):
        must_be_safe(url)
