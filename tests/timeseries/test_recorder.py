"""What may be recorded, what is refused, and that nothing is written when it is."""

from __future__ import annotations

import os
import sys
import threading
import time
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.timeseries.spools import INDIA, NOW, OPEN, OPEN_NS, files, lane, recorder, stored
from timeseries.errors import AmbiguousTick, InvalidValue, RecorderClosed
from timeseries.measurements import EXECUTIONS, TICKS
from timeseries.recording import bulk
from timeseries.recording.recorder import Recorder, TickBatch
from timeseries.spool.counter import UNREAD
from timeseries.spool.feed_keys import COUNTED

NAN, INF = float("nan"), float("inf")
FLOAT_MAX = sys.float_info.max  # what feeds send for no price, and the largest 64-bit integer in billionths
UNDEFINED = 9223372036.854775807
BAR = {"open": 10, "high": 12, "low": 9, "close": 11}
KITE = {
    "tradable": True,
    "mode": "full",
    "instrument_token": 738561,
    "last_price": 2450.05,
    "last_traded_quantity": 5,
    "average_traded_price": 2449.1,
    "volume_traded": 1000,
    "total_buy_quantity": 10,
    "ohlc": {"open": 2440.0, "high": 2460.0, "low": 2430.0, "close": 2445.0},
    "change": 0.2,
    "oi": 0,
    "depth": {"buy": [], "sell": []},
}

