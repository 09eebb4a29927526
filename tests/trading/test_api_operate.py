"""The scope `operate`: health in full, dead letters, flush and resend, and nothing for another scope."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trading.test_api import Caller, caller
from tests.trading.test_api_ticks import TICK, post
from trading.api import access, desk

pytestmark = pytest.mark.usefixtures("alone")
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "health/full", None),
    ("GET", "dead-letters", None),
    ("POST", "dead-letters/retry", {}),
    ("POST", "flush", {"timeout": 20}),
    ("POST", "resend", {"since": "2024-03-15T00:00:00Z"}),
    ("POST", "resend", {"since": None}),
]


@pytest.fixture(autouse=True)
def _own_sources(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(access, "rates", access.Rates())
    monkeypatch.setattr(desk, "_facades", facades := {})
    yield
    for facade in facades.values():
        facade.close()


def ask(program: Caller, method: str, path: str, body: Any) -> tuple[int, Any]:
    return program.get(path) if method == "GET" else program.post(path, body)


def test_points_are_flushed_and_sent_again_and_health_has_its_words() -> None:
    program = caller("operate", "record")
    assert post(program, [TICK])[0] == 200
    answers = {path: ask(program, method, path, body) for method, path, body in CALLS[:4]}
    assert answers.pop("dead-letters/retry")[1]["code"] == "wrong_language"  # they are InfluxDB's
    assert {status for status, _ in answers.values()} == {200}
    assert answers["flush"][1] == {"flushed": True}
    assert answers["dead-letters"][1] == {"dead_letters": []}
    assert answers["health/full"][1]["status"] in ("ok", "degraded", "down")
    assert program.post("resend", {"since": "2024-03-15T00:00:00Z"}) == (200, {"points": 1, "refused": 0, "files": []})
    assert program.post("resend", {"since": None}) == (200, {"points": 0, "refused": 0, "files": []})


def test_wrong_bodies_are_refused() -> None:
    program = caller("operate")
    bodies = [{"timeout": -1}, {"timeout": 31}, {"timeout": "x"}, {"colour": "red"}, 5, "x", [], None]
    for path, body in (*(("flush", body) for body in bodies), ("resend", {}), ("resend", {"since": "2024-03-15"})):
        assert program.post(path, body)[0] == 422, (path, body)


@pytest.mark.parametrize("scopes", [("read",), ("record",), ("read", "record")])
def test_another_scope_operates_nothing(scopes: tuple[str, ...]) -> None:
    program = caller(*scopes)
    for method, path, body in CALLS:
        assert ask(program, method, path, body)[1]["code"] == "scope_missing", path
    operator = caller("operate")
    assert post(operator, [TICK])[1]["code"] == "scope_missing"
    assert operator.post("positions", {})[1]["code"] == operator.get("positions")[1]["code"] == "scope_missing"
