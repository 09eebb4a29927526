"""Dicts of brokers' SDKs to quotes, and that no other place knows their keys."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.trading.live.frames import LISTING, MS, SECOND
from timeseries.recording.tick import KEYS
from timeseries.spool.feed_keys import ALIASES, FEEDS
from trading.feeds.live.decoded import FeedInstrument
from trading.feeds.live.dicts import decode, decode_line

NS = 10**9
INFY = {"ltp": 1573.7, "day_volume": 1192471, "last_quantity": 7}
KITE = {
    "tradable": True,
    "mode": "full",
    "instrument_token": 408065,
    "last_price": 1573.7,
    "last_traded_quantity": 7,
    "volume_traded": 1192471,
    "ohlc": {"open": 1569.15, "high": 1575.0, "low": 1561.05, "close": 1567.8},
    "change": 0.37,
    "oi": 12,
    "depth": {
        "buy": [{"quantity": 5, "price": 1573.4, "orders": 1}],
        "sell": [{"quantity": 0, "price": 0.0, "orders": 0}],
    },
}
ANGEL = {
    "exchange_type": 1,
    "token": "1594",
    "exchange_timestamp": MS,
    "last_traded_price": 157370,
    "last_traded_quantity": 7,
    "volume_trade_for_the_day": 1192471,
    "closed_price": 156780,
    "best_5_buy_data": [{"flag": 1, "quantity": 5, "price": 157340}],
    "best_5_sell_data": [{"flag": 0, "quantity": 9, "price": 157375}],
}
UPSTOX = {
    "type": "live_feed",
    "feeds": {
        "NSE_EQ|INE009A01021": {
            "fullFeed": {
                "marketFF": {
                    "ltpc": {"ltp": 1573.7, "ltt": str(MS), "ltq": "7", "cp": 1567.8},
                    "marketLevel": {"bidAskQuote": [{"bidQ": "5", "bidP": 1573.4, "askP": 1573.75}]},
                    "vtt": "1192471",
                }
            }
        },
        "NSE_INDEX|Nifty 50": {"ltpc": {"ltp": 24000.05, "ltt": str(MS), "cp": 23950.0}},
    },
}


def test_kites_naive_times_are_of_the_hosts_zone_and_give_one_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            naive = datetime.fromtimestamp(SECOND)  # as KiteTicker makes it
            decoded = decode("kite", [KITE | {"exchange_timestamp": naive}], LISTING)
            assert decoded.ticks == [("INFY", {**INFY, "oi": 12, "bid": 1573.4, "timestamp": SECOND * NS})]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("feed", "fields", "ticks"),
    [
        ("angel", ANGEL, [("INFY", {**INFY, "bid": 1573.4, "ask": 1573.75, "timestamp": MS * 10**6})]),
        (
            "upstox",
            UPSTOX,
            [
                ("INFY", {**INFY, "bid": 1573.4, "timestamp": MS * 10**6}),
                ("NIFTY 50", {"ltp": 24000.05, "timestamp": MS * 10**6}),
            ],
        ),
        (
            "dhan",
            {"type": "Ticker Data", "exchange_segment": 1, "security_id": 1333, "LTP": "2453.05", "LTT": "22:13:20"},
            [("HDFCBANK", {"ltp": 2453.05})],
        ),
        (
            "fyers",
            {
                "symbol": "NSE:SBIN-EQ",
                "ltp": 800.1,
                "vol_traded_today": 5,
                "bid_price": 800.05,
                "ask_price": 0,
                "exch_feed_time": SECOND,
                "prev_close_price": 799.0,
            },
            [("SBIN", {"ltp": 800.1, "day_volume": 5, "bid": 800.05, "timestamp": SECOND * NS})],
        ),
        (
            "ib",
            {
                "symbol": "AAPL",
                "time": datetime.fromtimestamp(SECOND, UTC).isoformat(),
                "last": 190.1 + 0.2 - 0.2,
                "lastSize": 3,
                "bid": float("nan"),
                "ask": -1.0,
                "close": 189.0,
            },
            [("NASDAQ:AAPL", {"ltp": 190.1, "last_quantity": 3, "timestamp": SECOND * NS})],
        ),
    ],
)
def test_a_dict_gives_what_it_says_and_never_yesterdays_close(feed: str, fields: Any, ticks: Any) -> None:
    listing = {**LISTING, "NSE:SBIN-EQ": FeedInstrument("SBIN", 1, 20), "AAPL": FeedInstrument("NASDAQ:AAPL", 1, 100)}
    decoded = decode(feed, fields, listing)
    assert (decoded.ticks, decoded.damaged, decoded.left_out) == (ticks, {}, {})


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("odd", [None, 5, "x", [], {}, {"feeds": 5}, {"feeds": {"a": 5}}, {"token": []}, [[]]])
def test_what_is_no_dict_of_a_feed_is_counted(feed: str, odd: Any) -> None:
    decoded = decode(feed, odd, LISTING)
    assert decoded.ticks == []


def test_odd_values_give_no_price() -> None:
    for price in (None, "", "x", float("nan"), float("inf"), 0, -1, True, [], 10**30):
        decoded = decode("kite", KITE | {"last_price": price}, LISTING)
        assert decoded.ticks == []
        assert decoded.left_out or decoded.damaged


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00", "0001-01-01T00:00:00+05:30", "9999-12-31T23:59:59-05:00", "x"])
def test_a_time_at_the_calendars_edge_is_none(time: str) -> None:
    listing = {"AAPL": FeedInstrument("AAPL", 1, 100)}
    decoded = decode_line("ib", json.dumps({"symbol": "AAPL", "last": 190.1, "time": time}), listing)
    assert (decoded.ticks, decoded.has_timeless) == ([("AAPL", {"ltp": 190.1})], True)


def test_a_line_that_nests_without_end_is_damage() -> None:
    assert decode_line("fyers", "[" * 100_000, LISTING).damaged == {"unreadable": 1}


def test_before_the_days_first_trade_the_last_price_is_no_tick() -> None:
    assert decode("kite", KITE | {"volume_traded": 0}, LISTING).left_out == {"not_traded": 1}


def test_the_tick_path_and_the_feeds_read_one_table() -> None:
    told = {key: field for feed in FEEDS.values() for key, field in feed.fields.items()}
    assert {key: told[key] for key in ALIASES} == ALIASES
    assert {key: KEYS[key] for key in ALIASES} == ALIASES
    assert {"volume": "volume", "ltp": "last"}.items() <= KEYS.items()
