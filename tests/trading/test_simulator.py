"""The day that never was, and the demo that is made of it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command

from lab.models import KeptRun, Trial
from tests.trading.fake_desk import FakeDesk
from tests.waiting import PATIENCE_SECONDS
from trading import replay, summon
from trading.domain.money import to_units
from trading.errors import InvalidValue
from trading.management.commands import demo
from trading.models import Account, DailySummary, FeedGap, Journal, Signal, StopChange, Trade, User
from trading.queries.accounts import capital_flows, get_account, pnl_by_day
from trading.queries.statistics import strategy_stats
from trading.simulator import SHARES, simulate
from trading.strategies.base import nanoseconds

KOLKATA = ZoneInfo("Asia/Kolkata")
OPENS = nanoseconds(datetime(2026, 11, 20, 9, 15, tzinfo=KOLKATA).astimezone(UTC))
FULL_DAY = 375 * 60 * 10**9
MANAGE = Path(__file__).parents[2] / "manage.py"


def test_the_same_seed_gives_the_same_day_and_another_another():
    one, same, other = (simulate(OPENS, OPENS + FULL_DAY, seed=seed) for seed in (1, 1, 2))
    for first, second, third in zip(one, same, other, strict=True):
        assert np.array_equal(first.time, second.time)
        assert np.array_equal(first.price, second.price)
        assert np.array_equal(first.day_volume, second.day_volume)
        assert not np.array_equal(first.price, third.price)


def test_ticks_come_throughout_the_session_in_order_on_the_grid_and_volume_never_falls():
    for share, symbol in zip(SHARES, simulate(OPENS, OPENS + FULL_DAY, seed=demo.SEED), strict=True):
        assert symbol.name == share.name
        assert OPENS <= symbol.time[0] < OPENS + 60 * 10**9
        assert OPENS + FULL_DAY - 60 * 10**9 < symbol.time[-1] < OPENS + FULL_DAY
        assert (np.diff(symbol.time) >= 0).all()
        assert (np.diff(symbol.day_volume) >= 0).all()
        assert (symbol.day_volume[-1] > 0) == (share.size > 0)
        assert all(float(f"{price:.2f}") == price and round(price * 100) % 5 == 0 for price in symbol.price.tolist())
        assert abs(symbol.price / share.price - 1).max() < 0.1


def test_a_shorter_session_has_the_same_prices_closer_together():
    full, short = (simulate(OPENS, OPENS + length, seed=3) for length in (FULL_DAY, FULL_DAY // 5))
    for one, other in zip(full, short, strict=True):
        assert np.array_equal(one.price, other.price)
        assert abs((other.time - OPENS) * 5 - (one.time - OPENS)).max() <= 5 * 10**6


@pytest.mark.parametrize(
    ("opens", "closes"),
    [("09:15", "15:30"), ("09:15", "15:15"), ("18:00", "19:00"), ("09:15", "12:30"), ("11:15", "17:00")],
)
def test_a_demo_day_of_any_length_shows_all_that_a_reviewer_should_see(opens, closes):
    edges = [datetime.fromisoformat(f"2026-11-20 {wall}").replace(tzinfo=KOLKATA) for wall in (opens, closes)]
    feed = replay.feed_of(simulate(*(nanoseconds(edge.astimezone(UTC)) for edge in edges), seed=demo.SEED))
    desks = []
    for strategy in demo.strategies(edges[1] - edges[0]):
        desk = FakeDesk(*(edge.time() for edge in edges))
        strategy.on_start(desk)
        for tick in replay.ticks_of(next(feed.stretches())):
            strategy.on_tick(tick)
        strategy.on_end()
        desks.append(desk)
        closed = [trade for trade in desk.trades.values() if trade.closed_at]
        assert {trade.side for trade in closed} == {"LONG", "SHORT"}
        assert any(trade.pnl > 0 for trade in closed)
        assert any(trade.pnl < 0 for trade in closed)
        assert any(trade.stops for trade in closed)
        assert len({trade.symbol for trade in closed}) >= 3
        assert desk.signals
    trades = [trade for desk in desks for trade in desk.trades.values()]
    assert [trade.symbol for trade in trades if not trade.closed_at] == list(demo.CARRIED)
    assert desks[1].scaled_out


@pytest.fixture
def folder(tmp_path, settings):
    """A data folder for a demo, with a space in its name; the companion that it summons ends with the test."""
    yield tmp_path / "demo folder"
    lock = tmp_path / "demo folder" / "companion.lock"
    pid = lock.read_text() if lock.exists() else ""
    if pid.isdigit() and summon.companion_pid() == int(pid):
        os.kill(int(pid), signal.SIGTERM)


def manage(folder: Path, *arguments: str) -> subprocess.Popen:
    blank = dict.fromkeys(("DATABASE_URL", "CACHE_URL", "CELERY_BROKER_URL", "INFLUXDB_V2_URL"), "")
    env = {**os.environ, **blank, "VELOX_DATA_DIR": str(folder)}
    command = [sys.executable, str(MANAGE), *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def done(folder: Path, *arguments: str) -> str:
    process = manage(folder, *arguments)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    return err


def test_a_demo_folder_is_filled_once_also_when_it_is_killed_midway(folder, settings, ledger):
    done(folder, "demo", "--prepare", "--sessions", "5")
    login = (folder / "login").read_text()
    assert stat.S_IMODE((folder / "login").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    done(folder, "migrate", "--verbosity", "0")  # which --fill would do as well
    use(settings, folder)
    killed = manage(folder, "demo", "--fill")
    while Trade.objects.count() < 50:
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    done(folder, "demo", "--fill")
    first = everything()
    check_demo(login)
    assert done(folder, "demo", "--fill") == ""
    assert everything() == first
    assert not KeptRun.objects.exists()  # the pages do not wait for it
    assert "5 to train on and none to test on" in done(folder, "demo", "--look")
    assert {*KeptRun.objects.values_list("kind", flat=True)} == {"backtest", "stop_lab", "gap", "candles", "motifs"}
    trials = Trial.objects.count()
    assert done(folder, "demo", "--look") == ""
    assert Trial.objects.count() == trials
    assert everything() == first


def use(settings, folder: Path) -> None:
    from django.db import connections

    settings.DATA_DIR = folder
    connections.close_all()
    connections["default"].settings_dict["NAME"] = folder / "ledger.sqlite3"


def everything() -> list:
    tables = (Trade, StopChange, Signal, Journal, DailySummary, User, Account)
    return [list(table.objects.order_by("pk").values_list()) for table in tables]


def check_demo(login: str) -> None:
    account = Account.objects.get(code="main")
    assert account.book == "demo"
    trades = Trade.objects.filter(account=account)
    assert trades.filter(state="OPEN").count() == 1
    assert trades.filter(fills__role="EXIT", state="CLOSED", fills__sequence=3).exists()  # a scale-out
    last = trades.latest("opened_at").trading_day
    assert set(trades.filter(trading_day=last).values_list("strategy__code", flat=True)) == {
        "ema_cross",
        "opening_range",
    }
    assert trades.values("trading_day").distinct().count() == 5
    assert len({*trades.values_list("strategy__code", flat=True)}) == 4
    assert FeedGap.objects.filter(symbol="RELIANCE").count() == 1
    won = sum(pnl_by_day(account, until=last - timedelta(days=1)).values())
    assert won
    assert sum(capital_flows(account, until=last).values()) + won == to_units(Decimal(100_000))
    assert set(Signal.objects.values_list("decision", flat=True)) == {"TAKEN", "SKIPPED"}
    assert not trades.filter(state="CLOSED", charges=None).exists()
    assert strategy_stats(get_account("main"), "ema_cross", None, now=datetime.now(UTC))["total_trades"] > 20
    assert DailySummary.objects.count() == 5
    summary = DailySummary.objects.latest("day")
    assert json.loads(summary.body)["date"] == str(summary.day) == str(last)
    name, password = login.split()
    user = User.objects.get(username=name)
    assert check_password(password, user.password)  # no method of the user's: it would hash anew as the tests do
    assert user.is_staff
    assert set(user.groups.values_list("name", flat=True)) == {"reviewer", "operator"}


def test_a_demo_that_is_not_filled_has_nothing_to_look_at(tmp_path, settings):
    demo.prepare_folder(tmp_path, now=datetime(2026, 11, 20, 9, 59, tzinfo=UTC))
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match="nothing to look at yet"):
        call_command("demo", "--look")
    with pytest.raises(CommandError, match="No step was asked for"):
        call_command("demo")


def test_a_demo_day_is_the_last_completed_session_and_stays(tmp_path):
    saturday = datetime(2026, 11, 21, 4, tzinfo=UTC)
    demo.prepare_folder(tmp_path, now=saturday)
    assert demo.read_day(tmp_path).day == date(2026, 11, 20)
    demo.prepare_folder(tmp_path, now=saturday + timedelta(days=30))
    day = demo.read_day(tmp_path)
    assert (day.day, day.filled) == (date(2026, 11, 20), False)
    assert [edge.astimezone(KOLKATA).strftime("%H:%M") for edge in (day.opens_at, day.closes_at)] == ["09:15", "15:30"]


@pytest.mark.parametrize("sessions", [0, -1])
def test_a_demo_of_no_session_is_refused_and_leaves_no_folder(sessions, tmp_path):
    with pytest.raises(InvalidValue, match=f"sessions is {sessions}"):
        demo.prepare_folder(tmp_path / "demo", now=datetime(2026, 11, 20, tzinfo=UTC), sessions=sessions)
    assert not (tmp_path / "demo").exists()


def test_during_the_session_the_demo_day_is_the_one_before(tmp_path):
    demo.prepare_folder(tmp_path, now=datetime(2026, 11, 20, 9, 59, tzinfo=UTC))
    assert demo.read_day(tmp_path).day == date(2026, 11, 19)


def test_a_real_desks_folder_never_becomes_a_demo(tmp_path, ledger):
    (tmp_path / "ledger.sqlite3").touch()
    with pytest.raises(InvalidValue, match="holds a ledger that is no demo"):
        demo.prepare_folder(tmp_path, now=datetime(2026, 11, 20, tzinfo=UTC))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["ledger.sqlite3"]
    with pytest.raises(InvalidValue, match="nothing is made up in it"):
        demo._demo_account()


def test_a_folder_that_was_not_prepared_is_not_filled(tmp_path):
    with pytest.raises(InvalidValue, match="not prepared"):
        demo.read_day(tmp_path)
