"""`manage.py logs`, and the ids that lines carry: request, task, trade."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from django.core.management import CommandError, call_command
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django_structlog.middlewares import RequestMiddleware

from tests.velox_site.test_logs import folder, kept, run_script
from trading import summon, transactions
from trading.data_manager import DataManager
from trading.errors import InvalidValue
from trading.intake import of_this_folder
from velox_site import logs
from velox_site.log_reader import Filter, LogReader, parse_since

__all__ = ["folder"]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
INDIA = ZoneInfo("Asia/Kolkata")


@pytest.fixture
def told(folder: Path, settings: Any) -> Path:
    settings.LOG_DIR = folder
    logs.trade_log.info("opened", trade_id="T1", price=1)
    logs.risk_log.warning("limit near", trade_id="T2")
    logs.trade_log.error("refused", trade_id="T1")
    return folder


def said(**options: Any) -> str:
    out = io.StringIO()
    call_command("logs", stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


class TestCommand:
    def test_everything_is_shown_in_order_as_text(self, told: Path) -> None:
        texts = said().splitlines()
        assert [text.split("] ")[1].split(" ")[0] for text in texts] == ["opened", "limit", "refused"]
        assert "\x1b" not in "".join(texts)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"trade": "T1"}, ["opened", "refused"]),
            ({"logger": "risk"}, ["limit near"]),
            ({"level": "warning"}, ["limit near", "refused"]),
            ({"trade": "T1", "level": "error"}, ["refused"]),
            ({"since": "1h"}, ["opened", "limit near", "refused"]),
            ({"since": "2100-01-01"}, []),
            ({"trade": "T"}, []),
        ],
    )
    def test_filters(self, told: Path, options: dict[str, Any], expected: list[str]) -> None:
        lines = [json.loads(text) for text in said(format="json", **options).splitlines()]
        assert [found["message"] for found in lines] == expected
        assert all(list(found) == ["timestamp", "level", "logger", "message", "context"] for found in lines)

    def test_json_gives_the_lines_back_as_they_stand_in_the_file(self, told: Path) -> None:
        assert [json.loads(text) for text in said(format="json").splitlines()] == kept(told)

    def test_people_read_the_desks_time_and_machines_utc(self, told: Path, settings: Any) -> None:
        settings.TIME_ZONE = "America/New_York"
        assert all(re.match(r"\S{26}-0[45]:00 ", line) for line in said().splitlines())
        assert all(json.loads(line)["timestamp"].endswith("Z") for line in said(format="json").splitlines())

    def test_it_is_in_colour_where_asked(self, told: Path) -> None:
        assert "\x1b[31mERROR" in said(force_color=True)

    def test_a_line_that_is_none_is_passed_over_and_told(self, told: Path) -> None:
        [file] = told.glob("*.jsonl")
        file.write_bytes(b'{"half\n[1]\n\xff\n{}\n' + file.read_bytes() + b'{"no newline yet')
        err = io.StringIO()
        out = io.StringIO()
        call_command("logs", stdout=out, stderr=err)
        assert len(out.getvalue().splitlines()) == 3
        assert "4 lines could not be read" in err.getvalue()

    def test_where_no_line_is_wanted_that_is_said_beside_an_empty_answer(self, told: Path) -> None:
        err = io.StringIO()
        call_command("logs", logger="nothing", stderr=err)
        assert err.getvalue() == f"No line of {told} is what was asked for.\n"

    def test_what_is_no_time_is_refused(self, told: Path) -> None:
        with pytest.raises(CommandError) as refused:
            said(since="soon")
        assert refused.value.returncode == 2

    def test_without_a_folder_there_is_nothing_to_say(self, tmp_path: Path, settings: Any) -> None:
        settings.LOG_DIR = tmp_path / "none"
        assert said() == ""


class TestReader:
    def test_it_follows_what_comes_over_midnight_and_waits_for_half_a_line(self, tmp_path: Path) -> None:
        def write(day: str, text: str) -> None:
            with (tmp_path / f"velox-{day}.jsonl").open("a") as file:
                file.write(text)

        def event(message: str) -> str:
            shape = {"timestamp": "2026-03-02T12:00:00.000001Z", "level": "INFO", "logger": "risk"}
            return json.dumps({**shape, "message": message, "context": {}}) + "\n"

        steps: Iterator[Any] = iter(
            [
                lambda: write("2026-03-02", event("two") + event("three")[:20]),
                lambda: write("2026-03-02", event("three")[20:]),
                lambda: write("2026-03-03", event("four")),
            ]
        )
        write("2026-03-02", event("one"))
        following = LogReader(tmp_path, Filter()).follow(wait=lambda _: next(steps)())
        assert [next(following).message for _ in range(4)] == ["one", "two", "three", "four"]

    def test_since_is_a_span_or_a_time_of_the_desk(self) -> None:
        assert parse_since("90m", NOW, INDIA) == NOW - timedelta(minutes=90)
        assert parse_since("2026-03-02T09:15", NOW, INDIA) == datetime(2026, 3, 2, 3, 45, tzinfo=UTC)
        assert parse_since("2026-03-02T09:15Z", NOW, INDIA) == datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
        for wrong in ("", "15", "m", "99999999999999d"):
            with pytest.raises(InvalidValue):
                parse_since(wrong, NOW, INDIA)


class TestIds:
    def test_a_requests_lines_carry_its_id(self, folder: Path) -> None:
        def view(request: HttpRequest) -> HttpResponse:
            logs.risk_log.info("looked")
            return HttpResponse("fine")

        RequestMiddleware(view)(RequestFactory().get("/", headers={"x-request-id": "f3b0"}))
        logs.risk_log.info("after")
        looked, after = (found["context"] for found in kept(folder))
        assert looked["request_id"]
        assert "request_id" not in after

    def test_what_a_ledger_call_logs_carries_the_trades_id(self, folder: Path, ledger: Any) -> None:
        with DataManager() as dm:
            dm.open_position("T1", "s", "TCS", 100, 1, NOW)
        journal = [found["context"] for found in kept(folder) if found["message"] == "journal"]
        assert journal
        assert {context.get("trade_id") for context in journal} == {"T1"}
        assert structlog.contextvars.get_contextvars() == {}

    def test_what_posting_from_the_intake_logs_carries_the_trades_id(
        self, folder: Path, ledger: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(summon, "summon", lambda: None)
        with DataManager(ledger_intake=True) as dm:
            with transactions.aside():
                for trade in ("T1", "T2"):
                    dm.open_position(trade, "s", "TCS", 100, 1, NOW)
                dm.record_signal("s", "TCS", NOW, {"rsi": 30}, decision="SKIPPED")
            assert of_this_folder().post() == 3
        journal = [found["context"] for found in kept(folder) if found["message"] == "journal"]
        assert {"T1", "T2", None} == {context.get("trade_id") for context in journal}
        assert structlog.contextvars.get_contextvars() == {}

    def test_a_task_carries_its_own_id_and_the_requests_that_asked_for_it(self, tmp_path: Path) -> None:
        script = (
            "from velox_site.desk import DataManager; import structlog\n"
            "from celery.contrib.testing.worker import start_worker\n"
            "from velox_site.celery import app\nfrom velox_site.logs import risk_log\n"
            "@app.task(name='looks')\ndef looks(): risk_log.info('looked')\n"
            "with start_worker(app, pool='solo', perform_ping_check=False):\n"
            "    with structlog.contextvars.bound_contextvars(request_id='f3b0', trade_id='T1'):\n"
            "        asked = looks.apply_async(ignore_result=True)\n"
            "    import time\n    end = time.monotonic() + 30\n"
            "    from django.conf import settings\n"
            "    while time.monotonic() < end and not any('looked' in f.read_text() for f in "
            "settings.LOG_DIR.glob('*.jsonl')): time.sleep(0.05)\n"
            "print(asked.id)"
        )
        asked = run_script(script, tmp_path, CELERY_BROKER_URL="memory://localhost").split()[-1]
        [context] = [found["context"] for found in kept(tmp_path / "logs") if found["message"] == "looked"]
        assert (context["task_id"], context["request_id"], context["trade_id"]) == (asked, "f3b0", "T1")
