"""The logs as a page: the lines of `manage.py logs` under the same filters, for operators."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tests import page_desk
from tests.trading.test_web_pages import words
from tests.velox_site.test_logs import folder
from velox_site import log_pages, log_reader, logs
from velox_site.log_reader import Filter, LogReader

__all__ = ["folder"]
pytestmark = pytest.mark.usefixtures("ledger")
PAGE = "/system/logs/"


@pytest.fixture
def operator(folder: Path, settings: Any, client: Client) -> Client:
    settings.LOG_DIR = folder
    logs.trade_log.info("opened <b>", trade_id="T1", account="main")
    logs.risk_log.warning("limit near", trade_id="T2", account="replay")
    logs.trade_log.error("refused", trade_id="T1")
    client.force_login(page_desk.member("operator"))
    return client


def shown(client: Client, **query: str) -> list[str]:
    """Return the messages of the page, the oldest first."""
    answer = client.get(PAGE, query)
    assert answer.status_code == 200
    return [line.message for line in reversed(answer.context["lines"])]


def printed(**options: Any) -> list[str]:
    out = io.StringIO()
    call_command("logs", format="json", stdout=out, stderr=io.StringIO(), **options)
    return [json.loads(text)["message"] for text in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"trade": "T1"},
        {"logger": "risk"},
        {"level": "warning"},
        {"trade": "T1", "level": "error"},
        {"since": "1h"},
        {"since": "2100-01-01"},
        {"account": "replay"},
        {"account": "replay", "level": "warning"},
    ],
)
def test_the_page_has_the_lines_of_the_command(operator: Client, query: dict[str, str]) -> None:
    assert shown(operator, **query) == printed(**{"account": "main", **query})


def test_a_line_of_another_account_stands_on_no_page_of_this_one(operator: Client) -> None:
    assert shown(operator) == ["opened <b>", "refused"]
    assert shown(operator, account="replay") == ["limit near", "refused"]
    assert "opened &lt;b&gt;" in operator.get(PAGE).content.decode()


def test_the_form_says_what_it_cannot_read(operator: Client) -> None:
    for since in ("soon", "9" * 30 + "w", "0001-01-01"):  # the last one lies before all time in UTC
        page = operator.get(PAGE, {"since": since})
        assert page.status_code == 200 and "is no time" in page.content.decode(), since
    assert operator.get(PAGE, {"level": "loud"}).content.decode().count("errorlist") == 1


def test_the_newest_lines_come_first_and_a_bound_is_said(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        logs.system_log.info(f"line {number}")
    monkeypatch.setattr(log_pages, "NEWEST_MAX", 10)
    page = operator.get(PAGE)
    assert [line.message for line in page.context["lines"]] == [f"line {number}" for number in range(29, 19, -1)]
    assert "There are more: the newest 10" in words(page.content.decode())


@pytest.mark.parametrize("group", ["viewer", "reviewer"])
def test_nobody_else_reads_them(operator: Client, group: str) -> None:
    operator.force_login(page_desk.member(group))
    answer = operator.get(PAGE)
    assert answer.status_code == 403 and "limit near" not in answer.content.decode()
    assert PAGE not in operator.get("/system/").content.decode()


def test_lines_read_from_the_end_are_those_read_from_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    line = '{"timestamp":"2026-03-0%dT10:00:00Z","level":"INFO","logger":"trade","message":"%s","context":{}}\n'
    for day in (2, 3):
        texts = [line % (day, f"{day}-{number} ₹" + "x" * (number * 7 % 90)) for number in range(40)]
        text = "".join(texts).replace("3-20", '3-20"')  # one that cannot be read
        (folder / f"velox-2026-03-0{day}.jsonl").write_text(text + line[:30], encoding="utf-8")
    forwards = list(LogReader(folder, Filter()).lines())
    assert len(forwards) == 79
    for size in (7, 100, 131, 4096):
        monkeypatch.setattr(log_reader, "BLOCK_BYTES", size)
        newest = LogReader(folder, Filter()).newest(lines_max=1000, bytes_max=1 << 20)
        assert newest.lines == forwards[::-1], size
        assert (newest.has_more, newest.unreadable) == (False, 1)
    few = LogReader(folder, Filter()).newest(lines_max=1000, bytes_max=1000)
    assert few.has_more and 0 < len(few.lines) < 12 and few.lines == forwards[::-1][: len(few.lines)]
