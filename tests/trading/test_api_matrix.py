"""Every call of the interface by a token of each scope and account: what it opens, and nothing of another account.

The calls are those of the schema, so a new one is tried by itself, or has to say here how it is asked.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.trading.book import AT, MINUTE, snapshot
from tests.trading.test_api import ROOT, Caller, _fresh_rates, caller  # noqa: F401 - a fixture
from trading.api.application import api
from trading.data_manager import DataManager
from trading.models import Journal
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.create_account import create_account
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.operations.update_trailing_sl import update_trailing_sl

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved", "alone")]
SPAN = "start=2024-03-15T00:00:00Z&stop=2024-03-16T00:00:00Z"
# How each read is asked about what only one account has: {word} stands in all its names.
ASKED = {
    "trade": "trade_id={word}", "trade/whole": "trade_id={word}", "position": "strategy_id={word}&symbol={word}",
    "limits": "strategy_id={word}", "market-day": "symbol={word}&at=2024-03-15T04:00:00Z",
    "statistics/strategy": "strategy_id={word}&days=all", "statistics/symbol": "symbol={word}&days=all",
    "statistics/by": "cut=strategy&days=all", "days": "first=2024-03-15&last=2024-03-15", "day": "day=2024-03-15",
    "ticks": "symbol={word}&" + SPAN, "ticks/newest": "symbols={word}", "indicators/newest": "symbols={word}",
    "candles": "symbol={word}&every=1m&" + SPAN, "indicators": "symbol={word}&" + SPAN,
    "snapshots": "strategy_id={word}&symbol={word}&" + SPAN, "metrics": "strategy_id={word}&" + SPAN,
    "charges": "", "counters": "", "positions": "", "trades": "", "signals": "", "stops": "", "health": "",
    "statistics/today": "", "events": "",
}  # fmt: skip
FILTERED = (
    "trades?strategy_id={word}",
    "trades?symbol={word}",
    "signals?strategy_id={word}",
    "stops?strategy_id={word}",
)
DESK_WIDE = {"health", "health/full", "dead-letters", "market-day"}  # of the desk, or of a symbol's exchange
# A call that writes about a trade by its id.
ABOUT = {
    "fills": {"side": "SELL", "price": "1", "quantity": "1", "at": "2024-03-15T05:00:00Z", "fill_id": "F9"},
    "closings": {"symbol": "{word}", "exit_price": "1", "exit_time": "2024-03-15T05:00:00Z"},
    "stops": {"symbol": "{word}", "stop_price": "1", "extreme_price": "1", "method": "a", "at": "2024-03-15T05:00:00Z"},
}


def fill(account: str, word: str) -> None:
    """Book an open and a closed trade, a signal, a stop and points, all of whose names are the word."""
    names = {"strategy_id": word, "symbol": word}
    open_position(account, word, **names, entry_price=100, quantity=4, entry_time=AT, fill_id=word, stop_price=90)
    add_fill(account, word, "SELL", 101, 1, AT + MINUTE, fill_id=f"{word}-2")
    update_trailing_sl(account, word, word, word, 95, 102, word, at=AT + MINUTE)
    record_signal(account, word, word, AT, {word: 1}, decision="SKIPPED", reason=word)
    at = AT + timedelta(minutes=5)
    open_position(account, f"{word}-closed", **names, entry_price=100, quantity=1, entry_time=at)
    close_position(account, f"{word}-closed", **names, exit_price=102, exit_time=at + MINUTE, exit_reason=word)
    with DataManager(source=f"feed of {word}", account=account) as dm:
        dm.process_tick(word, {"ltp": 100}, at=AT)
        dm.cache_indicators(word, {word: 1}, at=AT)
        dm.update_position_snapshot(word, word, 100, 3, at=AT)


@pytest.fixture
def desks(ledger: Any) -> None:
    """Two accounts; `main` holds what is called kestrel, `paper` what is called ospreys."""
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=1, capital_date=AT.date())
    fill("main", "kestrel")
    fill("paper", "ospreys")


def calls() -> list[tuple[str, str, str]]:
    """Return method, path and scope of every call of the schema."""
    paths = api.get_openapi_schema(path_prefix=ROOT)["paths"]
    return [
        (method, path.removeprefix(ROOT), call["tags"][0])
        for path, each in paths.items()
        for method, call in each.items()
    ]


def address(path: str, word: str) -> str:
    query = ASKED.get(path, "").format(word=word)
    return f"{path}?{query}" if query else path


def test_every_call_opens_for_its_own_scope_alone(desks: None) -> None:
    tokens = {scope: caller(scope) for scope in ("read", "record", "operate")}
    assert {scope for _, _, scope in calls()} == set(tokens)
    before = snapshot()
    for method, path, scope in calls():
        for own, program in tokens.items():
            if own != scope:
                send = getattr(program.client, method)
                keywords = {} if method == "get" else {"data": "{}", "content_type": "application/json"}
                response = send(ROOT + address(path, "kestrel"), **keywords)
                assert (response.status_code, response.json()["code"]) == (403, "scope_missing"), (method, path, own)
    assert snapshot() == before
    for method, path, scope in calls():
        if method == "get":
            response = tokens[scope].client.get(ROOT + address(path, "kestrel"))
            assert response.status_code == 200 or path.startswith(("events", "ticks/stream")), path


def test_no_read_of_an_account_has_a_word_of_another(desks: None) -> None:
    readers = {account: caller("read", account=account) for account in ("main", "paper")}
    own_words = 0
    for method, path, scope in calls():
        if method != "get" or scope != "read" or path == "events":
            continue
        assert path in ASKED, f"say how {path} is asked"
        for account, word, other in (("main", "kestrel", "ospreys"), ("paper", "ospreys", "kestrel")):
            response = readers[account].client.get(ROOT + address(path, word))
            text = response.content.decode()
            assert response.status_code == 200 and other not in text, (path, account)
            own_words += word in text
    assert own_words > 25


def told(program: Caller, path: str, word: str) -> tuple[int, str, str, int]:
    """Return the status, the body without the word asked for, whether it has a tag, and the number of queries."""
    with CaptureQueriesContext(connection) as queries:
        response = program.client.get(ROOT + path.format(word=word))
    text = re.sub(r'"(as_of|checked_at)": "[^"]*"', "", response.content.decode())
    return response.status_code, text.replace(word, "WORD"), str("ETag" in response.headers), len(queries)


def test_what_another_account_has_answers_as_what_is_not_there(desks: None) -> None:
    program = caller("read")
    paths = [address(path, "{word}") for path, query in ASKED.items() if "{word}" in query and path not in DESK_WIDE]
    for path in (*paths, *FILTERED):
        program.client.get(ROOT + path.format(word="nowhere"))  # what is read once in a process
        assert told(program, path, "ospreys") == told(program, path, "nowhere"), path


def test_what_is_written_about_another_accounts_trade_is_refused_as_of_one_that_is_not_there(desks: None) -> None:
    program, before = caller("record"), snapshot()
    for path, body in ABOUT.items():
        answers = []
        for word in ("nowhere", "ospreys", "nowhere"):
            text = json.dumps({"trade_id": word, **body}).replace("{word}", word)
            with CaptureQueriesContext(connection) as queries:
                response = program.client.post(ROOT + path, text, content_type="application/json")
            answers.append((response.status_code, response.content.decode().replace(word, "WORD"), len(queries)))
        assert answers[1] == answers[2] and answers[1][0] == 404, path
    assert snapshot() == before


def test_lists_counts_tags_and_places_do_not_move_with_another_account(desks: None) -> None:
    program = caller("read")

    def seen() -> list[tuple[bytes, str]]:
        pages = [
            "trades?limit=1",
            "signals?limit=1",
            "positions",
            "stops",
            "counters",
            "statistics/by?cut=day&days=all",
        ]
        responses = [program.client.get(ROOT + page) for page in pages]
        return [(response.content, response["ETag"]) for response in responses]

    before = seen()
    assert json.loads(before[0][0])["next"] is not None
    fill("paper", "herons")
    assert Journal.objects.filter(account__code="paper").count() > 10
    assert seen() == before
