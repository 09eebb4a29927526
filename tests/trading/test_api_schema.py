"""The schema: kept in docs, whole in what it says of refusals, and readable on a page of the desk's own policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import structlog
from django.test import Client

from tests import page_desk
from tests.trading.test_api import ROOT, caller
from trading.api import desk
from trading.api.application import api
from trading.api.examples import BODIES, TICKS
from trading.api.schema import schema_text

WITHOUT_END_OR_INFLUXDB = {"events", "retry_dead_letters"}
DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


def calls() -> list[tuple[str, str, Any]]:
    schema = json.loads(DOCUMENT.read_text())
    return [(method, path, call) for path, methods in schema["paths"].items() for method, call in methods.items()]


def test_the_document_is_the_schema() -> None:
    text = schema_text(api.get_openapi_schema(path_prefix="/api/v1/"))
    assert DOCUMENT.read_text() == text, "make it anew: python -m velox_site.api_docs > docs/openapi.json"


def test_every_call_has_a_name_of_its_own_and_says_how_it_refuses() -> None:
    names = [call["operationId"] for _, _, call in calls()]
    assert len(names) == len(set(names)) > 25
    for method, path, call in calls():
        assert {"200", "401", "403", "405", "422", "429", "500", "503"} <= set(call["responses"]), (method, path)
        for status, answer in call["responses"].items():
            if status >= "400" and status != "501":
                assert list(answer["content"]) == ["application/problem+json"], (path, status)
        assert all("null" not in json.dumps(each["schema"]) for each in call["parameters"]), path


@pytest.mark.usefixtures("ledger", "alone")
def test_the_reference_lists_every_call_and_holds_nothing_that_the_policy_forbids(client: Client) -> None:
    assert "login" in client.get("/api/v1/docs/")["Location"]
    client.force_login(page_desk.member("viewer"))
    answer = client.get("/api/v1/docs/")
    page = answer.content.decode()
    for method, path, _ in calls():
        assert f"{method.upper()} {path}" in page
    assert 'href="#TradePage"' in page and 'id="TradePage"' in page
    assert "<code>?strategy_id=ema_cross&amp;symbol=RELIANCE</code>" in page and "&quot;entry_price&quot;" in page
    assert "unsafe" not in answer["Content-Security-Policy"]
    for forbidden in ("<style", " style=", " onclick=", "http://", "https://"):
        assert forbidden not in page


@pytest.mark.usefixtures("ledger", "alone")
def test_its_examples_in_their_order_are_answered_by_any_desk_and_leave_who_asked_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(desk, "_facades", {})
    program = caller("read", "record", "operate")
    named = {call["operationId"]: (method, ROOT + path.removeprefix(ROOT), call) for method, path, call in calls()}
    forms = [(named[name], "application/json") for name in BODIES] + [(named["process_ticks"], kind) for kind in TICKS]
    asked = [(named[name], "") for name in named if name not in {*BODIES, "process_ticks", *WITHOUT_END_OR_INFLUXDB}]
    for sequence, ((method, path, call), kind) in enumerate([*forms, *asked]):
        given = {each["name"]: each["example"] for each in call["parameters"] if "example" in each}
        assert given.keys() >= {each["name"] for each in call["parameters"] if each["required"]}
        if "sequence" in given:
            given["sequence"] += sequence
        body = call["requestBody"]["content"][kind]["example"] if kind else b""
        body = body if isinstance(body, str | bytes) else json.dumps(body)
        address = f"{path}?{urlencode(given, doseq=True)}"
        with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
            answer = program.client.generic(method, address, body, content_type=kind or "application/json")
        assert answer.status_code == 200, (address, answer.content)
        assert call["operationId"] != "process_ticks" or answer.json()["accepted"] == 1
        audit = {line["event"]: (line.get("caller"), line.get("account")) for line in lines}
        assert audit["request_finished"] == ("main read record operate", "main"), address
        assert call["operationId"] != "process_ticks" or audit["ticks were recorded"] == audit["request_finished"]
    whole = program.get("trade/whole?trade_id=T1")[1]
    assert whole["trade"]["state"] == "CLOSED" and len(whole["fills"]) == 3 and len(whole["stops"]) == 1