ACCEPTED_TICKS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"ltp": 2450.05}, {"kind": "price", "close": 2450.05}),
    ({"last_price": 2450}, {"kind": "price", "close": 2450.0}),
    ({"price": "2450.05"}, {"kind": "price", "close": 2450.05}),
    ({"close": Decimal("2450.05")}, {"kind": "price", "close": 2450.05}),
    ({"ltp": np.float64(1.5)}, {"kind": "price", "close": 1.5}),
    ({"ltp": np.float32(1958.05)}, {"kind": "price", "close": 1958.05}),
    ({"ltp": np.int64(15)}, {"kind": "price", "close": 15.0}),
    ({"ltp": 1e-8}, {"kind": "price", "close": 1e-8}),
    ({"ltp": 5, "price": 5.0}, {"kind": "price", "close": 5.0}),
    ({"ltp": 5, "volume": 0}, {"close": 5.0, "volume": 0.0}),
    ({"ltp": 5, "volume": None, "bid": None}, {"kind": "price", "close": 5.0}),
    ({"ltp": 5, "day_volume": 10**15, "oi": 0}, {"close": 5.0, "day_volume": 1e15, "oi": 0.0}),
    ({"ltp": 5, "bid": 4, "ask": 6, "last_quantity": 1}, {"close": 5.0, "bid": 4.0, "ask": 6.0, "last_quantity": 1.0}),
    (BAR, {"kind": "bar", "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0}),
    ({**BAR, "volume": 3}, {"kind": "bar", "volume": 3.0}),
    ({"open": 5, "high": 5, "low": 5, "close": 5}, {"kind": "bar", "high": 5.0}),
    (KITE, {"kind": "price", "close": 2450.05, "oi": 0.0, "day_volume": 1000.0, "last_quantity": 5.0}),
    ({"LTP": "2450.05", "LTQ": 5}, {"close": 2450.05, "last_quantity": 5.0}),
    ({"ltp": 5, "vol_traded_today": 7, "bid_price": 4, "ask_price": 6}, {"day_volume": 7.0, "bid": 4.0, "ask": 6.0}),
    ({"ltp": 5, "volume_trade_for_the_day": 7, "open_interest": 3}, {"day_volume": 7.0, "oi": 3.0}),
    ({"ltp": 5, "day_volume": 7, "vtt": "7"}, {"day_volume": 7.0}),
    ({"ltp": 5, "bid": 0, "ask": 6}, {"close": 5.0, "bid": None, "ask": 6.0}),
    ({"ltp": 5, "bid": -1, "ask": -1.0}, {"close": 5.0, "bid": None, "ask": None}),
    ({"ltp": 5, "bid": NAN, "ask": "nan"}, {"close": 5.0, "bid": None, "ask": None}),
    ({"ltp": 5, "bid": Decimal("NaN"), "ask": np.float32(0)}, {"close": 5.0, "bid": None, "ask": None}),
    ({"ltp": 5, "bid": FLOAT_MAX, "ask": UNDEFINED}, {"close": 5.0, "bid": None, "ask": None}),
    ({"ltp": 5, "last_quantity": 0, "bid": 4}, {"close": 5.0, "last_quantity": None, "bid": 4.0}),
    ({"last_price": 5, "last_traded_quantity": 0}, {"close": 5.0, "last_quantity": None}),
    ({**BAR, "bid": 0}, {"kind": "bar", "bid": None}),
    ({"ltp": 0.00000000021}, {"close": 0.00000000021}),
    ({"ltp": 92_233_720_368}, {"close": 92_233_720_368.0}),
    ({"ltp": 9.3e9, "volume": 5e15}, {"close": 9.3e9, "volume": 5e15}),
    ({"ltp": 5, "open": 4, "high": 6, "low": 4}, {"kind": "price", "close": 5.0}),
    ({"ltp": 5, "nonsense": object, 7: 8}, {"close": 5.0}),
    ({"ltp": 5, "close": None}, {"kind": "price", "close": 5.0}),
]

REFUSED_TICKS: list[tuple[Any, str]] = [
    ({}, "no_price"),
    ({"volume": 5}, "no_price"),
    ({"ltp": None}, "no_price"),
    ({"open": 10, "high": 12, "low": 9}, "no_price"),
    ({"ltp": 0}, "price_not_positive"),
    ({"ltp": 0.0}, "price_not_positive"),
    ({"ltp": -0.0}, "price_not_positive"),
    ({"ltp": -1}, "price_not_positive"),
    ({"ltp": NAN}, "price_not_finite"),
    ({"ltp": INF}, "price_not_finite"),
    ({"ltp": "nan"}, "price_not_finite"),
    ({"ltp": Decimal("NaN")}, "price_not_finite"),
    ({"ltp": True}, "invalid_value"),
    ({"ltp": np.bool_(True)}, "invalid_value"),
    ({"ltp": "abc"}, "invalid_value"),
    ({"ltp": ""}, "invalid_value"),
    ({"ltp": [1]}, "invalid_value"),
    ({"ltp": 2**53 + 1}, "invalid_value"),
    ({"ltp": Decimal("0.12345678901234567890")}, "invalid_value"),
    ({"ltp": 10**400}, "invalid_value"),
    ({"ltp": 5, "volume": -1}, "invalid_value"),
    ({"ltp": 5, "volume": NAN}, "volume_not_finite"),
    ({"ltp": 5, "volume": INF}, "volume_not_finite"),
    ({"ltp": 5, "volume": True}, "invalid_value"),
    ({"ltp": 5, "volume": "many"}, "invalid_value"),
    ({"ltp": 5, "day_volume": -0.5}, "invalid_value"),
    ({"ltp": 5, "oi": -1}, "invalid_value"),
    ({"ltp": 5, "bid": -2}, "price_not_positive"),
    ({"ltp": 5, "ask": INF}, "price_not_finite"),
    ({"ltp": 5, "ask": False}, "invalid_value"),
    ({"ltp": 5, "bid": 1e308}, "price_out_of_bounds"),
    ({"ltp": 5, "last_quantity": -1}, "invalid_value"),
    ({"ltp": 5, "last_quantity": NAN}, "last_quantity_not_finite"),
    ({"ltp": 1e308}, "price_out_of_bounds"),
    ({"ltp": FLOAT_MAX}, "price_out_of_bounds"),
    ({"ltp": UNDEFINED}, "price_out_of_bounds"),
    ({"ltp": 2**53}, "price_out_of_bounds"),
    ({"ltp": 92_233_720_369}, "price_out_of_bounds"),
    ({"ltp": 92_233_720_368.1}, "price_out_of_bounds"),
    ({**BAR, "high": UNDEFINED}, "price_out_of_bounds"),
    ({"ltp": 5, "day_volume": 7, "volume_traded": 8}, "ambiguous_tick"),
    ({"ltp": 5, "LTP": "6"}, "ambiguous_tick"),
    ({"ltp": 5, "close": 4}, "ambiguous_tick"),
    ({"ltp": 5, "close": 5}, "ambiguous_tick"),
    ({"ltp": 5, "last_price": 6}, "ambiguous_tick"),
    ({**BAR, "ltp": 11}, "ambiguous_tick"),
    ({"ltp": 5, "high": 4}, "ambiguous_tick"),
    ({"ltp": 5, "low": 6}, "ambiguous_tick"),
    ({"close": 5, "high": 6}, "ambiguous_tick"),
    ({"close": 5, "open": 5, "low": 5}, "ambiguous_tick"),
    ({**BAR, "high": 10.5}, "ambiguous_tick"),
    ({**BAR, "low": 10.5}, "ambiguous_tick"),
    ({**BAR, "high": 8, "low": 13}, "ambiguous_tick"),
    ({**BAR, "open": 0}, "price_not_positive"),
    ({**BAR, "low": NAN}, "price_not_finite"),
    (None, "invalid_value"),
    ([("ltp", 5)], "invalid_value"),
    ("ltp", "invalid_value"),
    (5, "invalid_value"),
    ({"ltp": 5, "timestamp": 5}, "time_too_old"),
    ({"ltp": 5, "timestamp": "2025-10-09"}, "invalid_value"),
    ({"ltp": 5, "timestamp": 1.5}, "invalid_value"),
    ({"ltp": 5, "timestamp": True}, "invalid_value"),
    ({"ltp": 5, "timestamp": NOW + 25 * 3600 * 10**9}, "time_in_future"),
    ({"ltp": 5, "timestamp": datetime(1999, 12, 31, 23, 59)}, "time_too_old"),
    ({"ltp": 5, "timestamp": datetime(2025, 10, 11, tzinfo=UTC)}, "time_in_future"),
]
BAD_NAMES: list[Any] = ["", " A", "A ", "A\nB", "A\x00", "A\\B", "A\ud800", "x" * 65, None, 5, b"A", ["A"], True]


@pytest.mark.parametrize(("tick", "expected"), ACCEPTED_TICKS, ids=str)
def test_a_tick_that_can_be_true_is_stored(tmp_path: Path, tick: dict[str, Any], expected: dict[str, Any]) -> None:
    desk = recorder(tmp_path)
    # Twice: the first of its shape goes the careful way, the second the fast one.
    assert desk.tick("RELIANCE", tick, OPEN_NS) is True
    assert desk.tick("RELIANCE", tick, OPEN_NS + 5) is True
    for point in stored(tmp_path):
        assert {name: point.get(name) for name in expected} == expected
    desk.close()


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorder]:
    """A recorder that knows every shape of the refused half, so that the fast way has to refuse them, too."""
    root = tmp_path_factory.mktemp("warm")
    desk = recorder(root)
    assert desk.tick("RELIANCE", {"ltp": 5, "timestamp": OPEN})
    for tick, _ in REFUSED_TICKS:
        if isinstance(tick, dict):
            desk._learn(tick, None)
    return root, desk


@pytest.mark.parametrize(("tick", "code"), REFUSED_TICKS, ids=str)
def test_a_tick_that_cannot_be_true_is_refused_and_nothing_is_written(
    warm: tuple[Path, Recorder], tick: Any, code: str
) -> None:
    root, desk = warm
    before = files(root)
    with pytest.raises(InvalidValue) as error:
        desk.tick("RELIANCE", tick)
    assert error.value.code == code
    assert error.value.hint
    assert isinstance(error.value, AmbiguousTick) == (code == "ambiguous_tick")
    assert files(root) == before


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_a_bad_name_is_refused_everywhere_and_nothing_is_written(warm: tuple[Path, Recorder], name: Any) -> None:
    root, desk = warm
    before = files(root)
    calls = [
        lambda: desk.indicators("RELIANCE", {name: 1} if name.__hash__ else None),
        lambda: desk.tick(name, {"ltp": 5, "timestamp": OPEN}),
        lambda: desk.indicators(name, {"ema": 1}),
        lambda: desk.indicators("RELIANCE", {"ema": 1}, timeframe=name) if name != "" else desk.indicators("", {}),
        lambda: desk.snapshot("ORB", name, 1, 1, None, None),
        lambda: desk.snapshot(name if name != "x" * 65 else "x" * 129, "RELIANCE", 1, 1, None, None),
    ]
    for call in calls:
        with pytest.raises(InvalidValue):
            call()
    assert files(root) == before


