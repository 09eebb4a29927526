"""Five real market files through the real command in real processes: recorded, traded on, repeated, killed midway."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from tests.waiting import PATIENCE_SECONDS
from trading import summon
from trading.data_manager import DataManager
from trading.models import Fill, Realisation, Signal, StopChange, Trade

pytestmark = pytest.mark.data

MANAGE = Path(__file__).parents[2] / "manage.py"
KOLKATA = ZoneInfo("Asia/Kolkata")
DAY = datetime(2021, 4, 12, tzinfo=KOLKATA), datetime(2021, 4, 13, tzinfo=KOLKATA)
SYMBOLS = {
    "RELIANCE": "RELIANCE",
    "MM": "M&M",
    "BAJAJ_AUTO": "BAJAJ-AUTO",
    "Nifty": "NIFTY 50",
    "Nifty_Bank": "NIFTY BANK",
}
INDICES = {"NIFTY 50", "NIFTY BANK"}
# data/README.md: rows, lowest and highest price, the last volume of the day, first and last time.
TABLE = {
    "RELIANCE": (21960, "1900.25", "1960.25", 9429114, "09:15:08", "15:24:36"),
    "M&M": (21735, "738.6", "775.6", 4557099, "09:15:08", "15:24:19"),
    "BAJAJ-AUTO": (21450, "3480.2", "3599", 709292, "09:15:00", "15:24:04"),
    "NIFTY 50": (20680, "14249.7", "14610.35", 0, "09:15:09", "15:24:42"),
    "NIFTY BANK": (20820, "30522.5", "31526.1", 0, "09:15:09", "15:24:43"),
}
STRATEGIES = ("ema_cross", "opening_range")


@pytest.fixture
def files(market_data) -> list[Path]:
    return [market_data / "nse-ticks-2021" / f"{stem}_12_April.csv" for stem in SYMBOLS]


@pytest.fixture
def desk(ledger) -> Iterator[Any]:
    yield ledger
    companion = summon.companion_pid()
    if companion:
        os.kill(companion, signal.SIGTERM)


def start(desk: Any, *arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(MANAGE), *map(str, arguments)]
    return subprocess.Popen(command, env=desk.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def manage(desk: Any, *arguments: Any) -> dict[str, Any]:
    """Run a command in a process of its own; return its answer."""
    out, err = (process := start(desk, *arguments, "--format", "json")).communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    return json.loads(out)


def called(*arguments: str) -> dict[str, Any]:
    """Run a command whose process is not what a test is about; return its answer."""
    out = io.StringIO()
    call_command(*arguments, "--format", "json", stdout=out)
    return json.loads(out.getvalue())


def named(files: list[Path]) -> list[Any]:
    """The files, and an option for each that names its symbol."""
    stems = [path.name.removesuffix("_12_April.csv") for path in files]
    return [*files, *(option for stem in stems for option in ("--symbol", f"{stem}={SYMBOLS[stem]}"))]


def replay(desk: Any, files: list[Path], *options: Any) -> dict[str, Any]:
    return manage(desk, "replay", *named(files), *options)


def rows(queryset: Any, *fields: str) -> list[tuple]:
    return list(queryset.order_by(*fields[:3]).values_list(*fields))


def books(account: str) -> dict[str, list[tuple]]:
    """Everything that the ledger holds of an account, except when it was recorded and under which row number."""
    of, trade = {"account__code": account}, {"trade__account__code": account}
    key = ("trade__trade_id", "trade__trading_day")
    return {
        "trades": rows(
            Trade.objects.filter(**of),
            *(
                "trade_id",
                "strategy__code",
                "trading_day",
                "instrument__symbol",
                "side",
                "state",
                "opened_at",
                "closed_at",
            ),
            *("entry_quantity", "entry_value", "open_quantity", "open_cost", "realised_pnl", "charges", "stop_price"),
            *("initial_risk", "exit_reason", "flags"),
        ),
        "fills": rows(
            Fill.objects.filter(**trade), *key, "sequence", "fill_id", "side", "role", "price", "quantity", "at"
        ),
        "stops": rows(
            StopChange.objects.filter(**trade), *key, "at", "stop_price", "extreme_price", "method", "moved_back"
        ),
        "signals": rows(
            Signal.objects.filter(**of),
            *("strategy__code", "instrument__symbol", "at", "decision", "reason", "conditions", "trade__trade_id"),
        ),
        "realised": rows(
            Realisation.objects.filter(**of), *key, "at", "quantity", "cost", "proceeds", "pnl", "closes", "day"
        ),
    }


def points(account: str, source: str) -> dict[str, Any]:
    """Every point of the replay, as the facade reads it back."""
    with DataManager(source="reader", account=account) as dm:
        told: dict[str, Any] = {}
        for symbol in TABLE:
            told[symbol] = dm.get_ticks(symbol, *DAY, source=source).drop_columns(["received_time", "source"])
            told[f"{symbol} indicators"] = plain(dm.get_indicator_history(symbol, *DAY))
            for strategy in STRATEGIES:
                told[f"{symbol} {strategy}"] = plain(dm.get_position_history(strategy, symbol, *DAY))
        return told


def plain(table: Any) -> Any:
    return table.drop_columns(["received_time", "source", "account"])


def renamed(files: list[Path], folder: Path) -> list[str]:
    """The files under other names, some gzipped, given the other way round."""
    options: list[str] = []
    for place, (path, symbol) in enumerate(zip(files, SYMBOLS.values(), strict=True)):
        content = path.read_bytes()
        other = folder / (f"feed {place}.csv" if place % 2 else f"x{place}.csv.gz")
        other.write_bytes(content if place % 2 else gzip.compress(content))
        options = [str(other), *options, "--symbol", f"{other.name.partition('.')[0]}={symbol}"]
    return options


def test_five_files_are_stored_whole_and_their_candles_add_up(desk, files):
    told = replay(desk, files)
    assert {symbol: found["stored"] for symbol, found in told["symbols"].items()} == {
        s: row[0] for s, row in TABLE.items()
    }
    for symbol, (count, low, high, volume, first, last) in TABLE.items():
        found = told["symbols"][symbol]
        assert (found["rows"], found["low"], found["high"], found["last_day_volume"]) == (count, low, high, volume)
        ends = [
            datetime.fromisoformat(found[name]).astimezone(KOLKATA).strftime("%H:%M:%S")
            for name in ("first_at", "last_at")
        ]
        assert ends == [first, last]
    assert told["rows_read"] == told["accepted"] == told["ticks_stored"] == 106_645
    assert told["rejected"]["total"] == 0
    assert called("spool")["points"] | {"oldest_seconds": None, "unsynced_seconds": 0.0} == {
        **dict.fromkeys(("spooled", "dead_lettered", "expired", "damaged", "cleared", "balance"), 0),
        "accepted": 106_645,
        "stored": 106_645,
        "oldest_seconds": None,
        "unsynced_seconds": 0.0,
    }
    with DataManager(source="reader", account="replay") as dm:
        for symbol, (*_, volume, _, _) in TABLE.items():
            for every in ("1m", "15m", "1d"):
                candles = dm.get_candles(symbol, every, *DAY)
                assert sum(candles.column("volume").to_pylist()) == volume
                assert sum(candles.column("ticks").to_pylist()) == TABLE[symbol][0]


def test_every_row_of_a_file_is_a_point_in_its_order(desk, files):
    """Read the file again with nothing but the standard library, and compare it with the points."""
    replay(desk, files[1:2])
    seen: Counter[str] = Counter()
    expected = []
    for line in files[1].read_text().splitlines()[1:]:
        stamp, price, volume = line.split(",")
        instant = int(datetime.fromisoformat(stamp).replace(tzinfo=KOLKATA).timestamp()) * 10**9
        expected.append((instant + seen[stamp], instant, float(price), float(volume)))
        seen[stamp] += 1
    with DataManager(source="reader", account="replay") as dm:
        table = dm.get_ticks("M&M", *DAY)
    columns = [table.column(name).cast("int64").to_pylist() for name in ("time", "exchange_time")]
    columns += [table.column(name).to_pylist() for name in ("close", "day_volume")]
    assert list(zip(*columns, strict=True)) == sorted(expected)
    assert set(table.column("source").to_pylist()) == {"replay"}
    assert table.column("volume").null_count == len(table)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_trades_the_shares_and_skips_the_indices_and_a_repeat_changes_nothing(
    desk, files, tmp_path, strategy
):
    told = replay(desk, files, "--strategy", strategy)
    first, first_points = books("replay"), points("replay", "replay")
    check_trades(told, first)
    check_pnl("replay")
    # Once the same files, once copies of them under other names.
    repeated = named(files) if strategy == "ema_cross" else renamed(files, tmp_path)
    again = manage(desk, "replay", *repeated, "--strategy", strategy)
    assert books("replay") == first
    assert points("replay", "replay") == first_points
    assert {**again, "elapsed_seconds": 0, "ticks_per_second": 0} == {
        **told,
        "elapsed_seconds": 0,
        "ticks_per_second": 0,
    }
    assert called("spool")["points"]["balance"] == 0


def check_trades(told: dict[str, Any], held: dict[str, list[tuple]]) -> None:
    assert told["ticks_stored"] == 106_645
    assert told["trades_opened"] == told["trades_closed"] == len(held["trades"]) >= 5
    assert told["trades_open"] == 0
    assert {row[4] for row in held["trades"]} == {"LONG", "SHORT"}
    assert {row[3] for row in held["trades"]} <= TABLE.keys() - INDICES
    decided = Counter((row[1] in INDICES, row[3]) for row in held["signals"])
    assert decided[False, "SKIPPED"] >= 1
    assert decided[True, "SKIPPED"] >= 1
    assert decided[True, "TAKEN"] == 0
    assert decided[False, "TAKEN"] == len(held["trades"])
    assert all(row[5] for row in held["signals"])  # conditions, also of those that were skipped
    latest = max(row[7] for row in held["trades"])
    assert latest <= datetime(2021, 4, 12, 9, 45, tzinfo=UTC)  # 15:15 at the desk


def check_pnl(account: str) -> None:
    """Recompute every trade from its fills, in fractions, with nothing of VELOX."""
    total = Fraction(0)
    for trade in Trade.objects.filter(account__code=account):
        bought = sold = Fraction(0)
        quantity = {"BUY": Fraction(0), "SELL": Fraction(0)}
        for fill in trade.fills.all():
            value = Fraction(fill.price) * Fraction(fill.quantity)
            bought, sold = (bought + value, sold) if fill.side == "BUY" else (bought, sold + value)
            quantity[fill.side] += Fraction(fill.quantity)
        assert quantity["BUY"] == quantity["SELL"] > 0
        assert Fraction(trade.realised_pnl) == sold - bought
        total += sold - bought
    pnl = sum(Realisation.objects.filter(account__code=account).values_list("pnl", flat=True), Decimal(0))
    assert Fraction(pnl) == total


def test_a_replay_that_is_killed_and_run_again_ends_as_if_undisturbed(desk, files):
    for account in ("calm", "shaken"):
        called("account", "create", account, "--book", "replay")
    files, strategy = files[:2], ("--strategy", "ema_cross")
    replay(desk, files, *strategy, "--account", "calm", "--source", "calm")
    count = Trade.objects.filter(account__code="calm").count()
    for trades in (2, count // 2):
        kill_at(desk, trades, ["replay", *named(files), *strategy, "--account", "shaken", "--source", "shaken"])
        assert 0 < Trade.objects.filter(account__code="shaken").count() < count
    replay(desk, files, *strategy, "--account", "shaken", "--source", "shaken")
    assert books("shaken") == books("calm")
    assert points("shaken", "shaken") == points("calm", "calm")
    assert called("spool")["points"]["balance"] == 0


def kill_at(desk: Any, trades: int, arguments: list[Any]) -> None:
    """Kill a replay with SIGKILL once the ledger has so many of its trades."""
    process = start(desk, *arguments)
    try:
        while Trade.objects.filter(account__code="shaken").count() < trades:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
