"""A strategy's day as its author sees it: plain scripts in processes of their own, from a folder that is not ours."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import Ledger
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]


def run(ledger: Ledger, script: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**ledger.env, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def said(ledger: Ledger, folder: Path, source: str) -> str:
    """Run a script that begins with the README's import; return what it printed."""
    script = folder / "strategy.py"
    script.write_text("from velox_site.desk import DataManager\n" + textwrap.dedent(source))
    done = run(ledger, script, folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.ledger
def test_the_predecessors_example_runs_as_written_also_twice_in_a_day(ledger: Ledger, tmp_path: Path) -> None:
    for _ in range(2):
        done = run(ledger, ROOT / "examples" / "workflow.py", tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "Win Rate: 100.00%\nTotal P&L: $150.00\n"
    shown = said(
        ledger,
        tmp_path,
        """
        trade = DataManager().get_trade("TRD001")
        flags = set(trade.flags) - {"market_closed"}  # the example takes the clock's time: on a holiday, too
        print(trade.state, trade.realised_pnl, trade.reported_pnl, *flags)
        """,
    )
    assert shown == "CLOSED 150 150 reported_pnl_percent_differs\n"


def test_the_second_example_is_two_bots_one_of_which_comes_back(ledger: Ledger, tmp_path: Path) -> None:
    done = run(ledger, ROOT / "examples" / "two_bots.py", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "reversion: short 10 TCS, ends in the midst of it",
        "breakout: closed with ₹50.00, one signal skipped",
        "reversion: back again, finds R1 open with 10",
        "reversion: closed with ₹250.00 before charges",
        "breakout: 1 trade, ₹50.00",
        "reversion: 1 trade, ₹237.60",
    ]


def test_a_facade_that_records_nothing_leaves_no_trace(tmp_path: Path, ledger: Ledger) -> None:
    nowhere = tmp_path / "nowhere"
    environment = Ledger(nowhere, env={**ledger.env, "VELOX_DATA_DIR": str(nowhere), "DATABASE_URL": ""})
    assert said(environment, tmp_path, "DataManager()\nprint('made')") == "made\n"
    assert not nowhere.exists()


def test_without_tables_a_ledger_call_says_what_to_run(tmp_path: Path, ledger: Ledger) -> None:
    empty = tmp_path / "empty"
    environment = Ledger(empty, env={**ledger.env, "VELOX_DATA_DIR": str(empty), "DATABASE_URL": ""})
    shown = said(
        environment,
        tmp_path,
        """
        from datetime import datetime
        from trading.errors import LedgerNotReady
        try:
            DataManager().open_position("T1", "orb", "RELIANCE", 1, 1, datetime.now())
        except LedgerNotReady as error:
            print(error.code, "manage.py migrate" in error.hint)
        """,
    )
    assert shown == "ledger_not_ready True\n"


def test_killed_and_started_again_another_tick_of_the_same_second_is_kept(ledger: Ledger, tmp_path: Path) -> None:
    for price in (2450.05, 2450.10):
        source = f"""
            import os, signal
            from datetime import datetime
            dm = DataManager()
            assert dm.process_tick("RELIANCE", {{"ltp": {price}, "timestamp": datetime(2024, 3, 15, 10, 0)}})
            print("kept", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """
        script = tmp_path / "killed.py"
        script.write_text("from velox_site.desk import DataManager\n" + textwrap.dedent(source))
        assert run(ledger, script, tmp_path).stdout == "kept\n"
    shown = said(
        ledger,
        tmp_path,
        """
        from datetime import datetime
        import pyarrow as pa
        ticks = DataManager().get_ticks("RELIANCE", datetime(2024, 3, 15), datetime(2024, 3, 16))
        times = ticks.column("time").cast(pa.int64()).to_pylist()
        print(ticks.column("close").to_pylist(), times[1] - times[0])
        """,
    )
    assert shown == "[2450.05, 2450.1] 1\n"


def test_a_second_process_is_told_who_holds_the_source(ledger: Ledger, tmp_path: Path) -> None:
    shown = said(
        ledger,
        tmp_path,
        """
        import os, subprocess, sys
        dm = DataManager()
        assert dm.process_tick("RELIANCE", {"ltp": 1})
        other = '''
        from velox_site.desk import DataManager
        from trading.errors import SourceBusy
        try:
            DataManager().process_tick("RELIANCE", {"ltp": 2})
        except SourceBusy as error:
            print(error.pid)
        assert DataManager(source="another").process_tick("RELIANCE", {"ltp": 2})
        '''
        import textwrap
        command = [sys.executable, "-c", textwrap.dedent(other)]
        asked = subprocess.run(command, capture_output=True, text=True, check=True)
        print(int(asked.stdout) == os.getpid())
        """,
    )
    assert shown == "True\n"


@pytest.mark.ledger
def test_flush_brings_every_point_and_the_projected_trades_to_the_store(ledger: Ledger, tmp_path: Path) -> None:
    shown = said(
        ledger,
        tmp_path,
        """
        from datetime import datetime, timedelta
        now = datetime.now()
        with DataManager() as dm:
            for number in range(100):
                assert dm.process_tick("M&M", {"ltp": 700 + number, "volume": 1})
            dm.cache_indicators("M&M", {"rsi": 61.5}, timeframe="1m")
            dm.open_position("T1", "orb", "M&M", 700, 10, now, stop_price=690)
            dm.close_position("T1", "orb", "M&M", 710, now)
            dm.flush(600)
            points = dm.health()["points"]
            print(points["spooled"], points["balance"])
            metrics = dm.get_strategy_metrics("orb", now - timedelta(hours=1), now + timedelta(hours=1))
            print(metrics.column("realised_pnl").to_pylist(), dm.get_executions("T1").column("side").to_pylist())
            print(dm.get_indicators("M&M", timeframe="1m"), dm.get_latest_tick("M&M")["last_price"])
        """,
    )
    assert shown == "0 0\n[100.0] ['BUY', 'SELL']\n{'rsi': 61.5} 799.0\n"
