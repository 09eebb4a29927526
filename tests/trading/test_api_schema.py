"""The schema: kept in docs, whole in what it says of refusals, and readable on a page of the desk's own policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests import page_desk
from trading.api.application import api
from trading.api.schema import schema_text

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
    assert "unsafe" not in answer["Content-Security-Policy"]
    for forbidden in ("<style", " style=", " onclick=", "http://", "https://"):
        assert forbidden not in page
