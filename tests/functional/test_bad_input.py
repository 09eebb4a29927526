"""What the facade takes and what it refuses, one row each; after a refusal ledger, journal and spool are unchanged."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings

from tests.trading.book import snapshot
from trading import summon
from trading.data_manager import DataManager
from trading.errors import (
    AmbiguousTick,
    CrossesZero,
    IdConflict,
    InvalidValue,
    NotTradable,
    TradeClosed,
    UnknownAccount,
    UnknownTrade,
)
from trading.models import Instrument
from trading.operations.create_account import create_account

MORNING = datetime(2024, 3, 15, 4, 0, tzinfo=UTC)
LATER = MORNING + timedelta(minutes=5)
IST = timezone(timedelta(hours=5, minutes=30))
Call = Callable[[DataManager], Any]


def traded(manager: DataManager) -> None:
    """Leave an open trade T1, a closed one T0 and a signal."""
    manager.open_position("T0", "ema", "RELIANCE", 100, 10, MORNING)
    manager.close_position("T0", "ema", "RELIANCE", 101, LATER)
    manager.open_position("T1", "ema", "RELIANCE", 2450.05, 10, MORNING, stop_price=2440, fill_id="F1")
    manager.record_signal("ema", "TCS", MORNING, {"rsi": 70}, decision="SKIPPED", reason="hot")


@pytest.fixture
def dm(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataManager]:
    """A desk that traded, and a tick; nobody ships."""
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager() as manager:
        traded(manager)
        manager.process_tick("RELIANCE", {"ltp": 2450.05}, at=MORNING)
        Instrument.objects.filter(symbol="RELIANCE").update(quantity_step=1)
        yield manager


def everything() -> tuple[Any, ...]:
    """The ledger and its journal row by row, and each file of the spool byte by byte."""
    root = Path(settings.SPOOL_DIR)
    files = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}
    return snapshot(), files


@dataclass(frozen=True)
class Refused:
    name: str
    call: Call
    error: type[Exception] = InvalidValue


def opened(**said: Any) -> Call:
    given = {"trade_id": "N1", "strategy_id": "ema", "symbol": "RELIANCE", "entry_price": 100, "quantity": 10}
    return lambda dm: dm.open_position(**{**given, "entry_time": MORNING, **said})


def filled(**said: Any) -> Call:
    given = {"trade_id": "T1", "side": "SELL", "price": 2455, "quantity": 1, "at": LATER}
    return lambda dm: dm.add_fill(**{**given, **said})


def closed(**said: Any) -> Call:
    given = {"trade_id": "T1", "strategy_id": "ema", "symbol": "RELIANCE", "exit_price": 2465, "exit_time": LATER}
    return lambda dm: dm.close_position(**{**given, **said})


def stopped(**said: Any) -> Call:
    given = {"trade_id": "T1", "strategy_id": "ema", "symbol": "RELIANCE", "stop_price": 2445, "extreme_price": 2460}
    return lambda dm: dm.update_trailing_sl(**{**given, "method": "ATR", "at": LATER, **said})


def signalled(**said: Any) -> Call:
    given = {"strategy_id": "ema", "symbol": "TCS", "at": LATER, "conditions": {"rsi": 1}, "decision": "SKIPPED"}
    return lambda dm: dm.record_signal(**{**given, **said})


def ticked(tick: Any, symbol: Any = "RELIANCE", at: Any = None) -> Call:
    return lambda dm: dm.process_tick(symbol, tick, at=at)


def cached(values: Any, **said: Any) -> Call:
    return lambda dm: dm.cache_indicators(said.pop("symbol", "RELIANCE"), values, **said)


def snapped(**said: Any) -> Call:
    given = {"strategy_id": "ema", "symbol": "RELIANCE", "current_price": 2453, "quantity": 10}
    return lambda dm: dm.update_position_snapshot(**{**given, **said})


def made(**said: Any) -> Call:
    return lambda dm: DataManager(**said)


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"more": value}
    return value


FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
LONG_NAME = "न" * 22  # 66 bytes
BAR = {"open": 10, "high": 12, "low": 9, "close": 11}

REFUSED = [
    # prices, quantities, charges
    *(
        Refused(f"an entry price {value!r}", opened(entry_price=value))
        for value in (0, -1, math.nan, math.inf, True, "abc", "", None, [1], 1e-9, "0.123456789", 92_233_720_369)
    ),
    *(
        Refused(f"an entry price {value!r}", opened(entry_price=value))
        for value in (Decimal("NaN"), Decimal("-Infinity"), "1_000", " 5", "0x10", b"5", np.float64("nan"))
    ),
    *(Refused(f"a quantity {value!r}", opened(quantity=value)) for value in (0, -5, "ten", True, None, math.nan)),
    Refused("a quantity off the step", opened(quantity=2.5)),
    Refused("a value beyond the bound", opened(entry_price=92_233_720_368, quantity=2)),
    Refused("charges that are no number", opened(charges="little")),
    Refused("a stop price of zero", opened(stop_price=0)),
    Refused("a target price below zero", opened(target_price=-1)),
    *(Refused(f"a side {value!r}", opened(side=value)) for value in ("long", "BUY", None, 1)),
    # times
    *(
        Refused(f"an entry time {value!r}", opened(entry_time=value))
        for value in (None, "2024-03-15 09:30", 1.7e18, True, date(2024, 3, 15), 1_710_475_200)
    ),
    Refused("an entry before 2000", opened(entry_time=datetime(1999, 12, 31, tzinfo=UTC))),
    Refused("an entry more than a day ahead", opened(entry_time=FUTURE)),
    Refused("an entry in the year 1", opened(entry_time=datetime.min)),
    # names
    *(
        Refused(f"a strategy {value!r}", opened(strategy_id=value))
        for value in (
            "",
            " ema",
            "ema ",
            "a\nb",
            "a\x00b",
            "a\tb",
            "a\\b",
            "\ud800",
            "x" * 65,
            LONG_NAME,
            5,
            None,
            b"a",
        )
    ),
    Refused("a line separator in a name", opened(strategy_id="a\u2028b")),
    Refused("a trade id of 129 bytes", opened(trade_id="x" * 129)),
    Refused("an empty trade id", opened(trade_id="")),
    Refused("a symbol of outer space", opened(symbol="RELIANCE ")),
    Refused("an empty fill id", opened(fill_id="")),
    Refused("an order id with a newline", opened(order_id="a\n")),
    # conditions
    *(
        Refused(f"conditions {name}", opened(signal_conditions=value))
        for name, value in {
            "that are a list": [1],
            "with a key that is no text": {1: 2},
            "with NaN": {"rsi": math.nan},
            "with infinity": {"a": {"b": [math.inf]}},
            "seventeen deep": deep(17),
            "over 64 kB": {"a": "x" * 65_536},
            "with an object": {"a": object()},
            "with a lone surrogate": {"a": "\ud800"},
        }.items()
    ),
    # what the ledger knows already
    Refused("a trade on an index", opened(symbol="NIFTY 50"), NotTradable),
    Refused("the same id at another price", opened(trade_id="T1", entry_price=2450), IdConflict),
    Refused("the same id of another quantity", opened(trade_id="T1", entry_price=2450.05, quantity=11), IdConflict),
    Refused("the same id in another symbol", opened(trade_id="T1", entry_price=2450.05, symbol="TCS"), IdConflict),
    Refused("the same id on the other side", opened(trade_id="T1", entry_price=2450.05, side="SHORT"), IdConflict),
    # fills
    Refused("a fill of more than is open", filled(quantity=11), CrossesZero),
    Refused("a fill of an unknown trade", filled(trade_id="T9"), UnknownTrade),
    Refused("a fill before the opening", filled(at=MORNING - timedelta(seconds=1))),
    Refused("a fill without a time", filled(at=None)),
    Refused("a fill of side LONG", filled(side="LONG")),
    Refused("a fill on a closed trade", filled(trade_id="T0"), TradeClosed),
    Refused("a known fill id with another price", filled(fill_id="F1"), IdConflict),
    Refused("a fill at a price of True", filled(price=True)),
    # closing
    Refused("a close of an unknown trade", closed(trade_id="T9"), UnknownTrade),
    Refused("a close under another strategy", closed(strategy_id="orb"), UnknownTrade),
    Refused("a close before the opening", closed(exit_time=MORNING - timedelta(seconds=1))),
    Refused("a close without a time", closed(exit_time=None)),
    Refused("a close below zero", closed(exit_price=-1)),
    Refused("a fill below zero", filled(price="-0.01")),
    Refused("a reported pnl that is no number", closed(pnl="much")),
    Refused("a reported percent that is NaN", closed(pnl_percent=math.nan)),
    Refused("an exit reason that is no text", closed(exit_reason=5)),
    Refused("a second close at another price", closed(trade_id="T0", exit_price=102), TradeClosed),
    # stops
    Refused("a stop of a closed trade", stopped(trade_id="T0"), TradeClosed),
    Refused("a stop of an unknown trade", stopped(trade_id="T9"), UnknownTrade),
    Refused("a stop at zero", stopped(stop_price=0)),
    Refused("an extreme price of NaN", stopped(extreme_price=math.nan)),
    Refused("a stop without a method", stopped(method="")),
    Refused("a stop before the opening", stopped(at=MORNING - timedelta(seconds=1))),
    # signals
    *(Refused(f"a decision {value!r}", signalled(decision=value)) for value in ("MAYBE", "taken", None)),
    Refused("a signal without a time", signalled(at=None)),
    Refused("a signal whose conditions are a text", signalled(conditions="rsi > 70")),
    Refused("a signal whose reason is a number", signalled(reason=5)),
    # ticks
    *(Refused(f"a tick {value!r}", ticked(value)) for value in ({}, [1], "2450", None, 5, {"volume": 3})),
    *(
        Refused(f"a last price {value!r}", ticked({"ltp": value}))
        for value in (0, -1, math.nan, math.inf, True, "abc", None, [1])
    ),
    Refused("a last price beside another close", ticked({"ltp": 10, "close": 9}), AmbiguousTick),
    Refused("two last prices", ticked({"ltp": 10, "price": 11}), AmbiguousTick),
    Refused("a high below the low", ticked({**BAR, "high": 8}), AmbiguousTick),
    Refused("a close above the high", ticked({**BAR, "close": 13}), AmbiguousTick),
    Refused("half a bar", ticked({"open": 10, "close": 11}), AmbiguousTick),
    Refused("a volume below zero", ticked({"ltp": 10, "volume": -1})),
    Refused("a volume of NaN", ticked({"ltp": 10, "volume": math.nan})),
    *(
        Refused(f"a timestamp {value!r}", ticked({"ltp": 10, "timestamp": value}))
        for value in ("09:15:00", 1_618_199_100, 1.6e18, datetime(1999, 1, 1), FUTURE)
    ),
    *(Refused(f"a symbol {value!r}", ticked({"ltp": 10}, value)) for value in ("", " X", None, 5, "x" * 65, "a\\b")),
    Refused("columns of unequal length", lambda dm: dm.process_ticks({"symbol": ["A"], "ltp": [1, 2]})),
    Refused("many ticks that are a number", lambda dm: dm.process_ticks(5)),
    # indicators and snapshots
    *(
        Refused(f"indicators {name}", cached(value))
        for name, value in {
            "that are a list": [1],
            "of NaN": {"rsi": math.nan},
            "of True": {"rsi": True},
            "within indicators": {"rsi": {"fast": 1}},
            "under a number": {1: 2},
            "over 64 kB": {f"name {number}": 1.5 for number in range(9_000)},
        }.items()
    ),
    Refused("indicators at a text", cached({"rsi": 1}, at="now")),
    Refused("indicators of a timeframe with outer space", cached({"rsi": 1}, timeframe=" 5m")),
    Refused("a snapshot at zero", snapped(current_price=0)),
    Refused("a snapshot of no quantity", snapped(quantity=0)),
    Refused("a snapshot with a pnl of NaN", snapped(pnl=math.nan)),
    Refused("a snapshot of no strategy", snapped(strategy_id="")),
    # readings
    Refused("ticks whose start lies after their stop", lambda dm: dm.get_ticks("TCS", LATER, MORNING)),
    Refused("ticks from a text on", lambda dm: dm.get_ticks("TCS", "today", LATER)),
    Refused("ticks of no symbol", lambda dm: dm.get_ticks("", MORNING, LATER)),
    *(
        Refused(f"candles of every {value!r}", lambda dm, value=value: dm.get_candles("TCS", value, MORNING, LATER))
        for value in ("2m", "", None, 60, ["1m"])
    ),
    Refused("trades from after to before", lambda dm: dm.get_trades(start=LATER, stop=MORNING)),
    Refused("trades of a state that is none", lambda dm: dm.get_trades(state="open")),
    Refused("signals from after to before", lambda dm: dm.get_signals("ema", LATER, MORNING)),
    *(
        Refused(f"statistics over {value!r} days", lambda dm, value=value: dm.get_strategy_stats("ema", days=value))
        for value in (0, -1, True, 1.5, "30")
    ),
    Refused("statistics of a symbol over no days", lambda dm: dm.get_symbol_stats("TCS", days=0)),
    Refused("the summary of a day that is none", lambda dm: dm.get_daily_summary("yesterday")),
    Refused("a trade that is not there", lambda dm: dm.get_trade("T9"), UnknownTrade),
    Refused("the fills of a trade that is not there", lambda dm: dm.get_executions("T9"), UnknownTrade),
    Refused("the stops of a trade that is not there", lambda dm: dm.get_trailing_sl_history("T9"), UnknownTrade),
    Refused("the latest tick of a number", lambda dm: dm.get_latest_tick(5)),
    *(
        Refused(f"a flush of {value!r} s", lambda dm, value=value: dm.flush(value))
        for value in (-1, "5", math.nan, True)
    ),
    # the facade itself
    *(Refused(f"a source {value!r}", made(source=value)) for value in ("", " a", "a\nb", "ledger", None, "x" * 65)),
    *(Refused(f"an account {value!r}", made(account=value)) for value in ("", "a\\b", None)),
    Refused("a storage fault that is ignored", made(on_storage_fault="ignore")),
    Refused("a volume of another kind", made(volume="daily")),
    Refused("positional arguments", lambda dm: DataManager("default"), TypeError),  # type: ignore[misc]
    *(
        Refused(f"{name} in an unknown account", call, UnknownAccount)
        for name, call in {
            "a trade": lambda dm: opened()(DataManager(account="nobody")),
            "a tick": lambda dm: ticked({"ltp": 1})(DataManager(account="nobody")),
            "ticks": lambda dm: DataManager(account="nobody").process_ticks([{"symbol": "A", "ltp": 1}]),
            "indicators": lambda dm: cached({"a": 1})(DataManager(account="nobody")),
            "a snapshot": lambda dm: snapped()(DataManager(account="nobody")),
            "a reading": lambda dm: DataManager(account="nobody").get_ticks("A", MORNING, LATER),
            "statistics": lambda dm: DataManager(account="nobody").get_strategy_stats("ema"),
            "a position": lambda dm: DataManager(account="nobody").get_position("ema", "TCS"),
        }.items()
    ),
]


@pytest.mark.ledger
def test_what_is_refused_changes_nothing_and_the_desk_goes_on(dm: DataManager, subtests: pytest.Subtests) -> None:
    before = everything()
    for row in REFUSED:
        with subtests.test(row.name):
            with pytest.raises(row.error) as caught:
                row.call(dm)
            assert type(caught.value) is row.error
            assert everything() == before
            if row.error is not TypeError:
                assert caught.value.code and caught.value.hint
                assert "\x00" not in str(caught.value)
    assert dm.process_tick("RELIANCE", {"ltp": 2451}, at=LATER) is True
    assert dm.close_position("T1", "ema", "RELIANCE", 2465, LATER).state == "CLOSED"


@dataclass(frozen=True)
class Accepted:
    name: str
    call: Call
    read: Call
    expected: Any


def price_of(dm: DataManager) -> Decimal | None:
    return dm.get_trade("N1").avg_price


def newest(symbol: str = "RELIANCE", key: str = "close") -> Call:
    return lambda dm: (dm.get_latest_tick(symbol) or {}).get(key)


FACTS = [
    *(
        Accepted(f"an entry price {value!r}", opened(entry_price=value), price_of, Decimal(text))
        for value, text in (
            (2450.05, "2450.05"),
            ("2450.05", "2450.05"),
            (Decimal("2450.0500"), "2450.05"),
            (0.3, "0.3"),
            (1e-8, "0.00000001"),
            ("1e3", "1000"),
            (np.float64(99.5), "99.5"),
            (np.int64(7), "7"),
            (np.float32(0.1), "0.1"),
        )
    ),
    Accepted(
        "the largest price",
        opened(entry_price=92_233_720_368, quantity=1),
        price_of,
        Decimal(92_233_720_368),
    ),
    Accepted("charges of zero", opened(charges=0), lambda dm: dm.get_trade("N1").charges, Decimal(0)),
    Accepted("a rebate", opened(charges=-1), lambda dm: dm.get_trade("N1").charges, Decimal(-1)),
    Accepted(
        "a close at zero",
        closed(exit_price=0, exit_reason="expired"),
        lambda dm: (dm.get_trade("T1").realised_pnl, dm.get_trade("T1").flags),
        (Decimal("-24500.5"), ("price_zero",)),
    ),
    Accepted(
        "shares that came for nothing",
        filled(side="BUY", price=0, quantity=10),
        lambda dm: (dm.get_trade("T1").open_quantity, dm.get_trade("T1").avg_price),
        (Decimal(20), Decimal("1225.025")),
    ),
    Accepted("a short", opened(side="SHORT"), lambda dm: dm.get_trade("N1").side, "SHORT"),
    *(
        Accepted(f"an entry time as {name}", opened(entry_time=value), lambda dm: dm.get_trade("N1").opened_at, MORNING)
        for name, value in {
            "naive desk time": datetime(2024, 3, 15, 9, 30),
            "aware time of another zone": MORNING.astimezone(IST),
            "nanoseconds": int(MORNING.timestamp()) * 10**9,
            "numpy's nanoseconds": np.int64(int(MORNING.timestamp()) * 10**9),
        }.items()
    ),
    Accepted(
        "an entry 23 hours ahead",
        opened(trade_id="N1", entry_time=datetime.now(UTC) + timedelta(hours=23)),
        lambda dm: dm.get_trade("N1").state,
        "OPEN",
    ),
    *(
        Accepted(f"a name {value!r}", opened(strategy_id=value), lambda dm: dm.get_trade("N1").strategy_id, value)
        for value in (
            "M&M",
            "a, b = c",
            "x^y/z",
            'it\'s "quoted"',
            "रणनीति",
            "戦略",
            "two  spaces",
            "{}",
            "%s",
            "'; --",
        )
    ),
    Accepted("a name of 64 bytes", opened(strategy_id="x" * 64), lambda dm: dm.get_trade("N1").strategy_id, "x" * 64),
    Accepted(
        "a trade id of 128 bytes", opened(trade_id="x" * 128), lambda dm: dm.get_trade("x" * 128).trade_id, "x" * 128
    ),
    Accepted(
        "a name in NFD, kept in NFC",
        opened(strategy_id="cafe\u0301"),
        lambda dm: dm.get_trade("N1").strategy_id,
        "caf\u00e9",
    ),
    Accepted(
        "a symbol of another exchange",
        opened(symbol="BSE:RELIANCE"),
        lambda dm: dm.get_trade("N1").symbol,
        "BSE:RELIANCE",
    ),
    Accepted(
        "conditions sixteen deep",
        signalled(conditions=deep(16)),
        lambda dm: dm.get_signals("ema", LATER, LATER + timedelta(1))[0].conditions,
        deep(16),
    ),
    Accepted(
        "conditions of every kind",
        signalled(conditions={"a": 1, "b": 1.5, "c": "x", "d": True, "e": None, "f": [1, {"g": 2}], "": 0}),
        lambda dm: dm.get_signals("ema", LATER, LATER + timedelta(1))[0].conditions,
        {"a": 1, "b": 1.5, "c": "x", "d": True, "e": None, "f": [1, {"g": 2}], "": 0},
    ),
    Accepted(
        "no conditions", signalled(conditions={}), lambda dm: len(dm.get_signals("ema", LATER, LATER + timedelta(1))), 1
    ),
    Accepted("a close without figures", closed(), lambda dm: dm.get_trade("T1").state, "CLOSED"),
    Accepted(
        "a close that reports what is not so",
        closed(pnl=1, pnl_percent=50),
        lambda dm: dm.get_trade("T1").flags,
        ("reported_pnl_differs", "reported_pnl_percent_differs"),
    ),
    Accepted(
        "an exit at the opening's instant", closed(exit_time=MORNING), lambda dm: dm.get_trade("T1").state, "CLOSED"
    ),
    Accepted(
        "a stop beyond the entry", stopped(stop_price=2452), lambda dm: dm.get_trade("T1").stop_price, Decimal(2452)
    ),
    Accepted(
        "a stop that moves back",
        stopped(stop_price=2430),
        lambda dm: dm.get_trade("T1").flags,
        ("stop_moved_back",),
    ),
]
POINTS_AND_READINGS = [
    *(
        Accepted(f"a tick {tick!r}", ticked(tick), newest(key=key), value)
        for tick, key, value in (
            ({"ltp": 2451}, "close", 2451.0),
            ({"last_price": "2451.5"}, "close", 2451.5),
            ({"price": Decimal("2451.05")}, "close", 2451.05),
            ({"close": 2452.5}, "close", 2452.5),
            (BAR, "high", 12.0),
            ({**BAR, "volume": 0}, "volume", 0.0),
            ({"ltp": 10, "open": 9, "high": 11, "low": 9}, "close", 10.0),
            ({"ltp": 10, "bid": 9.95, "ask": 10.05, "oi": 0}, "ask", 10.05),
            ({"ltp": 10, "mode": "full", "depth": {"buy": []}}, "close", 10.0),
            ({"ltp": 10, "day_volume": 10**9}, "day_volume", 1e9),
            ({"ltp": 10, "volume": None}, "close", 10.0),
            ({"ltp": np.float64(10)}, "close", 10.0),
        )
    ),
    *(
        Accepted(f"a tick of {symbol!r}", ticked({"ltp": 10}, symbol), newest(symbol), 10.0)
        for symbol in ("NIFTY 50", "M&M", "BAJAJ-AUTO", "^NSEI", "BTC/USDT", "a=b,c")
    ),
    Accepted(
        "indicators of numpy and decimals",
        cached({"rsi": np.float64(45.5), "ema9": Decimal("2448.05"), "n": 3}),
        lambda dm: dm.get_indicators("RELIANCE"),
        {"rsi": 45.5, "ema9": 2448.05, "n": 3.0},
    ),
    Accepted("no indicators", cached({}), lambda dm: dm.get_indicators("RELIANCE"), {}),
    Accepted(
        "a snapshot at a loss",
        snapped(pnl=-30.5, pnl_percent=-1.2, at=LATER),
        lambda dm: dm.get_position_history("ema", "RELIANCE", LATER, LATER + timedelta(1)).column("pnl").to_pylist(),
        [-30.5],
    ),
    Accepted("a reading of an instant", lambda dm: True, lambda dm: len(dm.get_ticks("RELIANCE", MORNING, MORNING)), 0),
    *(
        Accepted(f"a reading within {name}", lambda dm: True, lambda dm, b=bounds: len(dm.get_ticks("RELIANCE", *b)), 1)
        for name, bounds in {
            "all of time": (datetime.min, datetime.max),
            "all of aware time": (
                datetime.min.replace(tzinfo=IST),
                datetime.max.replace(tzinfo=timezone(-timedelta(hours=8))),
            ),
            "nanoseconds": (0, 2**63 - 1),
            "integers of any size": (-(10**30), 10**30),
        }.items()
    ),
    Accepted(
        "statistics over all days",
        lambda dm: True,
        lambda dm: dm.get_strategy_stats("ema", days=None)["total_trades"],
        1,
    ),
    Accepted(
        "an unknown strategy's statistics", lambda dm: True, lambda dm: dm.get_strategy_stats("?")["total_trades"], 0
    ),
    Accepted("the tick of an unknown symbol", lambda dm: True, lambda dm: dm.get_latest_tick("NOBODY"), None),
    Accepted("the indicators of an unknown symbol", lambda dm: True, lambda dm: dm.get_indicators("NOBODY"), None),
    Accepted("a flat position", lambda dm: True, lambda dm: dm.get_position("ema", "NOBODY").open_quantity, Decimal(0)),
]


@pytest.mark.ledger
def test_a_fact_is_taken(dm: DataManager, subtests: pytest.Subtests) -> None:
    """Each in an account of its own, where the desk did the same before."""
    terms = {"book": "paper", "currency": "INR", "zone": "Asia/Kolkata", "capital": 0, "capital_date": MORNING.date()}
    for number, row in enumerate(FACTS):
        create_account(f"desk {number}", **terms)
        with DataManager(account=f"desk {number}") as desk, subtests.test(row.name):
            traded(desk)
            assert row.call(desk)
            assert row.read(desk) == row.expected


@pytest.mark.parametrize(
    "row", POINTS_AND_READINGS, ids=lambda row: row.name.encode("ascii", "backslashreplace").decode()
)
def test_a_point_is_taken_and_a_reading_answered(dm: DataManager, row: Accepted) -> None:
    assert row.call(dm)
    assert row.read(dm) == row.expected


def test_the_table_is_no_shorter_than_it_should_be() -> None:
    assert len(REFUSED) >= 80
    assert len(FACTS) + len(POINTS_AND_READINGS) >= 70


def test_many_ticks_keep_the_good_rows_and_name_the_others(dm: DataManager) -> None:
    batch = dm.process_ticks(
        [
            {"symbol": "TCS", "ltp": 10},
            {"symbol": "TCS", "ltp": 0},
            {"ltp": 10},
            {"symbol": "TCS", "ltp": 11, "close": 9},
            "nonsense",
            {"symbol": "TCS", "ltp": 12},
        ]
    )
    assert batch.accepted == 2
    codes = [(index, code) for index, code, _ in batch.rejected]
    assert codes == [(1, "price_not_positive"), (2, "no_symbol"), (3, "ambiguous_tick"), (4, "no_symbol")]
    assert all(hint for _, _, hint in batch.rejected)
    assert (dm.get_latest_tick("TCS") or {})["last_price"] == 12.0
