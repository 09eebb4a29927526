"""The HTTP interface: the facade's calls by token, one status for each error, nothing of another account."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.trading.book import AT, MINUTE, closed, opened, snapshot
from trading import errors
from trading.api import access, desk, problems
from trading.api.plain import BODY_BYTES_MAX
from trading.data_manager import DataManager
from trading.models import Journal, Trade
from trading.operations.create_account import create_account
from trading.operations.make_token import make_token
from trading.operations.revoke_token import revoke_token

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]
ROOT = "/api/v1/"
NAMED = re.compile(r"`([A-Z]\w+)`")
OPENING = {
    "trade_id": "T1",
    "strategy_id": "ema cross",
    "symbol": "RELIANCE",
    "entry_price": "2450.05",
    "quantity": "10",
    "entry_time": "2024-03-15T09:31:00+05:30",
    "stop_price": 2440.10,
    "fill_id": "F1",
    "signal_conditions": {"rsi": 61.5},
}
FILL = {"trade_id": "T1", "side": "SELL", "price": "2460", "quantity": "4", "at": "2024-03-15T04:02:00Z"}
CLOSING = {
    "trade_id": "T1", "symbol": "RELIANCE", "exit_price": "2465.5", "exit_time": "2024-03-15T09:45:00+05:30",
    "exit_reason": "target",
}  # fmt: skip
READS = ["positions", "trades", "trade?trade_id=T1", "signals?strategy_id=ema cross", "stops", "counters", "day"]
READS += ["statistics/strategy?strategy_id=ema cross&days=10000", "statistics/symbol?symbol=RELIANCE&days=10000"]
READS += ["statistics/by?cut=day", "statistics/today", "days?first=2024-03-01&last=2024-03-31", "charges", "health"]
READS += ["position?strategy_id=ema cross&symbol=TCS", "trade/whole?trade_id=T1", "limits?strategy_id=ema cross"]
READS += ["market-day?symbol=TCS&at=2024-03-15T04:00:00Z", "ticks/newest?symbols=TCS", "indicators/newest?symbols=TCS"]
STRETCH = "start=2024-03-15T00:00:00Z&stop=2024-03-16T00:00:00Z"
READS += [f"candles?symbol=TCS&every=1m&{STRETCH}", f"ticks?symbol=TCS&{STRETCH}", f"indicators?symbol=TCS&{STRETCH}"]
READS += [f"snapshots?symbol=TCS&strategy_id=ema cross&{STRETCH}", f"metrics?strategy_id=ema cross&{STRETCH}"]


RECORDED = {"ticks", "indicators", "snapshots"}
OPERATED = {"health/full", "dead-letters", "dead-letters/retry", "flush", "resend"}


class Caller:
    """A program with a token."""

    def __init__(self, secret: str, address: str = "127.0.0.1") -> None:
        self.client = Client(headers={"Authorization": f"Bearer {secret}"}, REMOTE_ADDR=address)

    def get(self, path: str) -> tuple[int, Any]:
        return answered(self.client.get(ROOT + path))

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        return answered(self.client.post(ROOT + path, text, content_type="application/json"))


def answered(response: Any) -> tuple[int, Any]:
    assert response.status_code < 500 or response.status_code == 503, response.content
    kind = "application/json" if response.status_code < 300 else problems.MEDIA_TYPE
    assert response["Content-Type"].split(";")[0] == kind
    return response.status_code, json.loads(response.content)


def caller(*scopes: str, account: str = "main", name: str = "", **more: Any) -> Caller:
    name = name or f"{account} {' '.join(scopes)}"
    return Caller(make_token(account, name, scopes, by="asha", **more).secret)


@pytest.fixture(autouse=True)
def _fresh_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "rates", access.Rates())
    monkeypatch.setattr(desk, "_facades", {})  # those of another test have its folder


def test_a_trade_recorded_over_http_is_the_facades_row_for_row() -> None:
    program = caller("record", "read")
    status, position = program.post("positions", OPENING)
    assert (status, position["avg_price"], position["stop_price"]) == (200, "2450.05", "2440.1")
    assert position["opened_at"] == "2024-03-15T04:01:00Z" and position["flags"] == []
    assert program.post("fills", FILL | {"fill_id": "F2"})[1]["open_quantity"] == "6"
    stop = {"trade_id": "T1", "symbol": "RELIANCE", "stop_price": "2445", "extreme_price": "2460", "method": "atr"}
    assert program.post("stops", stop | {"at": "2024-03-15T04:05:00Z"}) == (200, {"recorded": True})
    status, trade = program.post("closings", CLOSING)
    assert (status, trade["state"], trade["realised_pnl"]) == (200, "CLOSED", "132.5")
    signal = {"strategy_id": "ema cross", "symbol": "TCS", "at": "2024-03-15T04:01:00Z", "conditions": {"a": 1.5}}
    assert program.post("signals", signal | {"decision": "SKIPPED"})[1]["conditions"] == {"a": 1.5}
    with DataManager() as dm:
        facade = json.loads(json.dumps(dm.get_trade("T1").as_dict(), default=str))
        assert program.get("trade?trade_id=T1")[1].keys() == facade.keys()
        assert trade["realised_pnl"] == facade["realised_pnl"].rstrip("0")
    authors = set(Journal.objects.exclude(operation="make_token").values_list("recorded_by", flat=True))
    assert authors == {"token main record read"}


def test_the_same_call_again_changes_nothing_and_another_under_its_id_is_refused() -> None:
    program = caller("record")
    calls = [("positions", OPENING), ("fills", FILL | {"fill_id": "F2"})]
    for path, body in calls:
        program.post(path, body)
    before = snapshot()
    for path, body in calls:
        assert "known_already" in program.post(path, body)[1]["flags"]
    status, told = program.post("positions", OPENING | {"quantity": "11"})
    assert (status, told["code"]) == (409, "id_conflict")
    status, told = program.post("fills", FILL)
    assert (status, told["field"]) == (422, "fill_id")
    assert snapshot() == before


def test_numbers_stay_exact_as_texts_and_as_numbers_of_json() -> None:
    program = caller("record")
    long = '{"trade_id": "T9", "strategy_id": "s", "symbol": "TCS", "quantity": 1, "entry_price": 3520.12345678, '
    long += '"entry_time": "2024-03-15T09:31:00.123456+05:30"}'
    status, position = program.post("positions", long)
    assert (status, position["avg_price"], position["open_quantity"]) == (200, "3520.12345678", "1")
    assert position["opened_at"] == "2024-03-15T04:01:00.123456Z"
    for price in ("1e3", "NaN", "", " 1", "١", True, None, [1], 10**30, "0.000000001"):
        status, told = program.post("positions", OPENING | {"entry_price": price})
        assert (status, told["field"]) == (422, "entry_price"), price
    for at in ("2024-03-15T09:31:00", "1710475260", 1710475260, "2024-03-15", "2024-02-30T09:00:00Z", None):
        status, told = program.post("positions", OPENING | {"entry_time": at})
        assert (status, told["field"]) == (422, "entry_time"), at


BAD = [
    (b"", 422, "invalid_value"),
    (b"{", 422, "unreadable"),
    (b"\xff", 422, "unreadable"),
    (b'{"entry_price": NaN}', 422, "unreadable"),
    (b"[" * 21 + b"]" * 21, 422, "invalid_value"),
    (b'{"a": "\\"[[[[[[[[[[[[[[[[[[[[[[["}', 422, "invalid_value"),
    (b"[]", 422, "invalid_value"),
    (b"7", 422, "invalid_value"),
    (b'{"trade_id": "' + b"x" * BODY_BYTES_MAX + b'"}', 413, "too_large"),
    (json.dumps(OPENING | {"colour": "red"}).encode(), 422, "invalid_value"),
    (json.dumps(OPENING | {"trade_id": "a\nb"}).encode(), 422, "invalid_value"),
    (json.dumps(OPENING | {"trade_id": "\ud800"}).encode(), 422, "invalid_value"),
    (json.dumps(OPENING | {"symbol": "NIFTY 50"}).encode(), 422, "not_tradable"),
    (json.dumps(OPENING | {"side": "long"}).encode(), 422, "invalid_value"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD)
def test_a_bad_body_has_its_status_and_words_and_nothing_is_written(body: bytes, status: int, code: str) -> None:
    program = caller("record")
    before = snapshot()
    answer = program.post("positions", body)
    assert (answer[0], answer[1]["code"]) == (status, code), answer
    assert answer[1]["status"] == status and answer[1]["detail"]
    other = program.client.post(ROOT + "positions", body, content_type="text/plain")
    assert other.status_code == 415 or not body
    assert snapshot() == before


def test_another_accounts_trade_is_as_one_that_is_not_there() -> None:
    opened("T1")
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=1, capital_date=AT.date())
    opened("theirs", account_code="paper")
    program = caller("read", "record")
    for path in ("theirs", "nothere"):
        status, told = program.get(f"trade?trade_id={path}")
        assert status == 404 and told == program.get(f"trade?trade_id={path}")[1]
        assert told["detail"].replace(path, "X") == "There is no trade 'X' in account 'main'."
    assert [trade["trade_id"] for trade in program.get("trades")[1]["trades"]] == ["T1"]
    status, told = program.post("fills", FILL | {"trade_id": "theirs", "fill_id": "F"})
    assert (status, told["code"]) == (404, "unknown_trade")


def test_each_scope_opens_its_own_calls_alone() -> None:
    opened("T1")
    reader, recorder = caller("read"), caller("record")
    for path in READS:
        assert reader.get(path)[0] == 200, path
        assert (recorder.get(path)[0], recorder.get(path)[1]["code"]) == (403, "scope_missing")
    before = snapshot()
    for path in ("positions", "fills", "closings", "stops", "signals"):
        assert reader.post(path, OPENING)[0] == 403
    assert snapshot() == before


def test_no_token_no_answer(client: Client) -> None:
    new = make_token("main", "a", ["read"], by="asha", networks=["10.0.0.0/8", "::1"])
    for header in ("", "Bearer", "Bearer x", "Basic abc", f"Bearer {new.secret}x", f"Token {new.secret}"):
        response = client.get(ROOT + "positions", headers={"Authorization": header})
        assert response.status_code == 401 and response["WWW-Authenticate"].startswith("Bearer"), header
    assert Caller(new.secret).get("positions")[1]["code"] == "wrong_network"
    assert Caller(new.secret, "10.1.2.3").get("positions")[0] == Caller(new.secret, "::1").get("positions")[0] == 200
    assert Caller(new.secret, "").get("positions")[0] == 403
    revoke_token("a", by="asha")
    assert Caller(new.secret, "10.1.2.3").get("positions")[0] == 401
    ended = make_token("main", "b", ["read"], by="asha", expires_at=AT + MINUTE, now=AT)
    assert Caller(ended.secret).get("positions")[0] == 401


def test_a_login_is_no_token(client: Client) -> None:
    from tests import page_desk

    client.force_login(page_desk.member("asha"))
    assert client.get(ROOT + "positions").status_code == 401


def test_pages_of_trades_follow_each_other_without_a_gap() -> None:
    for number in range(7):
        opened(f"T{number}", entry_time=AT + MINUTE * (number // 3))
    program, seen, path = caller("read"), [], "trades?limit=2"
    following: str | None = ""
    while following is not None:
        status, page = program.get(path + (f"&after={following}" if following else ""))
        seen += [trade["trade_id"] for trade in page["trades"]]
        following = page["next"]
        assert status == 200 and len(page["trades"]) <= 2
        if len(seen) == 4:
            opened("late", entry_time=AT - MINUTE)  # before those seen: moves none
    assert seen == [f"T{number}" for number in range(7)]
    for wrong in ("limit=0", "limit=1001", "after=x", "after=%00", "state=open", "colour=red", "start=2024-03-15"):
        assert program.get(f"trades?{wrong}")[0] == 422, wrong


def test_a_token_that_asks_too_fast_is_told_to_wait() -> None:
    bucket = access.Rates()
    token = make_token("main", "a", ["read"], by="asha").token
    for _ in range(20):
        bucket.admit(token, 10, now=5.0)
    with pytest.raises(problems.TooManyRequests):
        bucket.admit(token, 10, now=5.0)
    bucket.admit(token, 10, now=5.15)
    with pytest.raises(problems.TooManyRequests):
        bucket.admit(token, 10, now=4.0)  # a clock that goes back gives nothing


def test_it_is_told_over_http_for_how_long_while_another_token_has_its_own_rate(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.VELOX_API_REQUESTS_PER_SECOND = 1 / 600
    monkeypatch.setattr(access, "BURST_SECONDS", 1200.0)
    fast, other = caller("record"), caller("read")
    assert [fast.post("positions", OPENING)[0] for _ in range(3)] == [200, 200, 429]
    refused = fast.client.post(ROOT + "signals", "{}", content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert 300 < int(refused["Retry-After"]) <= 600
    assert other.get("positions")[0] == 200


def test_every_error_has_a_status() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.VeloxError)]
    assert len(kinds) > 20
    for kind in kinds:
        if kind is not errors.VeloxError:
            assert any(parent in problems.STATUSES for parent in kind.__mro__), kind


def test_a_busy_ledger_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise errors.LedgerBusy("The ledger is busy.", hint="Call again.")

    program = caller("record")
    monkeypatch.setattr(DataManager, "open_position", busy)
    response = program.client.post(ROOT + "positions", json.dumps(OPENING), content_type="application/json")
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert Trade.objects.count() == 0


def test_a_fault_of_our_own_is_a_problem_without_its_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    program = caller("read")
    monkeypatch.setattr(DataManager, "get_open_positions", lambda _: 1 // 0)
    response = program.client.get(ROOT + "positions")
    assert (response.status_code, json.loads(response.content)["code"]) == (500, "fault")
    assert b"ZeroDivision" not in response.content


def test_reads_agree_with_the_facade() -> None:
    opened("T1")
    closed("T1")
    opened("T2", strategy_id="orb", entry_time=AT + timedelta(minutes=30))
    program = caller("read")
    with DataManager() as dm:
        stats = dm.get_strategy_stats("ema cross", None)
        told = program.get("statistics/strategy?strategy_id=ema cross&days=100000")[1]
        assert told["total_pnl"] == f"{stats['total_pnl']:f}".rstrip("0").rstrip(".")
        assert list(told) == list(stats)
        assert [trade["trade_id"] for trade in program.get("positions")[1]["positions"]] == ["T2"]
        assert program.get("day?day=2024-03-15")[1]["date"] == "2024-03-15"
        assert program.get("day?day=yesterday")[0] == 422


def test_schema_and_document_list_every_call_and_its_statuses() -> None:
    schema = json.loads(Client().get(ROOT + "openapi.json").content)
    paths = {path.removeprefix(ROOT) for path in schema["paths"]}
    more = {"fills", "closings", "stops", "events"} | RECORDED | OPERATED
    assert paths == {each.split("?")[0] for each in READS} | more
    calls = {
        f"{method.upper()} /{path.removeprefix(ROOT)}" for path in schema["paths"] for method in schema["paths"][path]
    }
    document = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert calls == set(re.findall(r"^\| `((?:GET|POST) [/\w-]+)`", document, re.MULTILINE))
    listed = {
        name: int(row[2:5])
        for row in re.findall(r"^\| \d{3} .*$", document, re.MULTILINE)
        for name in NAMED.findall(row)
    }
    assert {kind.__name__: status for kind, status in problems.STATUSES.items() if kind.__name__ in listed} == listed
