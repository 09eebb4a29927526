"""Two hundred bad requests to a real server: the stated status each, a problem each, nothing stored, no 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import HttpRequest
from ninja.errors import ValidationError

from tests.api_server import ApiServer, api_server
from tests.trading.book import snapshot
from tests.trading.test_api import CLOSING, FILL, OPENING
from tests.trading.test_api_keys import SIGNAL, STOP
from tests.trading.test_api_stream import mended
from trading.api import desk
from trading.api.problems import malformed
from trading.operations.make_token import make_token
from trading.operations.revoke_token import revoke_token

pytestmark = pytest.mark.usefixtures("alone")
SNAPSHOT = {"strategy_id": "ema", "symbol": "TCS", "current_price": "1", "quantity": "1"}
INDICATORS = {"symbol": "TCS", "values": {"rsi": "61.5"}}
BODIES: dict[str, dict[str, Any]] = {
    "positions": OPENING,
    "fills": FILL | {"fill_id": "F2"},
    "closings": CLOSING,
    "stops": STOP,
    "signals": SIGNAL,
    "indicators": INDICATORS,
    "snapshots": SNAPSHOT,
}
REQUIRED = {
    "positions": ("trade_id", "strategy_id", "symbol", "entry_price", "quantity", "entry_time"),
    "fills": ("trade_id", "side", "price", "quantity", "at", "fill_id"),
    "closings": ("trade_id", "symbol", "exit_price", "exit_time"),
    "stops": ("trade_id", "symbol", "stop_price", "extreme_price", "method", "at"),
    "signals": ("strategy_id", "symbol", "at", "conditions", "decision"),
    "indicators": ("symbol", "values"),
    "snapshots": ("strategy_id", "symbol", "current_price", "quantity"),
}
TICKS = "ticks?stream=s&sequence=1"
JSON, NDJSON, CSV, ARROW = "application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"
Case = tuple[str, str, str, bytes, str, str, int]  # what it is, method, path, body, media type, token, status


def cases() -> list[Case]:
    """Return each bad request with the status that docs/api.md states."""
    bad: list[Case] = []

    def add(
        what: str, path: str, body: Any, status: int, *, method: str = "POST", kind: str = JSON, by: str = "record"
    ):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        bad.append((what, method, path, content, kind, by, status))

    for path, body in BODIES.items():
        for name in REQUIRED[path]:
            add("a field is missing", path, {field: body[field] for field in body if field != name}, 422)
            add("a field is a list", path, body | {name: [1]}, 422)
        add("a field too many", path, body | {"colour": "red"}, 422)
        add("a field in the query", f"{path}?account=paper", body, 422)
        add("an id of a control character", path, body | {REQUIRED[path][0]: "a\nb"}, 422)
        add("an id that is too long", path, body | {REQUIRED[path][0]: "x" * 200}, 422)
        add("a field twice", path, json.dumps(body)[:-1].encode() + b', "symbol": "INFY", "symbol": "TCS"}', 422)
        add("a name that is no text", path, json.dumps(body | {"\ud800": 1}).encode(), 422)
        add("no JSON", path, b"{", 422)
        add("no UTF-8", path, b"\xff\xfe", 422)
        add("a list", path, b"[]", 422)
        add("too deep", path, b"[" * 25 + b"]" * 25, 422)
        add("too large", path, b'{"a": "' + b"x" * (1 << 20) + b'"}', 413)
        add("another media type", path, body, 415, kind="text/plain")
        add("a wrong token", path, body, 401, by="wrong")
        add("a revoked token", path, body, 401, by="revoked")
        add("a token of another network", path, body, 403, by="pinned")
        add("a token that may only read", path, body, 403, by="read")
        add("another method", path, b"", 405, method="DELETE")
    for price in ("1e3", "NaN", "Infinity", "", "-1", "0", "٣", True, 10**40, "0.000000001"):
        add(f"a price of {price!r}", "positions", OPENING | {"entry_price": price}, 422)
    for at in ("2024-03-15", "2024-03-15T09:31:00", "2024-02-30T00:00:00Z", 1710475260, "1999-01-01T00:00:00Z"):
        add(f"a time of {at!r}", "positions", OPENING | {"entry_time": at}, 422)
    add("an index", "positions", OPENING | {"symbol": "NIFTY 50"}, 422)
    for path in ("fills", "closings", "stops"):
        add("a trade that is not there", path, BODIES[path], 404)
    for path in ("", "nothing", "positions/", "positions/T1", "../admin/", "%2e%2e/health", "trade%00"):
        add("a path that is not there", path, OPENING, 404)
    places = ["", "stream=s", "sequence=1", "stream=s&sequence=-1", "stream=%0a&sequence=1", "stream=%ff&sequence=1"]
    places += ["stream=s&sequence=1&" + field for field in ("x=1", "stream=t", "sync=maybe")]
    for place in places:
        add(f"a place of {place!r}", f"ticks?{place}", b"[]", 422)
    bodies: list[tuple[str, bytes, int]] = [
        *((JSON, body, 422) for body in (b"{", b"7", b"[" * 30)),
        *((CSV, body, 422) for body in (b"\xff", b'a,b\n"')),
        *((ARROW, body, 422) for body in (b"", b"PK\3\4", b"\xff\xff\xff\xff\xff\xff\xff\x7f")),
        *((kind, b"[]", 415) for kind in ("", "text/plain", "application/xml")),
        (JSON, b" " * ((1 << 20) + 1), 413),
        (NDJSON, b"x" * 70_000, 422),
    ]
    for kind, body, status in bodies:
        add(f"a body of {kind}", TICKS, body, status, kind=kind)
    for by, status in (("wrong", 401), ("revoked", 401), ("pinned", 403), ("read", 403), ("operate", 403)):
        add(f"the token {by}", TICKS, b"[]", status, by=by)
    for method in ("PUT", "PATCH", "DELETE"):
        add("another method", TICKS, b"[]", 405, method=method)
    many = "&".join(f"symbols=S{number}" for number in range(1001))
    for path in ("indicators/newest", "ticks/newest", "positions"):
        add("a query of too many fields", f"{path}?{many}", b"", 422, method="GET", by="read")
    add("a query of too many fields", f"positions?{many}", OPENING, 422)
    for path in ("flush", "resend", "dead-letters/retry"):
        add("a token that may not operate", path, {}, 403)
    for body in ({"timeout": -1}, {"timeout": 1e9}, {"timeout": "soon"}, {"x": 1}):
        add("a wrong time to wait", "flush", body, 422, by="operate")
    return bad


@pytest.fixture
def secrets(ledger: Any, monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[str, str]:
    monkeypatch.setattr(desk, "_facades", {})
    settings.VELOX_API_REQUESTS_PER_SECOND = 10_000
    made = {scope: make_token("main", scope, [scope], by="asha").secret for scope in ("read", "record", "operate")}
    made["pinned"] = make_token("main", "pinned", ["record"], by="asha", networks=["10.0.0.0/8"]).secret
    made["revoked"] = make_token("main", "revoked", ["record"], by="asha").secret
    revoke_token("revoked", by="asha")
    return made | {"wrong": "velox_" + "x" * 43}


def answer_to(server: ApiServer, case: Case, secrets: dict[str, str]) -> tuple[int, Any]:
    _, method, path, body, kind, by, _ = case
    status, headers, content = server.ask(method, f"/api/v1/{path}", body, secrets[by], kind)
    assert headers.get("Content-Type") == "application/problem+json" or method == "HEAD", (case[:3], content)
    return status, json.loads(content)


def test_two_hundred_bad_requests_have_their_status_and_store_nothing(secrets: dict[str, str], settings: Any) -> None:
    bad = cases()
    assert len(bad) >= 200
    before = snapshot()
    with api_server() as server:
        wrong = []
        for case in bad:
            status, told = answer_to(server, case, secrets)
            if status != case[-1] or told["status"] != status or not (told["code"] and told["detail"]):
                wrong.append((case[0], case[1], case[2], case[3][:60], status, told))
        assert wrong == []
    assert snapshot() == before
    assert mended(settings) == []


@pytest.mark.parametrize(
    ("place", "reason", "field", "detail"),
    [
        (("body", "body", "price"), "Value error, write a number.", "price", "price: write a number."),
        (("query", "asked", "symbols", 2), "Value error, it must not be empty.", "symbols.2", None),
        (("query", "asked", "days", "constrained-int"), "Input should be at least 1", "days", None),
        (("header", "Idempotency-Key"), "String should match", "Idempotency-Key", None),
        (("body", "body"), "Field required", None, "The body: Field required."),
    ],
    ids=["body", "list", "union", "header", "whole"],
)
def test_a_problem_names_the_callers_field_and_no_word_of_our_parsers(
    place: tuple[str | int, ...], reason: str, field: str | None, detail: str | None
) -> None:
    answer = json.loads(malformed(HttpRequest(), ValidationError([{"loc": place, "msg": reason}])).content)
    assert answer["field"] == field
    assert answer["detail"] == (detail or f"{field}: {reason.removeprefix('Value error, ').rstrip('.')}.")
