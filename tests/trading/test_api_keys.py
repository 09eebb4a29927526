"""`Idempotency-Key`: the same call again hears the same answer, and the ledger stays the one truth."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.trading.book import snapshot
from tests.trading.test_api import CLOSING, FILL, OPENING, ROOT, Caller, caller
from trading import errors
from trading.api import access, keys
from trading.data_manager import DataManager
from trading.models import Journal

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]
STOP = {
    "trade_id": "T1", "symbol": "RELIANCE", "stop_price": "2445", "extreme_price": "2460", "method": "atr",
    "at": "2024-03-15T04:05:00Z",
}  # fmt: skip
SIGNAL = {
    "strategy_id": "ema cross", "symbol": "TCS", "at": "2024-03-15T04:01:00Z", "conditions": {"a": 1},
    "decision": "SKIPPED",
}  # fmt: skip
CALLS = {
    "positions": OPENING, "fills": FILL | {"fill_id": "F2"}, "stops": STOP, "signals": SIGNAL, "closings": CLOSING,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "rates", access.Rates())


def post(program: Caller, path: str, body: Any, key: str) -> tuple[int, bytes]:
    response = program.client.post(
        ROOT + path, json.dumps(body), content_type="application/json", headers={"Idempotency-Key": key}
    )
    return response.status_code, response.content


def code(answer: tuple[int, bytes]) -> tuple[int, str]:
    return answer[0], json.loads(answer[1])["code"]


def test_the_same_key_again_hears_what_the_first_heard_though_the_trade_went_on() -> None:
    program = caller("record")
    first = {path: post(program, path, body, f"key {path}".replace(" ", "-")) for path, body in CALLS.items()}
    assert {status for status, _ in first.values()} == {200}
    before = snapshot()
    for path, body in CALLS.items():
        assert post(program, path, body, f"key-{path}") == first[path]
        assert program.post(path, body)[1] != json.loads(first[path][1]) or path in ("stops", "signals")
    assert json.loads(first["positions"][1])["flags"] == []
    assert snapshot() == before


def test_an_answer_under_a_key_is_the_answer_without_one() -> None:
    program, other = caller("record"), caller("record", "read")
    kept = json.loads(post(program, "positions", OPENING, "k")[1])
    plain = other.post("positions", OPENING | {"trade_id": "T2", "fill_id": "F9"})[1]
    assert list(kept) == list(plain)
    assert kept | {"trade_id": "T2"} == plain


def test_the_same_key_with_another_call_is_refused_and_another_tokens_key_is_another() -> None:
    program = caller("record")
    post(program, "positions", OPENING, "k")
    before = snapshot()
    assert code(post(program, "positions", OPENING | {"trade_id": "T2"}, "k")) == (422, "key_reused")
    assert code(post(program, "signals", SIGNAL, "k")) == (422, "key_reused")
    assert snapshot() == before
    assert post(program, "positions", OPENING | {"entry_price": 2450.05}, "k")[0] == 200  # the same number
    assert "known_already" in json.loads(post(caller("record", "read"), "positions", OPENING, "k")[1])["flags"]


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 129])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    program = caller("record")
    before = snapshot()
    assert post(program, "positions", OPENING, key)[0] == 422
    assert snapshot() == before


def test_a_call_that_was_refused_may_be_put_right_under_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    program = caller("record")
    assert post(program, "positions", OPENING | {"quantity": "0"}, "k")[0] == 422

    def busy(*_: Any, **__: Any) -> Any:
        raise errors.LedgerBusy("The ledger is busy.", hint="Call again.")

    with monkeypatch.context() as patch:
        patch.setattr(DataManager, "open_position", busy)
        assert post(program, "positions", OPENING, "k")[0] == 503
    assert post(program, "positions", OPENING, "k")[0] == 200


def test_a_call_that_was_killed_before_its_answer_is_answered_by_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    program = caller("record")

    def killed(path: Path, content: dict[str, Any], write: Any = keys._write) -> None:
        if "answer" in content:
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(keys, "_write", killed)
        post(program, "positions", OPENING, "k")
    assert code(post(program, "positions", OPENING | {"trade_id": "T2"}, "k")) == (422, "key_reused")
    status, answer = post(program, "positions", OPENING, "k")
    assert (status, json.loads(answer)["flags"]) == (200, ["known_already"])
    assert post(program, "positions", OPENING, "k") == (status, answer)
    assert Journal.objects.filter(operation="open_position").count() == 1


def test_an_answer_of_another_ledger_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    program = caller("record")
    first = post(program, "positions", OPENING, "k")
    monkeypatch.setattr(keys, "holds_end", lambda *_: False)  # as after a restore of an older copy
    status, answer = post(program, "positions", OPENING, "k")
    assert (status, json.loads(answer)["flags"]) == (200, ["known_already"]) and answer != first[1]


def test_a_disk_that_takes_no_answer_keeps_no_trade_from_the_ledger(settings: Any) -> None:
    program = caller("record")
    (settings.DATA_DIR / "answers").write_text("in the way")
    assert post(program, "positions", OPENING, "k")[0] == 200
    assert "known_already" in json.loads(post(program, "positions", OPENING, "k")[1])["flags"]


def test_answers_are_kept_for_the_day_and_the_next(settings: Any) -> None:
    program = caller("record")
    first = post(program, "positions", OPENING, "k")
    [today] = (settings.DATA_DIR / "answers").iterdir()
    yesterday = today.with_name(str(datetime.now(UTC).date() - timedelta(days=1)))
    os.rename(today, yesterday)
    assert post(program, "positions", OPENING, "k") == first
    os.rename(yesterday, today.with_name("2024-01-01"))
    os.rmdir(today)
    assert post(program, "positions", OPENING, "k") != first
    assert [folder.name for folder in (settings.DATA_DIR / "answers").iterdir()] == [today.name]