@pytest.mark.parametrize(
    "values",
    [
        None, [1], "ema", {"ema": NAN}, {"ema": INF}, {"ema": True}, {"ema": None}, {"ema": "high"}, {5: 1}, {None: 1},
        {"ema": [1]}, {"ema": {"fast": 1}}, {"e\ud800": 1}, {"ema": 2**53 + 1}, {f"name {n}": n for n in range(9000)},
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_indicators_that_are_no_numbers_are_refused(warm: tuple[Path, Recorder], values: Any) -> None:
    root, desk = warm
    before = files(root)
    with pytest.raises(InvalidValue):
        desk.indicators("RELIANCE", values)
    assert files(root) == before


@pytest.mark.parametrize(
    "values",
    [{}, {"ema": 1}, {"rsi": -0.5, "EMA 20": Decimal("1.5"), "x": "2"}, {"a" * 64: np.float64(3)}, {"ø, =": 0}],
    ids=str,
)
def test_indicators_are_read_back_by_name(tmp_path: Path, values: dict[str, Any]) -> None:
    with_frame = recorder(tmp_path)
    assert with_frame.indicators("M&M", values, at=OPEN, timeframe="5m")
    (point,) = stored(tmp_path, "indicators")
    assert point["values"] == {name: float(value) for name, value in values.items()}
    assert (point["symbol"], point["timeframe"], point["time"]) == ("M&M", "5m", OPEN_NS)
    with_frame.close()


@pytest.mark.parametrize(
    "figures",
    [
        (0, 1, None, None), (-1, 1, None, None), (1, 0, None, None), (1, -1, None, None), (NAN, 1, None, None),
        (1, INF, None, None), (1, 1, NAN, None), (1, 1, None, INF), (True, 1, None, None), (1, None, None, None),
        (None, 1, None, None), (1, 1, "x", None), (1, 1, None, True),
    ],
    ids=str,
)  # fmt: skip
def test_a_snapshot_that_cannot_be_true_is_refused(warm: tuple[Path, Recorder], figures: tuple[Any, ...]) -> None:
    root, desk = warm
    before = files(root)
    with pytest.raises(InvalidValue):
        desk.snapshot("ORB", "RELIANCE", *figures)
    assert files(root) == before


def test_a_snapshot_is_read_back(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    assert desk.snapshot("ORB", "RELIANCE", "2450.05", 10, -5, None, at=OPEN)
    (point,) = stored(tmp_path, "position_snapshots")
    assert (point["price"], point["quantity"], point["pnl"], point.get("pnl_percent")) == (2450.05, 10.0, -5.0, None)
    assert (point["strategy"], point["account"]) == ("ORB", "main")
    desk.close()


@pytest.mark.parametrize(
    "options",
    [
        {"source": "ledger"}, {"source": ""}, {"account": "a\\b"}, {"volume": "often"}, {"on_storage_fault": "ignore"},
        {"ordinals": "never"}, {"source": "other", "projecting": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_recorder_with_a_bad_setting_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        recorder(tmp_path, **options)


def test_nothing_touches_the_disk_before_the_first_record(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    with pytest.raises(InvalidValue):
        desk.tick("RELIANCE", {"ltp": 0})
    assert desk.latest("RELIANCE") is None
    assert desk.issued() == {}
    desk.close()
    assert list(tmp_path.iterdir()) == []


def test_a_cumulative_feed_reads_volume_as_the_days(tmp_path: Path) -> None:
    desk = recorder(tmp_path, volume="cumulative")
    for step in range(2):
        desk.tick("RELIANCE", {"ltp": 5, "volume": 100}, OPEN_NS + step)
    desk.tick("RELIANCE", {"ltp": 5, "volume": 100, "day_volume": 100}, OPEN_NS + 2)
    desk.ticks({"ltp": [5.0, 6.0], "volume": [100, 100], "timestamp": [OPEN_NS + 3, OPEN_NS + 4]}, symbol="RELIANCE")
    with pytest.raises(AmbiguousTick):
        desk.tick("RELIANCE", {"ltp": 5, "volume": 100, "day_volume": 101})
    assert [(p.get("volume"), p["day_volume"]) for p in stored(tmp_path)] == [(None, 100.0)] * 5
    desk.close()


def test_the_time_is_the_arguments_else_the_ticks_else_the_clocks(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    for _ in range(2):
        desk.tick("A", {"ltp": 5, "timestamp": OPEN}, OPEN_NS + 7)
        desk.tick("B", {"ltp": 5, "timestamp": OPEN})
        desk.tick("C", {"ltp": 5})
        desk.tick("D", {"ltp": 5, "timestamp": None})
        desk.tick("E", {"ltp": 5, "timestamp": OPEN.replace(tzinfo=INDIA)})
        desk.tick("F", {"ltp": 5, "timestamp": OPEN_NS + 9})
    times = {point["symbol"]: point["exchange_time"] for point in stored(tmp_path)}
    assert times == {"A": OPEN_NS + 7, "B": OPEN_NS, "C": NOW, "D": NOW, "E": OPEN_NS, "F": OPEN_NS + 9}
    desk.close()


@pytest.mark.parametrize("never", [datetime(1969, 12, 31, 19), datetime(1970, 1, 1), datetime(1970, 1, 1, 5, 30)])
def test_a_naive_time_of_1970_is_none_before_any_day_is_known(tmp_path: Path, never: datetime) -> None:
    desk = recorder(tmp_path, zone=ZoneInfo("America/New_York"))  # `datetime.fromtimestamp(0)` is of 1969 there
    for _ in range(3):
        assert desk.tick("A", {"ltp": 5, "exchange_timestamp": never})
        assert desk.tick("A", {"ltp": 5}, NOW)
        for tick in ({"ltp": 5, "timestamp": never}, {"ltp": 5}):
            with pytest.raises(InvalidValue):
                desk.tick("A", tick, None if "timestamp" in tick else never)
    assert {point["exchange_time"] for point in stored(tmp_path)} == {NOW}
    desk.close()


def test_a_tick_keeps_its_volume_where_the_last_one_had_a_time_in_its_place(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    for _ in range(3):
        desk.tick("A", {"ltp": 5, "timestamp": OPEN_NS}, OPEN_NS)
        desk.tick("A", {"ltp": 6, "volume": 7}, OPEN_NS)
        with pytest.raises(InvalidValue):
            desk.tick("A", {"ltp": 6, "volume": -7}, OPEN_NS)
    assert [(point["close"], point.get("volume")) for point in stored(tmp_path)] == [(5.0, None), (6.0, 7.0)] * 3
    desk.close()


def test_the_time_goes_by_the_feeds_own_name_where_that_is_certain(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    stamps = {
        "KITE": {"exchange_timestamp": OPEN},  # naive: the process's zone is the desk's
        "AWARE": {"exchange_timestamp": OPEN.replace(tzinfo=INDIA)},
        "ANGEL": {"exchange_timestamp": OPEN_NS // 10**6},
        "FYERS": {"exch_feed_time": OPEN_NS // 10**9},
        "BOTH": {"exchange_timestamp": OPEN - timedelta(seconds=5), "timestamp": OPEN},
        "NULL": {"timestamp": None, "exchange_timestamp": OPEN},
        "NONE": {"exchange_timestamp": None, "exch_feed_time": OPEN_NS // 10**9},
        "ODD": {"exchange_timestamp": "09:15:00"},
        "NEVER": {"exchange_timestamp": datetime(1970, 1, 1, 5, 30)},
    }
    for step in range(3):
        for symbol, stamp in stamps.items():
            assert desk.tick(symbol, {"ltp": 5 + step, **stamp})
        assert desk.ticks([{"symbol": symbol, "ltp": 8, **stamp} for symbol, stamp in stamps.items()]).accepted == 9
        for symbol, stamp in stamps.items():
            columns = {key: [value] * 2 for key, value in stamp.items()}
            assert desk.ticks({"ltp": [5.0, 6.0], **columns}, symbol=symbol).accepted == 2
    times: dict[str, set[int]] = {}
    for point in stored(tmp_path):
        times.setdefault(point["symbol"], set()).add(point["exchange_time"])
    assert times == {symbol: {NOW if symbol in ("ODD", "NEVER") else OPEN_NS} for symbol in stamps}
    desk.close()


@pytest.mark.parametrize("given", [pd.NaT, np.datetime64("NaT")], ids=["pandas", "numpy"])
def test_a_row_whose_time_is_nat_costs_no_other(tmp_path: Path, given: Any) -> None:
    desk = recorder(tmp_path)
    rows = [{"symbol": "A", "ltp": 5.0 + row, "timestamp": given if row == 1 else OPEN} for row in range(3)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for batch in (rows, columns, pd.DataFrame(rows).to_dict("records"), pd.DataFrame(rows).to_dict("list")):
        answer = desk.ticks(batch)
        assert (answer.accepted, [row[:2] for row in answer.rejected]) == (2, [(1, "invalid_value")])
    with pytest.raises(InvalidValue, match="NaT") as refused:
        desk.tick("A", {"ltp": 5}, given)
    assert refused.value.field == "at"
    desk.close()


@pytest.mark.parametrize(
    "ticks", ["A", b"A", None, pd.DataFrame({"symbol": ["A"]}), pa.table({"symbol": ["A"]})],
    ids=["text", "bytes", "none", "frame", "arrow"],
)  # fmt: skip
def test_what_is_neither_rows_nor_a_dict_of_columns_is_refused_as_a_whole(tmp_path: Path, ticks: Any) -> None:
    desk = recorder(tmp_path)
    with pytest.raises(InvalidValue, match="dict of columns") as refused:
        desk.ticks(ticks)
    assert (refused.value.field, "to_dict" in refused.value.hint) == ("ticks", True)
    assert list(tmp_path.iterdir()) == []
    desk.close()


def test_a_tick_with_another_key_in_place_of_its_time_is_taken_at_the_clock(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    for _ in range(2):
        assert desk.tick("A", {"ltp": 5, "timestamp": OPEN})
        assert desk.tick("A", {"ltp": 6, "mode": "ltp"})
    assert [point["exchange_time"] for point in stored(tmp_path)] == [OPEN_NS, NOW] * 2
    desk.close()


def test_keys_that_may_mean_a_time_or_a_price_are_counted_by_name(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    odd = {"ltp": 5, "ltt": "1740729552723", "last_traded_price": 500, "mode": "full"}
    assert all(desk.tick("A", odd, OPEN_NS) for _ in range(5))
    assert desk.ticks([odd, odd], symbol="A").accepted == 2
    assert desk.ticks({key: [value] * 3 for key, value in odd.items()}, symbol="A").accepted == 3
    desk.tick("A", {"ltp": 5, "exchange_timestamp": "09:15:00"})
    desk.tick("A", {"ltp": 5, "exchange_timestamp": OPEN, "volume_traded": 5})
    counts = {"exchange_timestamp": 1, "last_traded_price": 10, "ltt": 10}
    assert lane(tmp_path).unread_keys() == counts
    desk.close()
    assert lane(tmp_path).unread_keys() == counts  # still there for who looks after the session
    again = recorder(tmp_path)
    again.tick("A", {"ltp": 5})
    assert lane(tmp_path).unread_keys() == {}
    again.close()


def test_a_price_whose_unit_nobody_knows_is_named_in_the_refusal(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    with pytest.raises(InvalidValue, match="last_traded_price is in paise on one feed") as error:
        desk.tick("SBIN", {"last_traded_price": 81050, "exchange_timestamp": OPEN_NS // 10**6})
    assert error.value.code == "no_price"
    desk.close()


def test_prices_of_zero_and_below_are_for_symbols_that_may_have_them(tmp_path: Path) -> None:
    asked: list[str] = []

    def may_be_negative(symbol: str) -> bool:
        asked.append(symbol)
        return symbol == "CLK0"

    desk = recorder(tmp_path, may_be_negative=may_be_negative)
    assert desk.tick("CLK0", {"ltp": 10.01, "bid": 10}, OPEN_NS)
    assert asked == []  # nobody is asked on the way of a usual tick
    for tick in (
        {"ltp": -37.63, "bid": -38.0, "ask": -37.5},
        {"ltp": 0},
        {"open": -1, "high": 2, "low": -3, "close": 0},
    ):
        assert desk.tick("CLK0", tick, OPEN_NS)
        with pytest.raises(InvalidValue) as error:
            desk.tick("RELIANCE", tick, OPEN_NS)
        assert error.value.code == "price_not_positive"
    with pytest.raises(InvalidValue) as error:
        desk.tick("CLK0", {"ltp": -1e308}, OPEN_NS)
    assert error.value.code == "price_out_of_bounds"
    columns = {"symbol": ["CLK0", "RELIANCE", "CLK0"], "ltp": [-1.5, -1.5, 2.5], "timestamp": [OPEN_NS] * 3}
    assert [row[:2] for row in desk.ticks(columns).rejected] == [(1, "price_not_positive")]
    assert desk.snapshot("S", "CLK0", -37.63, 1, None, None)
    closes = [point["close"] for point in stored(tmp_path)]
    assert closes == [10.01, -37.63, 0.0, 0.0, -1.5, 2.5]
    assert desk.latest("CLK0")["close"] == 2.5  # type: ignore[index]
    desk.close()


def test_a_bar_whose_stamp_is_a_date_is_that_days(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    day, end = date(2025, 10, 6), OPEN_NS - (2 * 86_400 + 33_300) * 10**9  # 7 October, midnight in India
    for _ in range(2):
        assert desk.tick("A", BAR, day)
        assert desk.tick("A", {**BAR, "timestamp": day})
    assert desk.ticks({**{key: [value] * 2 for key, value in BAR.items()}, "timestamp": [day] * 2}, symbol="A").accepted
    assert {point["exchange_time"] for point in stored(tmp_path)} == {end}
    for tick, stamp in (({"ltp": 5}, day), (BAR, date(1999, 12, 31)), (BAR, date(2025, 10, 11))):
        with pytest.raises(InvalidValue):
            desk.tick("A", tick, stamp)
    desk.close()


def test_bars_said_to_be_stamped_at_their_start_are_recorded_at_their_end(tmp_path: Path) -> None:
    minute = 60 * 10**9
    desk = recorder(tmp_path, bar_period=minute)
    for step in range(3):
        assert desk.tick("A", BAR, OPEN_NS + step * minute)
        assert desk.tick("A", {"ltp": 5}, OPEN_NS + step * minute)
    columns = {**{key: [value] * 2 for key, value in BAR.items()}, "timestamp": [OPEN, OPEN]}
    assert desk.ticks(columns, symbol="B").accepted == 2
    stamps = [(point["symbol"], point["kind"], point["exchange_time"] - OPEN_NS) for point in stored(tmp_path)]
    assert [stamp for stamp in stamps if stamp[0] == "B"] == [("B", "bar", minute)] * 2
    assert [at for name, kind, at in stamps if (name, kind) == ("A", "bar")] == [minute, 2 * minute, 3 * minute]
    assert [at for name, kind, at in stamps if (name, kind) == ("A", "price")] == [0, minute, 2 * minute]
    desk.close()
    daily = recorder(tmp_path / "daily", bar_period=24 * 60 * minute)
    daily.tick("A", BAR, OPEN)
    assert [point["exchange_time"] for point in stored(tmp_path / "daily")] == [OPEN_NS + (24 * 60 - 555) * minute]
    daily.close()


def test_naive_times_follow_the_zone_over_many_days(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    moments = [OPEN - timedelta(days=day, hours=hour) for day in range(3) for hour in range(24)]
    for moment in [*moments, *reversed(moments)]:
        desk.tick("A", {"ltp": 5, "timestamp": moment})
    expected = [int(moment.replace(tzinfo=INDIA).timestamp()) * 10**9 for moment in [*moments, *reversed(moments)]]
    assert [point["exchange_time"] for point in stored(tmp_path)] == expected
    desk.close()


def test_the_newest_tick_is_the_one_of_the_latest_exchange_time(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    desk.tick("A", {"ltp": 1}, OPEN_NS + 10)
    desk.tick("A", {"ltp": 2}, OPEN_NS)
    newest = desk.latest("A")
    assert newest is not None
    assert (newest["close"], newest["time"], newest["kind"]) == (1.0, OPEN_NS + 10, "price")
    desk.tick("A", {"ltp": 3}, OPEN_NS + 10)
    assert desk.latest("A")["close"] == 3.0  # type: ignore[index]
    desk.close()


def test_after_close_nothing_is_recorded(tmp_path: Path) -> None:
    desk = recorder(tmp_path)
    desk.tick("A", {"ltp": 1}, OPEN_NS)
    desk.close()
    desk.close()
    before = files(tmp_path)
    for call in (
        lambda: desk.tick("A", {"ltp": 1}, OPEN_NS),
        lambda: desk.ticks([{"symbol": "A", "ltp": 1}]),
        lambda: desk.ticks({"ltp": [1.0]}, symbol="A"),
        lambda: desk.indicators("A", {"ema": 1}),
        lambda: desk.snapshot("S", "A", 1, 1, None, None),
    ):
        with pytest.raises(RecorderClosed):
            call()
    assert files(tmp_path) == before


def test_threads_share_a_recorder_without_losing_a_tick(tmp_path: Path) -> None:
    desk = recorder(tmp_path, segment_bytes=8192)
    start = threading.Barrier(4)

    def feed(worker: int) -> None:
        start.wait()
        for number in range(2000):
            assert desk.tick(f"S{number % 5}", {"ltp": 1 + worker * 10_000 + number}, OPEN_NS + number // 50)

    threads = [threading.Thread(target=feed, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    points = stored(tmp_path)
    assert sorted(int(point["close"]) for point in points) == sorted(
        1 + worker * 10_000 + number for worker in range(4) for number in range(2000)
    )
    assert [point["sequence"] for point in points] == list(range(1, 8001))
    assert len({(point["symbol"], point["time"]) for point in points}) == 8000
    for point in points:
        assert point["symbol"] == f"S{(int(point['close']) - 1) % 10_000 % 5}"
    desk.close()


def test_the_follower_projects_points_at_their_exact_time(tmp_path: Path) -> None:
    ledger = recorder(tmp_path, source="ledger", projecting=True)
    tags = {"symbol": "M&M", "strategy": "ORB"}
    for _ in range(2):
        ledger.project(EXECUTIONS, tags, {"trade_id": "T1", "price": 5.0, "trade_pk": 2**60}, time_ns=OPEN_NS)
    ledger.project(EXECUTIONS, {**tags, "account": "paper"}, {"trade_pk": 1}, time_ns=OPEN_NS)
    ledger.sync()
    points = stored(tmp_path, "executions", "ledger")
    assert [point["time"] for point in points] == [OPEN_NS] * 3
    assert [point["account"] for point in points] == ["main", "main", "paper"]
    assert points[0]["trade_pk"] == 2**60
    ledger.close()


class TestManyAtOnce:
    def test_rows_and_columns_and_single_ticks_store_the_same(self, tmp_path: Path) -> None:
        times = [OPEN + timedelta(seconds=step // 3) for step in range(300)]
        symbols = [("A", "B", "C")[step * step % 3] for step in range(300)]
        prices = [100 + step / 4 for step in range(300)]
        volumes = [step % 7 for step in range(300)]
        columns = {"symbol": symbols, "ltp": prices, "volume": volumes, "timestamp": times}
        lists = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        arrays = {
            "symbol": symbols,
            "ltp": np.array(prices),
            "volume": np.array(volumes),
            "timestamp": np.array(times, dtype="datetime64[us]"),
        }
        for name, rows in (("rows", lists), ("columns", columns), ("arrays", arrays)):
            desk = recorder(tmp_path / name, segment_bytes=4096)
            assert desk.ticks(rows) == TickBatch(300)
            desk.close()
        desk = recorder(tmp_path / "single")
        for row in lists:
            desk.tick(row["symbol"], row)
        desk.close()
        first = stored(tmp_path / "single")
        assert len(first) == 300
        for name in ("rows", "columns", "arrays"):
            assert stored(tmp_path / name) == first

    def test_good_rows_are_kept_and_bad_ones_told_by_index(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path)
        columns = {
            "symbol": ["A", "A", " B", "A", "A", "A"],
            "ltp": [1.0, NAN, 3.0, 0.0, 5.0, 6.0],
            "volume": [1, 1, 1, 1, -1, 0],
            "timestamp": [OPEN_NS, OPEN_NS, OPEN_NS, OPEN_NS, OPEN_NS, OPEN_NS],
        }
        batch = desk.ticks(columns)
        assert batch.accepted == 2
        assert [(index, code) for index, code, _ in batch.rejected] == [
            (1, "price_not_finite"), (2, "invalid_value"), (3, "price_not_positive"), (4, "invalid_value"),
        ]  # fmt: skip
        assert all(hint for _, _, hint in batch.rejected)
        lists = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        assert desk.ticks(lists).rejected == batch.rejected
        assert [point["close"] for point in stored(tmp_path)] == [1.0, 6.0, 1.0, 6.0]
        desk.close()

    @pytest.mark.parametrize(
        "rows",
        [
            {"ltp": [1.0, 2.0], "volume": [1]}, {"ltp": 5}, {"ltp": "abc"}, {}, {"mode": ["full"]},
            {"ltp": np.ones((2, 2))},
        ],
        ids=str,
    )  # fmt: skip
    def test_columns_that_do_not_fit_are_refused(self, tmp_path: Path, rows: Any) -> None:
        desk = recorder(tmp_path)
        with pytest.raises(InvalidValue):
            desk.ticks(rows, symbol="A")
        assert list(tmp_path.iterdir()) == []

    def test_columns_of_many_types_are_read_row_by_row(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path)
        batch = desk.ticks(
            {
                "ltp": ["1.5", Decimal(2), 3, True, None, 2**53 + 1],
                "volume": [None, 1, 2.5, 3, 4, 5],
                "timestamp": [OPEN, OPEN.replace(tzinfo=UTC), OPEN_NS, OPEN_NS, OPEN_NS, OPEN_NS],
            },
            symbol="A",
        )
        assert batch.accepted == 3
        assert [index for index, _, _ in batch.rejected] == [3, 4, 5]
        assert [(point["close"], point.get("volume")) for point in stored(tmp_path)] == [(1.5, None), (2, 1), (3, 2.5)]
        desk.close()

    @pytest.mark.parametrize(
        "column",
        [np.array([True, True]), [True, 1.0], [2**53 + 1, 1], np.array([2**53 + 1, 1]), [2**70, 1.0]],
        ids=str,
    )
    def test_a_column_hides_no_bool_and_no_rounded_integer(self, tmp_path: Path, column: Any) -> None:
        desk = recorder(tmp_path)
        batch = desk.ticks({"ltp": column}, symbol="A")
        assert batch.accepted == 2 - len(batch.rejected)
        assert batch.rejected[0][0] == 0
        desk.close()

    def test_a_column_of_narrow_floats_is_read_by_its_shortest_form(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path)
        assert desk.ticks({"ltp": np.array([1958.05, 0.1], dtype=np.float32)}, symbol="A").accepted == 2
        assert [point["close"] for point in stored(tmp_path)] == [1958.05, 0.1]
        desk.close()

    def test_a_column_of_wall_times_around_a_change_of_clocks(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path, zone=ZoneInfo("Europe/Berlin"))
        times = [datetime(2025, 3, 30, 1, 30), datetime(2025, 3, 30, 2, 30), datetime(2025, 3, 30, 3, 30)]
        for column in (times, np.array(times, dtype="datetime64[ns]")):
            batch = desk.ticks({"ltp": [1.0, 2.0, 3.0], "timestamp": column}, symbol="A")
            assert (batch.accepted, [row[0] for row in batch.rejected]) == (2, [1])
        first, second, *_ = [point["exchange_time"] for point in stored(tmp_path)]
        assert second - first == 3600 * 10**9
        desk.close()

    def test_quotes_that_mean_none_cost_no_row_in_any_form(self, tmp_path: Path) -> None:
        columns = {
            "ltp": [1.0, 2.0, 3.0, 4.0, UNDEFINED],
            "bid": [0.5, 0.0, NAN, -1.0, 1.0],
            "ask": [1.5, 2.5, UNDEFINED, 0.0, 1.0],
            "last_quantity": [1.0, 0.0, 2.0, 3.0, 4.0],
            "timestamp": [OPEN_NS + step for step in range(5)],
        }
        lists = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        arrays = {name: np.array(column) for name, column in columns.items()}
        for name, rows in (("columns", columns), ("rows", lists), ("arrays", arrays)):
            desk = recorder(tmp_path / name)
            batch = desk.ticks(rows, symbol="OPT")
            assert (batch.accepted, [row[:2] for row in batch.rejected]) == (4, [(4, "price_out_of_bounds")])
            newest = desk.latest("OPT")
            assert newest is not None
            assert newest.keys() & {"bid", "ask", "last_quantity"} == {"last_quantity"}
            fields = ("close", "bid", "ask", "last_quantity")
            assert [tuple(map(point.get, fields)) for point in stored(tmp_path / name)] == [
                (1.0, 0.5, 1.5, 1.0),
                (2.0, None, 2.5, None),
                (3.0, None, None, 2.0),
                (4.0, None, None, 3.0),
            ]
            desk.close()

    @pytest.mark.parametrize("rows", [[{}], [{}, {}], [{"colour": "red"}]], ids=["empty", "two", "of no meaning"])
    def test_rows_of_nothing_are_rejected_each(self, tmp_path: Path, rows: Any) -> None:
        batch = recorder(tmp_path).ticks(rows, symbol="TCS")
        assert (batch.accepted, [row[0] for row in batch.rejected]) == (0, list(range(len(rows))))

    def test_no_rows_are_no_ticks(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path)
        assert desk.ticks([]) == TickBatch(0)
        assert desk.ticks({"ltp": []}, symbol="A") == TickBatch(0)
        rejected = desk.ticks([{"ltp": 1}, None, 5]).rejected  # type: ignore[list-item]
        assert [row[:2] for row in rejected] == [(0, "no_symbol"), (1, "no_symbol"), (2, "no_symbol")]
        assert desk.ticks([{"ltp": 1}]).rejected == desk.ticks({"ltp": [1]}).rejected == rejected[:1]
        desk.close()

    def test_a_batch_larger_than_a_segment_goes_over_several(self, tmp_path: Path) -> None:
        desk = recorder(tmp_path, segment_bytes=4096)
        names = [f"SYMBOL {number}" for number in range(200)]
        count = 5000
        columns = {
            "symbol": [names[number % 200] for number in range(count)],
            "ltp": np.arange(1, count + 1, dtype=np.float64),
            "timestamp": np.full(count, OPEN_NS),
        }
        assert desk.ticks(columns).accepted == count
        points = stored(tmp_path)
        assert [point["close"] for point in points] == list(range(1, count + 1))
        assert [point["time"] - OPEN_NS for point in points] == [number // 200 for number in range(count)]
        assert [point["symbol"] for point in points] == columns["symbol"]
        assert len(lane(tmp_path).segments()) > 1
        desk.close()

    def test_the_order_in_which_rows_came_can_be_told_from_when_they_were_received(self, tmp_path: Path) -> None:
        """Within a second lines step back, and of two symbols at one instant no other time tells which came first."""
        desk = recorder(tmp_path, segment_bytes=64 * 1024, clock=time.time_ns)
        count = 10_000
        columns = {
            "symbol": [f"SYMBOL {number % 3}" for number in range(count)],
            "ltp": np.arange(2, count + 2, dtype=np.float64),
            "timestamp": OPEN_NS + 10**9 * (np.arange(count) // 7) - 10**6 * (np.arange(count) % 5),
        }
        desk.tick("SYMBOL 1", {"ltp": 1}, OPEN_NS + 10**12)
        desk.ticks(columns)
        desk.tick("SYMBOL 0", {"ltp": count + 2}, OPEN_NS)
        desk.close()
        batch = lane(tmp_path).pending(after=0, limit=10**9).batch
        by_time = np.lexsort((batch.time, batch.series))
        shuffled = batch.take(by_time)
        as_received = shuffled.columns["close"][np.argsort(shuffled.received_time)]
        assert np.array_equal(as_received, np.arange(1, count + 3))


INSTANTS = st.lists(
    st.lists(
        st.one_of(st.integers(0, 6), st.integers(0, 5).map(lambda second: 10 + second * 1000)), min_size=1, max_size=12
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(INSTANTS, st.sampled_from([1, 4, 256]), st.sampled_from([1, 8]), st.integers(1, 3))
def test_ticks_in_columns_get_the_times_that_they_get_one_by_one(
    calls: list[list[int]], block: int, of_symbol: int, symbols: int
) -> None:
    """Instants that come again, step back, or lie so near that n leads to another one's ns."""
    root = Path(os.environ["VELOX_DATA_DIR"]) / f"columns-{os.urandom(6).hex()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "BLOCK_MIN", block)
        patch.setattr(bulk, "ROWS_OF_SYMBOL_MIN", of_symbol)
        together, apart = recorder(root / "together"), recorder(root / "apart")
        for offsets in calls:
            times = OPEN_NS + np.array(offsets)
            names = [f"S{number % symbols}" for number in range(len(times))]
            together.ticks({"symbol": names, "ltp": np.ones(len(times)), "timestamp": times})
            for name, instant in zip(names, times.tolist(), strict=True):
                apart.tick(name, {"ltp": 1.0}, instant)
        for name in ("S0", "S1", "S2"):
            newest = [desk.latest(name) or {} for desk in (together, apart)]
            assert newest[0].get("time") == newest[1].get("time")
        together.close(), apart.close()
    times_of = [
        [(row["symbol"], row["time"] - OPEN_NS) for row in stored(root / name)] for name in ("together", "apart")
    ]
    assert times_of[0] == times_of[1]
    assert len(set(times_of[0])) == sum(map(len, calls))


FIGURES = st.sampled_from([1.5, 2, 0, -1.0, NAN, INF, 2**53 + 1, True, "3.5", None, Decimal(2)])
OF_A_FEED = {"ltp": st.just(5.0), "bid": st.just(4.5), "oi": st.just(7)}
AT = [OPEN_NS, OPEN_NS, OPEN_NS + 1, OPEN_NS - 5, NOW, NOW + 2 * 86_400 * 10**9, 5, OPEN, "x", None]


def feed_ticks(names: list[str], *fields: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    """Return ticks with their symbols: fields of some kind, and a time or none."""
    times = st.sampled_from(AT).map(lambda at: {} if at is None else {"timestamp": at})
    return st.tuples(st.sampled_from(names), st.builds(lambda own, at: {**own, **at}, st.one_of(*fields), times))


MESSAGES = st.lists(
    feed_ticks(
        ["A", "B", "e\u0301", " bad"],
        st.fixed_dictionaries(OF_A_FEED),
        st.fixed_dictionaries(dict.fromkeys(OF_A_FEED, FIGURES)),
        st.dictionaries(st.sampled_from(["ltp", "price", "bid", "close", "mode"]), FIGURES),
        st.just(BAR),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=150, deadline=None)
@given(MESSAGES, st.sampled_from([3, 256]))
def test_ticks_of_a_message_are_recorded_as_they_are_one_by_one(
    ticks: list[tuple[str, dict[str, Any]]], at_once: int
) -> None:
    root = Path(os.environ["VELOX_DATA_DIR"]) / f"message-{os.urandom(6).hex()}"
    together, apart = recorder(root / "together"), recorder(root / "apart")
    for desk in (together, apart):
        desk.tick("A", {"ltp": 5.0, "bid": 4.5, "oi": 7, "timestamp": OPEN_NS - 10})
    outcomes, start = list[str](), 0
    while start < len(ticks):
        leading = together.leading_ticks(ticks[start : start + at_once])
        outcomes += ["True"] * leading or [_outcome(together, *ticks[start])]
        start += leading or 1
    assert outcomes == [_outcome(apart, *tick) for tick in ticks]
    must_be_alike(root, together, apart)


OPTIONAL_FIELDS = ["bid", "ask", "oi", "day_volume", "volume", "last_quantity"]
MIXED = st.lists(
    feed_ticks(
        ["A", "B"],
        st.fixed_dictionaries({"ltp": st.just(5.0)}, optional=dict.fromkeys(OPTIONAL_FIELDS, st.just(2.5))),
        st.fixed_dictionaries({"ltp": FIGURES}, optional=dict.fromkeys([*OPTIONAL_FIELDS, "ltt", "mode"], FIGURES)),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=150, deadline=None)
@example([("A", {"ltp": 1.5, "ltt": 1.5, "timestamp": OPEN_NS})], "per_tick", None)
@given(MIXED, st.sampled_from(["per_tick", "cumulative"]), st.sampled_from([None, "timestamp", "oi"]))
def test_rows_of_different_keys_are_recorded_as_they_are_one_by_one(
    ticks: list[tuple[str, dict[str, Any]]], volume: str, of_all: str | None
) -> None:
    """What some rows have and others have not, or have as None; one field may be in all of them."""
    root = Path(os.environ["VELOX_DATA_DIR"]) / f"mixed-{os.urandom(6).hex()}"
    together, apart = (recorder(root / name, volume=volume) for name in ("together", "apart"))
    rows = [{"symbol": symbol, **({of_all: OPEN_NS} if of_all else {}), **fields} for symbol, fields in ticks]
    batch = together.ticks(rows)
    outcomes = [_outcome(apart, row["symbol"], row) for row in rows]
    assert [index for index, *_ in batch.rejected] == [index for index, text in enumerate(outcomes) if text != "True"]
    assert batch.accepted == outcomes.count("True")
    assert unread(together) == unread(apart)
    must_be_alike(root, together, apart)


def unread(desk: Recorder) -> list[int]:
    """Return how often each word that is not read came."""
    with desk.writing(TICKS) as lane:
        return [int(lane.words[UNREAD + place]) for place in range(len(COUNTED))]


def must_be_alike(root: Path, together: Recorder, apart: Recorder) -> None:
    for symbol in ("A", "B"):
        newest = [{**(desk.latest(symbol) or {}), "received_time": 0} for desk in (together, apart)]
        assert newest[0] == newest[1]
    together.close(), apart.close()
    assert stored(root / "together") == stored(root / "apart")


def _outcome(desk: Recorder, symbol: str, tick: dict[str, Any]) -> str:
    try:
        return str(desk.tick(symbol, tick))
    except InvalidValue as error:
        return error.code


NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\\"), min_size=1, max_size=16
)
NUMBERS = st.floats(min_value=5e-324, max_value=92_233_720_368, allow_infinity=False, allow_nan=False)


@given(
    st.lists(
        st.tuples(
            NAMES.filter(lambda name: name == name.strip()),
            NUMBERS,
            st.integers(0, 2**53),
            st.integers(946_684_800 * 10**9, NOW),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_is_accepted_is_read_back_as_it_was_given(rows: list[tuple[str, float, int, int]]) -> None:
    root = Path(os.environ["VELOX_DATA_DIR"]) / f"property-{os.urandom(6).hex()}"
    desk = recorder(root, segment_bytes=4096)
    accepted = []
    for name, price, volume, instant in rows:
        try:
            desk.tick(name, {"ltp": price, "volume": volume}, instant)
        except InvalidValue as error:
            assert error.field == "symbol"  # too long in bytes
        else:
            accepted.append((unicodedata.normalize("NFC", name), price, float(volume), instant))
    if accepted:
        found = [(point["symbol"], point["close"], point["volume"], point["exchange_time"]) for point in stored(root)]
        assert found == accepted
        assert len({(point["symbol"], point["time"]) for point in stored(root)}) == len(accepted)
    desk.close()
