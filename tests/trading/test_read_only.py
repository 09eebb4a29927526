"""A ledger and a data folder that cannot be written here are read, and nobody is told to migrate them."""

from __future__ import annotations

import ctypes
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.utils import OperationalError

from tests.trading.book import AT, MINUTE, closed, opened
from timeseries.wiring import open_pump
from trading import summon
from trading.data_manager import DataManager
from trading.errors import LedgerBusy, LedgerReadOnly
from trading.health import database
from trading.transactions import meaning

ROOT = Path(__file__).resolve().parents[2]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
FACADE = """
import datetime as d, json
from velox_site.desk import DataManager
from trading.errors import LedgerBusy
dm = DataManager()
at = d.datetime(2024, 3, 15, tzinfo=d.timezone.utc)
told = {"trades": [one.trade_id for one in dm.get_trades()], "open": [one.trade_id for one in dm.get_open_positions()]}
told["stats"] = str(dm.get_strategy_stats("ema cross", None)["total_pnl"])
told["day"] = str(dm.get_daily_summary(at.date())["total"]["total_pnl"])
told["ticks"] = dm.get_ticks("RELIANCE", at, at + d.timedelta(days=1)).num_rows
try:
    dm.open_position("T9", "orb", "INFY", 1, 1, at)
except LedgerBusy as error:
    told["refused"] = str(error)
print(json.dumps(told))
"""


def bound() -> None:
    """Let the rights of files hold for root, too, in what is executed now."""
    with suppress(OSError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture
def frozen(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A data folder with two trades and some ticks of which nothing can be written."""
    if ledger.vendor != "sqlite":
        pytest.skip("a server's ledger is not in the folder")
    monkeypatch.setattr(summon, "summon", lambda: None)  # a companion would write
    opened()
    closed()
    opened("T2", strategy_id="orb", symbol="INFY")
    with DataManager() as dm:
        for number in range(5):
            assert dm.process_tick("RELIANCE", {"ltp": 100.0 + number}, at=AT + number * MINUTE)
    open_pump().drain(60)
    connections.close_all()
    paths = [ledger.data_dir, *ledger.data_dir.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    yield ledger
    for path, mode in modes.items():
        path.chmod(mode)


def run(ledger: Any, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=ledger.env,
        preexec_fn=bound,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def is_frozen(ledger: Any) -> bool:
    asked = f"import os; raise SystemExit(os.access({str(ledger.data_dir)!r}, os.W_OK))"
    return run(ledger, "-c", asked).returncode == 0


def test_the_facade_reads_and_says_why_it_cannot_write(frozen: Any) -> None:
    assert is_frozen(frozen)
    done = run(frozen, "-c", FACADE)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    refused = told.pop("refused")
    assert told == {"trades": ["T1", "T2"], "open": ["T2"], "stats": "149.5", "day": "149.5", "ticks": 5}
    assert "cannot be written here" in refused and "migrate" not in refused


COMMANDS = [
    *(
        ["daily_summary", "--date", "2024-03-15"],
        ["account", "list"],
        ["strategy_report"],
        ["symbol_report"],
        ["trade_export"],
        ["signal_report"],
        ["excursions"],
        ["sessions"],
    ),
    *(["verify_ledger"], ["spool"], ["intake"], ["health"]),
]
WRITING = [["void", "T1", "--by", "asha", "--reason", "x"], ["backup"], ["excursions", "--rebuild"]]
# A process that cannot write, for many commands: a line of JSON for each, with its exit code and what it said.
COMMAND_LINES = """
import contextlib, io, json, sys, traceback
import django
from django.core.management import CommandError, call_command
django.setup()
for command in json.load(sys.stdin):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            call_command(*command)
        except SystemExit as leaving:
            code = leaving.code or 0
        except CommandError as error:
            code = error.returncode
            print(error, file=sys.stderr)
        except Exception:
            code = 1
            traceback.print_exc()
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


def answers(ledger: Any, commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """Return each command's exit code and its two outputs."""
    done = run(ledger, "-c", COMMAND_LINES, text=json.dumps(commands))
    assert done.returncode == 0, done.stderr
    return [(code, out, err) for code, out, err in map(json.loads, done.stdout.splitlines())]


def test_commands_that_read_answer(frozen: Any) -> None:
    commands = [[*command, "--format", "json"] for command in COMMANDS]
    *reading, (_, health, _), (code, trade, _) = answers(frozen, [*commands, ["trade", "T1"]])
    wrong = {command[0]: err for command, (code, out, err) in zip(COMMANDS[:-1], reading, strict=True)
             if code or not json.loads(out)}  # fmt: skip
    assert wrong == {}
    assert code == 0 and "2465" in trade
    parts = json.loads(health)["parts"]
    assert (parts["ledger"]["status"], parts["ledger"]["code"]) == ("down", "ledger_read_only")
    assert "migrate" not in health


def test_commands_that_write_say_that_they_cannot(frozen: Any) -> None:
    for command, (code, _, err) in zip(WRITING, answers(frozen, WRITING), strict=True):
        assert "Traceback" not in err, (command, err)
        assert "manage.py migrate" not in err, (command, err)
        assert code == 2, (command, err)


def test_commits_that_wait_in_the_log_are_never_left_out_without_a_word(frozen: Any) -> None:
    """Without its index, which only a writer makes, the log cannot be read."""
    folder = frozen.data_dir
    folder.chmod(0o700)
    (folder / "ledger.sqlite3-wal").write_bytes(b"x" * 100)
    (folder / "ledger.sqlite3-wal").chmod(0o400)
    (folder / "ledger.sqlite3-shm").unlink(missing_ok=True)
    folder.chmod(0o500)
    done = run(frozen, "manage.py", "account", "list")
    folder.chmod(0o700)
    (folder / "ledger.sqlite3-wal").unlink()
    assert done.returncode == 2 and "commits in its log" in done.stderr and "migrate" not in done.stderr, done.stderr


def test_a_disk_that_is_full_is_no_damage(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the file beside it SQLite opens no ledger, and calls that an I/O error."""
    error = OperationalError("disk I/O error")
    assert isinstance(meaning(error), LedgerBusy) and database.is_damage(error)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=7, f_frsize=4096))
    assert isinstance(meaning(error), LedgerReadOnly) and not database.is_damage(error)
    if ledger.vendor == "sqlite":
        state = database.broken(connections["default"], error)
        assert state is not None and (state.code, "disk is full" in state.detail) == ("ledger_read_only", True)


def test_reports_are_shown_while_the_disk_is_full(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those too that keep something in the ledger on the way: the summary of a day, what trades went through."""
    if ledger.vendor != "sqlite":
        pytest.skip("a server's disk is not ours to fill")
    monkeypatch.setattr(summon, "summon", lambda: None)
    opened()
    closed()
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA max_page_count = 1")  # SQLite takes the pages that there are: it is full
    with pytest.raises(LedgerReadOnly, match="its disk is full"):
        for number in range(200):
            opened(f"N{number}", signal_conditions={"note": "x" * 4000})
    for command in (["daily_summary", "--date", "2024-03-15"], ["excursions"], ["strategy_report"]):
        output, words = io.StringIO(), io.StringIO()
        call_command(*command, "--format", "json", stdout=output, stderr=words)
        assert json.loads(output.getvalue()), command
