"""Logs: their shape, their files, several processes, and that no fault of a sink reaches who logs."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog

from tests.velox_site.chaos_logs import run
from tests.waiting import PATIENCE_SECONDS
from velox_site import logs
from velox_site.log_files import DailyFile, SizedFile
from velox_site.log_lines import Line, as_json, as_text, in_colour

ROOT = Path(__file__).parents[2]
# What Django does with the settings' LOGGING, without the rest of Django.
SET_UP = (
    "import os, pathlib; from velox_site import logs\n"
    "logs.configure({'folder': pathlib.Path(os.environ['VELOX_DATA_DIR'], 'logs'), 'level': 'INFO'})\n"
)
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The sinks write to this folder instead of the session's."""
    before, logs.sinks.files = logs.sinks.files, []
    logs.sinks.open_in(tmp_path / "logs")
    yield tmp_path / "logs"
    logs.sinks.close()
    logs.sinks.files = before


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]


def line(message: Any = "signal taken", **context: Any) -> Line:
    return Line(NOON * 10**9 + 123_456_789, "info", "strategy", message, context)


class TestShape:
    def test_a_line_has_the_five_keys_in_their_order(self, folder: Path) -> None:
        logs.strategy_log.info("signal taken", symbol="M&M", price=Decimal("760.05"))
        [found] = kept(folder)
        assert list(found) == ["timestamp", "level", "logger", "message", "context"]
        assert (found["level"], found["logger"], found["message"]) == ("INFO", "strategy", "signal taken")
        assert found["context"] == {"symbol": "M&M", "price": "760.05"}

    def test_the_timestamp_is_utc_with_z(self, folder: Path) -> None:
        before = datetime.now(UTC)
        logs.risk_log.warning("limit near")
        [found] = kept(folder)
        assert found["timestamp"].endswith("Z")
        assert before <= datetime.fromisoformat(found["timestamp"]) <= datetime.now(UTC)

    def test_the_six_loggers_go_by_their_names(self, folder: Path) -> None:
        for name in logs.NAMES:
            getattr(logs, f"{name}_log").error("here")
        assert [found["logger"] for found in kept(folder)] == list(logs.NAMES)

    def test_a_rooms_logger_writes_to_the_same_place(self, folder: Path) -> None:
        structlog.get_logger("trade").info("opened", trade_id="T1")
        assert kept(folder)[0]["logger"] == "trade"

    def test_bound_context_stands_in_every_line(self, folder: Path) -> None:
        with structlog.contextvars.bound_contextvars(task="replay"):
            logs.trade_log.bind(trade_id="T1").info("opened", price=1)
        assert kept(folder)[0]["context"] == {"task": "replay", "trade_id": "T1", "price": 1}

    def test_an_exception_is_data(self, folder: Path) -> None:
        try:
            raise ValueError("no such price")
        except ValueError:
            logs.strategy_log.exception("it failed", symbol="TCS")
        [found] = kept(folder)
        told = found["context"]["exception"]
        assert (found["level"], told["type"], told["message"]) == ("ERROR", "ValueError", "no such price")
        assert "test_logs.py" in told["traceback"]

    def test_what_the_standard_library_logs_is_kept_from_warning_on(self, folder: Path) -> None:
        logging.getLogger("some.package").info("not this")
        logging.getLogger("some.package").warning("%s of %d", "three", 4, extra={"host": "x"})
        [found] = kept(folder)
        assert (found["logger"], found["message"], found["context"]) == ("some.package", "three of 4", {"host": "x"})

    def test_a_refused_request_is_one_line_and_a_fault_of_ours_has_its_traceback(self, folder: Path) -> None:
        request = logging.getLogger("django.request")
        for status in (403, 500):
            try:
                raise PermissionError("not yours")
            except PermissionError as error:
                request.error("Status %d", status, extra={"status_code": status}, exc_info=error)
        refused, faulty = (found["context"] for found in kept(folder))
        assert refused == {"status_code": 403, "error": "not yours"}
        assert "not yours" in faulty["exception"]["traceback"]

    def test_another_packages_own_structlog_lines_are_kept_from_warning_on(self, folder: Path) -> None:
        structlog.get_logger("django_structlog.middlewares.request").info("request_started")
        structlog.get_logger("django_structlog.middlewares.request").warning("request_failed")
        assert [found["message"] for found in kept(folder)] == ["request_failed"]

    @pytest.mark.parametrize(
        "value",
        [2**80, "\ud800", {1: 2}, {(1, 2): 3}, {1, 2}, object(), float("nan"), b"\xff", date(2026, 1, 1), Path("/x")],
    )
    def test_whatever_the_data_are_the_line_is_json(self, value: Any) -> None:
        assert json.loads(as_json(line(value=value)))["message"] == "signal taken"

    def test_data_that_cannot_be_told_cost_the_data_and_not_the_line(self, folder: Path) -> None:
        class Silent:
            def __str__(self) -> str:
                raise RuntimeError("no")

            __repr__ = __str__

        circle: dict[str, Any] = {}
        circle["me"] = circle
        logs.strategy_log.info("one", value=Silent())
        logs.strategy_log.info("two", value=circle)
        assert [found["message"] for found in kept(folder)] == ["one", "two"]

    def test_a_text_line_stays_one_line_and_sends_a_terminal_no_command(self) -> None:
        evil = line("two\nlines \x1b[2J", note="a b", other="x\x1b]0;y\x07", empty="", number=5)
        text = as_text(evil)
        assert text.count("\n") == 1
        assert "\x1b" not in text
        assert "note='a b'" in text and "empty=''" in text and "number=5" in text
        assert in_colour(evil).count("\n") == 1


