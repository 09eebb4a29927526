"""`/events`: every row of the account's journal once and in order, from any place on, for who still may."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.test import AsyncClient
from structlog.testing import capture_logs

from tests.trading.book import AT, MINUTE, closed, opened
from tests.trading.test_api import _fresh_rates, caller  # noqa: F401 - a fixture
from tests.waiting import PATIENCE_SECONDS
from trading.api import events
from trading.live import account_feed, channel, watching
from trading.live.account_feed import AccountFeed
from trading.models import ApiToken, Journal
from trading.operations.clear_account import clear_account
from trading.operations.create_account import create_account
from trading.operations.make_token import make_token
from trading.operations.record_signal import record_signal
from trading.operations.revoke_token import revoke_token
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.queries.accounts import get_account
from trading.queries.journal_events import journal_end

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger", "alone")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(channel, "SPACING_SECONDS", 0.01)
    monkeypatch.setattr(channel, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(account_feed, "_health_text", lambda: '{"status": "ok", "parts": {}}')


@pytest.fixture(autouse=True)
def _at_this_ledger() -> Iterator[None]:
    """Let the threads that look leave a test's ledger with it."""
    yield
    for threads in (watching.looking, watching.checking):
        threads.submit(connections.close_all).result()


def elsewhere(act: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
    """Do something in a thread of its own, which ends with its connections."""
    try:
        act(*arguments, **keywords)
    finally:
        connections.close_all()


def last() -> int:
    return Journal.objects.filter(account__code="main").count()


async def rows(stream: AsyncGenerator[bytes], count: int) -> list[dict[str, Any]]:
    """Return the next rows of the journal from a stream."""
    seen: list[dict[str, Any]] = []
    while len(seen) < count:
        lines = dict(line.split(": ", 1) for line in (await anext(stream)).decode().strip().split("\n"))
        if lines.get("event") == "journal":
            seen.append(json.loads(lines["data"]) | {"id": int(lines["id"])})
    return seen


def heard(after: int, count: int, *acts: Any) -> list[dict[str, Any]]:
    """Return rows behind a place as a stream has them; ``acts`` happen one by one once it runs."""

    async def play() -> list[dict[str, Any]]:
        stream = events._watched("main", after)
        async for event in stream:
            if event.startswith(b"event: health"):
                break
        seen: list[dict[str, Any]] = []
        for act in acts:
            await asyncio.to_thread(elsewhere, act)
        seen += await rows(stream, count)
        await stream.aclose()
        return seen

    return asyncio.run(asyncio.wait_for(play(), PATIENCE_SECONDS))


def test_rows_come_in_order_with_what_they_are_about(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = last()
    monkeypatch.setattr(watching, "renew_connections", lambda: None)

    def trade() -> None:
        opened("T1", fill_id="F1")
        update_trailing_sl("main", "T1", "ema cross", "RELIANCE", "2445", "2460", "atr", at=AT + MINUTE)
        closed("T1")
        record_signal("main", "ema cross", "TCS", AT, {"rsi": 61.5}, decision="SKIPPED", reason="late")

    seen = heard(begin, 4, trade)
    assert [row["sequence"] for row in seen] == [row["id"] for row in seen] == list(range(begin + 1, begin + 5))
    assert [row["operation"] for row in seen] == [
        "open_position",
        "update_trailing_sl",
        "close_position",
        "record_signal",
    ]
    assert {(row["trade_id"], row["symbol"]) for row in seen[:3]} == {("T1", "RELIANCE")}
    assert seen[0]["fill"]["fill_id"] == "F1" and seen[0]["recorded_at"].endswith("Z")
    assert seen[3]["signal"]["conditions"] == {"rsi": 61.5} and seen[3]["strategy_id"] == "ema cross"


def test_who_comes_back_gets_what_came_meanwhile_kept_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = last()
    monkeypatch.setattr(account_feed, "ROWS_KEPT", 2)
    monkeypatch.setattr(account_feed, "ROWS_AT_ONCE", 2)
    for number in range(5):
        opened(f"T{number}")

    async def play() -> list[list[int]]:
        first = events._watched("main", begin)
        seen = [[row["id"] for row in await rows(first, 5)]]
        second = events._watched("main", begin + 3)  # the first one's feed keeps the last two
        seen.append([row["id"] for row in await rows(second, 2)])
        await first.aclose()
        await second.aclose()
        return seen

    whole, resumed = asyncio.run(asyncio.wait_for(play(), PATIENCE_SECONDS))
    assert whole == [begin + number for number in range(1, 6)]
    assert resumed == whole[3:]


def test_all_who_watch_an_account_share_one_feed_and_it_is_forgotten_after_them() -> None:
    feed = account_feed.feed_of("main")
    assert account_feed.feed_of("main") is feed
    opened("T1")
    assert feed(True) is not None and feed(False) is None
    opened("T2")
    picture = feed(False)
    assert picture is not None and int(picture.facts["sequence"]) == last()
    assert [sequence for sequence, _ in feed.kept_after(last() - 1)] == [last()]
    assert not feed.kept_after(0) and len(feed.read_after(0)) == last()
    del feed
    assert "main" not in account_feed._feeds


def test_rows_that_nobody_saw_before_their_account_was_cleared_shift_no_others() -> None:
    feed = AccountFeed("replay")
    assert feed(True) is not None
    opened("seen", account_code="replay")
    assert feed(False) is not None
    opened("unseen", account_code="replay")
    clear_account("replay")
    after = journal_end(get_account("replay"))
    for number in range(3):
        opened(f"T{number}", account_code="replay")
        assert feed(False) is not None
    assert feed.kept_after(after) == feed.read_after(after)


def test_a_ledger_that_goes_away_ends_who_reads_it_and_is_told_the_others_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is closed")

    async def play() -> list[bytes]:
        reader, other = events._watched("main", 0), events._watched("main", end)
        seen = [await anext(reader), await anext(other)]
        monkeypatch.setattr(account_feed, "events_after", fails)
        seen += [event async for event in reader]  # it ends
        monkeypatch.setattr(account_feed, "journal_end", fails)
        while not seen[-1].startswith(b"event: fault"):
            seen.append(await anext(other))
        await other.aclose()
        return seen

    opened("T1")
    end = last()
    with capture_logs() as logged:
        asyncio.run(asyncio.wait_for(play(), PATIENCE_SECONDS))
    told = {each["event"]: each.get("exc_info", False) for each in logged}
    assert told == {"a stream ends: the ledger cannot be read": False, "the live page cannot be drawn": False}


def test_another_accounts_rows_are_not_in_it() -> None:
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=1, capital_date=AT.date())
    feed = AccountFeed("main")
    before = feed(True)
    opened("theirs", account_code="paper")
    assert feed(False) is None and feed(True) == before
    assert b"theirs" not in b"".join(text for _, text in feed.read_after(0))


def test_no_row_tells_the_digest_of_a_token() -> None:
    token = make_token("main", "a", ["read"], by="asha").token
    assert token.sha256.encode() not in b"".join(text for _, text in AccountFeed("main").read_after(0))


def test_a_stream_ends_once_its_token_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.0)
    make_token("main", "a", ["read"], by="asha")
    token = ApiToken.objects.select_related("account").get(name="a")

    async def play() -> list[bytes]:
        seen = []
        async for event in events._events(token, 0, events.take_seat(token)):
            seen.append(event)
            if len(seen) == 3:
                await asyncio.to_thread(elsewhere, revoke_token, "a", by="asha")
        return seen

    assert asyncio.run(asyncio.wait_for(play(), PATIENCE_SECONDS))[-1] == b"event: ended\ndata: {}\n\n"


