"""Other stops on real ticks, why bars are refused, and `manage.py stop_lab`."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as some

from bench.backtest import STEMS, day_of
from lab.domain.stops import StopRule, units_of
from lab.models import Trial
from trading import summon
from trading.data_manager import DataManager
from trading.domain.money import SCALE

ENTRIES = range(20, 336, 5)  # candles number 21, 26, ... 336, counted from 1
TRAIL = StopRule(5, trails=True)


@pytest.fixture
def real_day(market_data: Path):
    folder = market_data / "nse-ticks-2021"
    return day_of({symbol: folder / f"{stem}_12_April.csv" for symbol, stem in STEMS.items()})


def candles(ticks):
    """Prices in units, and where each non-empty minute begins."""
    minute = (ticks.time - ticks.session[0]) // (60 * 10**9)
    return units_of(ticks.price), np.flatnonzero(np.diff(minute, prepend=-1))


@pytest.mark.data
def test_trailing_stops_on_real_ticks_lose_what_was_counted_apart(real_day):
    """64 longs a share on 12 April 2021, trailing by 5 bp: counted by a script of its own that knows no VELOX."""
    pnl = {}
    for ticks in real_day.symbols:
        prices, starts = candles(ticks)
        pnl[ticks.symbol] = 0
        for number in ENTRIES:
            entry, after = int(prices[starts[number]]), prices[starts[number] + 1 :]
            row = TRAIL.exit_row(after, entry, is_long=True)
            pnl[ticks.symbol] += int(after[-1 if row is None else row]) - entry
    assert {symbol: units / SCALE for symbol, units in pnl.items()} == {
        "BAJAJ-AUTO": -53.45, "RELIANCE": -26.50, "M&M": -7.90,
    }  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize(("high_first", "pnl"), [(False, 9.47), (True, 25.12)])
def test_the_same_on_bars_has_the_wrong_sign(real_day, high_first, pnl):
    [ticks] = [of for of in real_day.symbols if of.symbol == "BAJAJ-AUTO"]
    prices, starts = candles(ticks)
    highs, lows = np.maximum.reduceat(prices, starts), np.minimum.reduceat(prices, starts)
    total = 0.0
    for number in ENTRIES:
        entry = best = int(prices[starts[number]])
        exit_price = int(prices[-1])
        for high, low in zip(highs[number:].tolist(), lows[number:].tolist(), strict=True):
            best = max(best, high) if high_first else best
            if low <= best - entry * 5 / 10_000:
                exit_price = best - entry * 5 / 10_000
                break
            best = max(best, high)
        total += exit_price - entry
    assert total / SCALE == pytest.approx(pnl, abs=0.005)


def one_by_one(prices: list[int], entry: int, distance: int, *, is_long: bool, trails: bool) -> int | None:
    best, sign = entry, 1 if is_long else -1
    for row, price in enumerate(prices):
        if sign * (price - best) + distance <= 0:
            return row
        if trails and sign * (price - best) > 0:
            best = price
    return None


@given(some.lists(some.integers(9_000, 11_000), max_size=60), some.integers(1, 900), some.booleans(), some.booleans())
def test_a_stop_is_followed_as_one_tick_after_the_other_says(prices, basis_points, is_long, trails):
    rule, entry = StopRule(basis_points, trails), 10_000
    row = rule.exit_row(np.array(prices, dtype=np.int64), entry, is_long=is_long)
    assert row == one_by_one(prices, entry, basis_points, is_long=is_long, trails=trails)


# -- the command -------------------------------------------------------------------------------------------------------


def moment(day: int, second: int) -> datetime:
    return datetime(2021, 4, day, 4, second // 60, second % 60, tzinfo=UTC)


@pytest.fixture
def traded(ledger, monkeypatch):
    """A long on each of two days that ran from 1000 to 1010 and fell; closed by hand at 1001, with charges once."""
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager(source="nse") as dm:
        for day in (12, 13):
            for second, price in enumerate([1000, 1004, 1010, 1006, 1003, 1001, 990]):
                dm.process_tick("RELIANCE", {"ltp": price}, at=moment(day, second))
            dm.open_position(f"T{day}", "byhand", "RELIANCE", 1000, 2, moment(day, 0))
            charges = {"charges": 3} if day == 12 else {}
            dm.close_position(f"T{day}", "byhand", "RELIANCE", 1001, moment(day, 5), exit_reason="target", **charges)


def lab(*arguments: object) -> dict:
    out = io.StringIO()
    words = ("byhand", "--from", "2021-04-12", "--to", "2021-04-13", *map(str, arguments))
    call_command("stop_lab", *words, "--format", "json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_each_rule_is_told_before_and_on_the_days_that_are_held_out(traded):
    answer = lab("--stop", 50, "--trail", 50, "--trail", 300, "--hold-out", 1)
    assert (answer["trades"], answer["trades_without_charges"], answer["held_out_from"]) == (2, 1, "2021-04-13")
    assert (answer["own_pnl"], answer["own_held_out_pnl"]) == ("-1", "2")
    rows = {row["rule"]: (row["stopped"], row["censored"], row["pnl"], row["held_out_pnl"]) for row in answer["rules"]}
    assert rows == {
        "stop 50 bp": (2, 0, "-23", "-20"),  # reached by the last tick, at 990
        "trail 50 bp": (2, 0, "3", "6"),  # raised to 1005, filled at 1003
        "trail 300 bp": (0, 2, "-23", "-20"),  # held to the day's end
    }
    assert answer["best"] == "trail 50 bp"
    assert answer["trials"] == Trial.objects.count() == 3
    assert lab("--stop", 50, "--trail", 50, "--trail", 300)["trials"] == 3  # the same looks again


def test_stops_are_charged_as_they_were_booked_or_by_a_percentage_or_a_plan(traded):
    rules = ("--stop", 50, "--trail", 300)
    assert lab(*rules)["charges"] == "booked"
    percent = lab(*rules, "--charges", "0.1")  # of 2,000 twice; of 2,000 and 2,002, and 1,980
    assert (percent["own_pnl"], percent["trades_without_charges"]) == ("-4.004", 0)
    assert [row["pnl"] for row in percent["rules"]] == ["-47.96", "-47.96"]
    none = lab(*rules, "--charges", "none")
    assert (none["own_pnl"], none["trades_without_charges"]) == ("4", 2)
    plan = lab(*rules, "--charges", "zerodha")
    assert (plan["charges"], plan["trades_without_charges"]) == ("zerodha", 0)
    assert float(plan["own_pnl"]) < 4 - 2 * 2 * (0.6 + 0.6) * 1.18 / 2
    assert plan["trials"] == 8  # each way of charging is a look of its own


def test_what_cannot_be_followed_is_left_out_and_said(traded):
    with DataManager(source="nse") as dm:
        dm.open_position("two", "byhand", "RELIANCE", 1000, 1, moment(12, 1))
        dm.add_fill("two", "BUY", 1001, 1, moment(12, 2))
        dm.close_position("two", "byhand", "RELIANCE", 1003, moment(12, 4))
        dm.open_position("none", "byhand", "TCS", 1000, 1, moment(12, 1))
        dm.close_position("none", "byhand", "TCS", 1003, moment(12, 4))
    answer = lab("--trail", 50)
    assert (answer["trades"], sum(answer["left_out"].values())) == (2, 2)
    out = io.StringIO()
    call_command("stop_lab", "byhand", "--from", "2021-04-12", "--to", "2021-04-13", stdout=out)
    assert "as it was" in out.getvalue() and "Left out: 1 without ticks" in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--stop", "0"), "1 to 9999"),
        (("--charges", "much"), "brokerage plan"),
        (("--hold-out", "-1"), "--hold-out"),
        (("--hold-out", "2"), "2 of 2 days with trades are held out. Leave a day"),
        (("--hold-out", "3"), "3 of 2 days with trades are held out. Leave a day"),
        (("--ticks", "replay"), "--ticks names the account"),
        (("--symbol", "TCS"), "No trade of byhand"),
        (("--account", "nobody"), "no account"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_what_to_do(traded, arguments, words):
    with pytest.raises(CommandError, match=words) as error:
        lab(*arguments)
    assert error.value.returncode == 2
    assert not Trial.objects.exists()
