"""`manage.py flush` and `manage.py spool`, as an operator meets them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.timeseries.batches import SECOND, at
from tests.timeseries.desks import Desk, desk_in
from tests.waiting import PATIENCE_SECONDS
from timeseries.management.commands import spool
from timeseries.wiring import count_points

ROOT = Path(__file__).parents[2]
OPEN = at("2021-04-12 09:15")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_in(tmp_path / "data folder")


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def manage(desk: Desk, *arguments: str) -> Done:
    """Run the command in this process, as `manage.py` would: its exit code and what it says."""
    out, err = io.StringIO(), io.StringIO()
    folders = {"SPOOL_DIR": desk.spool.root, "DELTA_DIR": desk.store.root}
    with override_settings(**folders), contextlib.redirect_stderr(err):
        try:
            call_command(arguments[0], *arguments[1:], stdout=out, stderr=err)
        except CommandError as error:
            return Done(error.returncode, out.getvalue(), str(error))
        except SystemExit as leaving:
            return Done(int(leaving.code or 0), out.getvalue(), err.getvalue())
    return Done(0, out.getvalue(), err.getvalue())


def manage_py(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VELOX_DATA_DIR": str(desk.folder)}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=ROOT
    )


def record(desk: Desk, count: int = 3, **more: object) -> None:
    desk.record("M&M", [OPEN + n * SECOND for n in range(count)], [float(n + 1) for n in range(count)], **more)


def test_flush_ships_what_waits_and_says_so(desk: Desk) -> None:
    record(desk)
    done = manage_py(desk, "flush", "--timeout", "60")
    assert done.returncode == 0, done.stderr
    assert "3 points" in done.stdout
    assert desk.pump.points()["stored"] == 3
    again = manage(desk, "flush", "--format", "json")
    body = json.loads(again.stdout)
    assert (again.returncode, body["settled"], body["points"]["stored"], body["points"]["balance"]) == (0, True, 3, 0)


def test_flush_that_runs_out_of_time_is_a_finding(desk: Desk) -> None:
    record(desk)
    (lane,) = desk.spool.lanes()
    with lane.lease(owner="the test"):
        done = manage(desk, "flush", "--timeout", "0.2", "--format", "json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["settled"] is False
    assert "3 points still wait" in json.loads(done.stdout)["detail"]


@pytest.mark.parametrize(
    "options", [["--noinput"], ["--no-input"], ["--database", "default"], ["--noinput", "--database=other"]]
)
def test_djangos_flush_is_refused_in_plain_words_and_deletes_nothing(desk: Desk, options: list[str]) -> None:
    record(desk)
    run = manage_py if options == ["--noinput"] else manage
    done = run(desk, "flush", *options)
    assert done.returncode == 2
    assert "deletes nothing" in done.stderr
    assert desk.pump.points()["spooled"] == 3


def test_djangos_own_test_cases_meet_the_refusal_too() -> None:
    with pytest.raises(CommandError, match="deletes nothing") as caught:
        call_command("flush", verbosity=0, interactive=False, database="default", reset_sequences=False)
    assert caught.value.returncode == 2


def test_a_wrong_timeout_could_not_run(desk: Desk) -> None:
    assert manage(desk, "flush", "--timeout", "-1").returncode == 2
    assert manage(desk, "flush", "--timeout", "nan").returncode == 2


def test_spool_shows_the_sum_and_each_source(desk: Desk) -> None:
    record(desk)
    done = manage(desk, "spool", "--format", "json")
    body = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert list(body) == ["points", "sources"]
    assert list(body["points"]) == [
        "accepted", "stored", "spooled", "dead_lettered", "expired", "damaged", "cleared", "balance", "oldest_seconds",
        "unsynced_seconds",
    ]  # fmt: skip
    assert (body["points"]["accepted"], body["points"]["spooled"], body["points"]["balance"]) == (3, 3, 0)
    (row,) = body["sources"]
    assert list(row) == ["source", "measurement", "spooled", "oldest_at", "quarantined", "dead_lettered"]
    assert (row["source"], row["measurement"], row["spooled"], row["quarantined"]) == ("default", "ticks", 3, 0)
    table = manage(desk, "spool")
    assert table.returncode == 0
    assert "Every accepted point is accounted for." in table.stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_shows_the_figures_of_the_spool_whole(
    desk: Desk, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(desk)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    counts = {"accepted": 1_234_567, "stored": 1_234_564, "unsynced_seconds": 123.4}
    monkeypatch.setattr(spool, "count_points", lambda: count_points() | counts)
    with override_settings(SPOOL_DIR=desk.spool.root, DELTA_DIR=desk.store.root):
        call_command("spool", stdout=terminal)
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert "…" not in text
    assert {"1,234,567", "1,234,564", "123.4", "quarantined", "waiting"} <= set(re.findall(r"[\w,.]+", text))


def test_spool_of_an_empty_folder_is_fine(desk: Desk) -> None:
    done = manage(desk, "spool", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["points"]["accepted"] == 0
    assert manage(desk, "spool").returncode == 0


def test_missing_points_are_a_finding(desk: Desk) -> None:
    record(desk)
    for lane in desk.spool.lanes():
        for segment in lane.segments():
            segment.unlink()
    done = manage(desk, "spool", "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["points"]["balance"] == 3
    assert "3 points are unaccounted for" in manage(desk, "spool").stdout