def test_a_token_has_its_ten_streams_however_fast_they_are_asked_for() -> None:
    """One that was asked for counts before it begins, and no more once it has ended or its answer was dropped."""
    secret = make_token("main", "a", ["read"], by="asha").secret
    client, seats = AsyncClient(), events._seats[ApiToken.objects.get(name="a").pk]

    async def play() -> None:
        asked = (
            client.get("/api/v1/events", headers={"Authorization": f"Bearer {secret}"})
            for _ in range(events.STREAMS_MAX + 3)
        )
        answers = await asyncio.gather(*asked)
        assert sorted(answer.status_code for answer in answers) == [200] * events.STREAMS_MAX + [429] * 3
        await anext(next(answer.streaming_content for answer in answers if answer.status_code == 200))
        assert len(seats) == events.STREAMS_MAX
        answers.clear()
        while seats:
            gc.collect()
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(play(), PATIENCE_SECONDS))


def test_what_cannot_be_streamed_is_refused_in_words() -> None:
    program = caller("read")
    for path in ("events?after=999", "events?after=-1", "events?after=x", "events?since=1"):
        assert program.get(path)[0] == 422, path
    assert program.client.get("/api/v1/events", headers={"Last-Event-ID": "999"}).status_code == 422
    response = program.client.get("/api/v1/events")
    assert (response.status_code, response.json()["code"]) == (501, "no_streams")