class TestTheDesksTime:
    def test_text_tells_the_time_of_its_zone_and_json_tells_utc(self) -> None:
        at = int(datetime(2026, 11, 1, 5, 59, 59, tzinfo=UTC).timestamp())
        before, after = (Line((at + more) * 10**9 + 123_456_789, "info", "trade", "opened", {}) for more in (0, 3601))
        new_york = ZoneInfo("America/New_York")
        assert as_text(before, ZoneInfo("Asia/Kolkata")).startswith("2026-11-01T11:29:59.123456+05:30 INFO")
        assert as_text(before, new_york).startswith("2026-11-01T01:59:59.123456-04:00 ")
        assert as_text(after, new_york).startswith("2026-11-01T02:00:00.123456-05:00 ")
        assert "2026-11-01T01:59:59.123456-04:00" in in_colour(before, new_york)
        assert json.loads(as_json(before))["timestamp"] == "2026-11-01T05:59:59.123456Z"

    def test_the_console_is_in_the_zone_that_was_told(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        logs.sinks.open_in(folder, zone=ZoneInfo("Asia/Kolkata"))
        logs.risk_log.error("high")
        assert re.match(r"\S{26}\+05:30 ERROR", capsys.readouterr().err)
        logs.sinks.zone = UTC

    def test_the_text_file_of_a_desk_is_in_its_zone(self, tmp_path: Path) -> None:
        script = "from velox_site.desk import DataManager; from velox_site.logs import risk_log\nrisk_log.error('high')"
        run_script(script, tmp_path, VELOX_TIME_ZONE="Asia/Kolkata")
        text = (tmp_path / "logs" / "velox.log").read_text()
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+05:30 ERROR", text)
        assert kept(tmp_path / "logs")[0]["timestamp"].endswith("Z")


class TestLevels:
    def test_the_level_of_the_settings_holds_back_what_is_below(self, tmp_path: Path) -> None:
        script = (
            "from velox_site.desk import DataManager; from velox_site.logs import risk_log\n"
            "risk_log.info('low'); risk_log.error('high')"
        )
        run_script(script, tmp_path, LOG_LEVEL="ERROR")
        assert [found["message"] for found in kept(tmp_path / "logs")] == ["high"]


class TestFiles:
    def test_importing_the_settings_writes_nothing(self, tmp_path: Path) -> None:
        run_script("from velox_site.desk import DataManager; DataManager().close()", tmp_path / "desk")
        assert not (tmp_path / "desk").exists()

    def test_files_and_folder_are_the_owners_alone(self, folder: Path) -> None:
        logs.system_log.error("here")
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
        assert folder.stat().st_mode & 0o777 == 0o700

    def test_each_day_has_its_file(self, tmp_path: Path) -> None:
        file = DailyFile(tmp_path, "velox-{:%Y-%m-%d}.jsonl")
        for seconds in (NOON, NOON + 12 * 3600 - 1, NOON + 12 * 3600, NOON + 86_400):
            file.write(b"x\n", seconds)
        file.close()
        sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
        assert sizes == {"velox-2026-03-02.jsonl": 4, "velox-2026-03-03.jsonl": 4}

    def test_a_file_that_was_taken_away_comes_back(self, tmp_path: Path) -> None:
        file = DailyFile(tmp_path, "velox-{:%Y-%m-%d}.jsonl")
        file.write(b"one\n", NOON)
        (tmp_path / "velox-2026-03-02.jsonl").rename(tmp_path / "elsewhere")
        file.write(b"two\n", NOON + 1)
        file.close()
        assert (tmp_path / "velox-2026-03-02.jsonl").read_bytes() == b"two\n"

    def test_text_rotates_by_size_and_keeps_so_many(self, tmp_path: Path) -> None:
        file = SizedFile(tmp_path / "velox.log", bytes_max=100, backups=3)
        for number in range(60):
            file.write(f"line {number:04d}\n".encode(), NOON)
        file.close()
        names = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
        assert names == {"velox.log.1", "velox.log.2", "velox.log.3"}  # the next line begins velox.log anew
        assert (tmp_path / "velox.log.1").read_text().endswith("line 0059\n")
        assert (tmp_path / "velox.log.3").read_text().startswith("line 0030\n")

    def test_processes_that_log_at_once_tear_and_lose_no_line(self, tmp_path: Path) -> None:
        found = run(tmp_path, processes=8, lines=400, bytes_max=20_000)
        assert found["json"] == found["text"] == found["expected"]
        assert found["rotations"] >= 3
        assert found["smallest"] >= 20_000  # none was put away before its time

    def test_threads_share_the_files(self, folder: Path) -> None:
        def work() -> None:
            for number in range(200):
                logs.strategy_log.info("line", n=number)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(kept(folder)) == 800

    def test_a_forked_child_logs_though_a_thread_of_the_parent_was_logging(self, folder: Path) -> None:
        logs.system_log.info("parent")
        for file, _ in logs.sinks.files:
            locked = threading.Thread(target=file._lock.acquire)
            locked.start()
            locked.join()
        child = os.fork()
        if child == 0:
            logs.system_log.info("child")
            os._exit(0)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (done := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        if done[0] == 0:
            os.kill(child, 9)
            os.waitpid(child, 0)
        for file, _ in logs.sinks.files:
            file.forget_lock()
        assert done == (child, 0)
        assert [found["message"] for found in kept(folder)] == ["parent", "child"]


class TestFaults:
    def test_a_full_disk_reaches_nobody(self, tmp_path: Path) -> None:
        full = DailyFile(tmp_path, "{:%Y}")
        full.path = lambda seconds: Path("/dev/full")  # type: ignore[method-assign]
        before, logs.sinks.files = logs.sinks.files, [(full, as_json)]
        try:
            logs.strategy_log.error("lost")
            with pytest.raises(OSError, match="No space"):
                full.write(b"the fault is real\n", NOON)
        finally:
            logs.sinks.files = before
            full.close()

    def test_a_line_after_a_torn_one_begins_anew(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = DailyFile(tmp_path, "{:%Y}")
        real = os.write
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
            file.write(b"a first line\n", NOON)
        file.write(b"a second line\n", NOON)
        file.close()
        assert (tmp_path / "2026").read_bytes() == b"a fir\na second line\n"

    @pytest.mark.parametrize("how", ["sys.stderr.close()", "os.close(2)", "sys.stderr = None", "os.rmdir(folder)"])
    def test_a_sink_that_is_gone_reaches_nobody(self, tmp_path: Path, how: str) -> None:
        script = (
            f"import os, sys; {SET_UP}"
            "folder = os.environ['VELOX_DATA_DIR'] + '/x'; os.makedirs(folder)\n"
            f"{how}\nlogs.system_log.error('here'); sys.stdout.write('alive')"
        )
        assert run_script(script, tmp_path) == "alive"
        assert [found["message"] for found in kept(tmp_path / "logs")] == ["here"]

    def test_a_log_folder_that_cannot_be_made_reaches_nobody(self, tmp_path: Path) -> None:
        (tmp_path / "logs").write_text("a file stands in the way")
        script = (
            "from velox_site.desk import DataManager; from velox_site.logs import system_log\nsystem_log.error('x')"
        )
        run_script(script, tmp_path)


class TestConsole:
    def test_it_goes_to_stderr_and_leaves_stdout_to_the_answer(self, tmp_path: Path) -> None:
        worker = start_script(f"{SET_UP}logs.risk_log.info('near')", tmp_path)
        out, err = worker.communicate(timeout=PATIENCE_SECONDS)
        assert out == ""
        assert "INFO     [risk] near" in err and "\x1b" not in err

    def test_it_is_coloured_on_a_terminal(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        said: list[str] = []

        class Terminal:
            write, flush, isatty = said.append, (lambda _: None), (lambda _: True)

        monkeypatch.setattr(sys, "stderr", Terminal())
        logs.risk_log.error("over the limit")
        assert "\x1b[31mERROR" in said[0]

    def test_the_journals_lines_are_for_the_files(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logs.trade_log.info("journal", sequence=1)
        assert capsys.readouterr().err == ""
        assert kept(folder)[0]["message"] == "journal"


def start_script(script: str, data_dir: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "VELOX_DATA_DIR": str(data_dir), **environment}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=data_dir.parent,
    )


def run_script(script: str, data_dir: Path, **environment: str) -> str:
    worker = start_script(script, data_dir, **environment)
    out, err = worker.communicate(timeout=PATIENCE_SECONDS)
    assert worker.returncode == 0, err
    return out
