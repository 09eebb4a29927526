"""Limits on the page, on the overview and as a command: one state in words and shape; operators alone set them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from tests import page_desk
from tests.trading.book import closed, opened
from trading.models import Limit
from trading.web.live import OverviewLook

pytestmark = pytest.mark.usefixtures("ledger", "alone")


@pytest.fixture
def client(ledger: Any) -> Client:
    client = Client()
    client.force_login(page_desk.member("asha"))
    return client


def told(*arguments: str, code: int = 0) -> Any:
    output, ended = StringIO(), 0
    try:
        call_command("limits", *arguments, "--format", "json", stdout=output, stderr=StringIO())
    except SystemExit as end:
        ended = int(str(end.code))
    assert ended == code
    return json.loads(output.getvalue())


def text(client: Client, path: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", client.get(path).content.decode()).split())


def test_what_an_operator_sets_on_the_page_is_shown_there_on_the_overview_and_by_the_command(client: Client) -> None:
    now = datetime.now(UTC)
    opened(entry_time=now)
    closed(price=2400, exit_time=now)
    sent = {"kind": "daily_loss", "amount": "500.50", "strategy": "ema cross", "reason": "<b>the rule"}
    assert client.post("/limits/", sent).status_code == 302
    assert client.post("/limits/", {"kind": "trades", "amount": "5", "reason": "calm"}).status_code == 302
    page = text(client, "/limits/")
    assert "Loss of the day after known charges ema cross ■ crossed" in page
    assert "500.50 of" in page and "Trades opened on the day whole account ○ within" in page and "1 of 5" in page
    assert "<b>the rule" not in client.get("/limits/").content.decode()
    assert "Trades opened on the day whole account 5 " in page  # a number, no money
    assert "ema cross ■ crossed" in text(client, "/")
    drawn = OverviewLook("main")(is_needed=True)
    assert drawn is not None and "■" in drawn.sections["live-limits"]
    answer = told(code=1)
    assert [(limit["kind"], limit["used"], limit["left"], limit["state"]) for limit in answer["limits"]] == [
        ("trades", "1", "4", "within"),
        ("daily_loss", "500.5", "0", "crossed"),
    ]
    assert client.post("/limits/", {"kind": "daily_loss", "strategy": "ema cross", "reason": "over"}).status_code == 302
    assert told("show")["state"] == "within"
    assert [row["limit"] for row in told("history")["rows"]] == [None, "5", "500.5"]


def test_what_is_no_limit_is_said_beside_its_field_and_a_viewer_sets_none(client: Client) -> None:
    answer = client.post("/limits/", {"kind": "trades", "amount": "2.5", "reason": "calm"})
    assert answer.status_code == 400 and "Give a whole number of at least 0." in answer.content.decode()
    assert (
        client.post("/limits/", {"kind": "drawdown", "strategy": "x", "amount": "1", "reason": "a"}).status_code == 400
    )
    assert client.post("/limits/", {}).status_code == 400
    viewer = Client()
    viewer.force_login(page_desk.member("viewer"))
    assert viewer.post("/limits/", {"kind": "trades", "amount": "2", "reason": "calm"}).status_code == 403
    assert b'method="post" class="review"' not in viewer.get("/limits/").content
    assert not Limit.objects.exists()


def test_an_open_trade_without_a_price_is_not_known_and_the_command_says_so(client: Client) -> None:
    opened(entry_time=datetime.now(UTC))
    said = ("--by", "asha", "--reason", "rule")
    assert [row["limit"] for row in told("set", "daily_loss_open", "100", *said)["rows"]] == ["100"]
    assert told(code=1)["state"] == "unknown"
    assert "? not known" in text(client, "/limits/")
    for wrong in (("set", "luck", "1", *said), ("end", "trades", *said), ("--account", "mine")):
        with pytest.raises(CommandError):
            call_command("limits", *wrong, stdout=StringIO(), stderr=StringIO())
