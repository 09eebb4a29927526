"""The overview's live sections: what they show, when they are drawn, and who may go on looking."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import DatabaseError, connections
from django.test import Client

from tests import page_desk
from tests.waiting import PATIENCE_SECONDS
from trading.live import channel, watching
from trading.models import User
from trading.operations.close_position import close_position
from trading.web import live

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass for the state of health, and no connection of the test be taken for an old one."""
    monkeypatch.setattr(live, "HEALTH_SECONDS", 1e9)
    monkeypatch.setattr(live, "renew_connections", lambda: None)


def test_the_sections_are_those_of_the_page(client: Client) -> None:
    page_desk.trades(12)
    page_desk.open_trade()
    client.force_login(page_desk.member("viewer"))
    page = client.get("/").content.decode()
    picture = live.OverviewLook("main")(True)
    assert picture is not None
    steady = {"live-tiles", "live-positions", "live-curve", "live-latest", "live-signals"}
    assert set(picture.sections) == steady | {"live-limits", "live-health"}
    for name in steady:
        assert picture.sections[name].strip() in page, name
    assert f'data-day="{picture.facts["day"]}"' in page


def test_a_page_shows_what_those_who_watch_its_account_see_while_that_is_fresh(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_desk.trades(2)
    client.force_login(page_desk.member("viewer"))
    look = live.OverviewLook("main")
    assert look(True) is not None
    page_desk.open_trade()
    assert "0 now" in client.get("/").content.decode()  # as everybody sees it until the next look
    assert "1 at the end of" in client.get("/?day=2024-03-15").content.decode()  # a day that is asked for is looked at
    assert live.newest_look("replay") is None
    look(False)
    assert "1 now" in client.get("/").content.decode()
    at = page_desk.OPENING + timedelta(hours=5, minutes=9)
    close_position("main", "held", "ema_cross", "RELIANCE", exit_price=2470, exit_time=at, exit_reason="target")
    monkeypatch.setattr(live, "FRESH_SECONDS", -1.0)  # nobody has looked lately
    assert "0 now" in client.get("/").content.decode()
    monkeypatch.setattr(live, "FRESH_SECONDS", 1e9)
    del look
    assert live.newest_look("main") is None  # nobody watches any more


def test_they_are_drawn_when_the_journal_grows_and_not_before() -> None:
    page_desk.trades(2)
    look = live.OverviewLook("main")
    assert look(True) is not None
    assert look(False) is None
    page_desk.open_trade()
    picture = look(False)
    assert picture is not None
    assert "1 now" in picture.sections["live-positions"]
    at = page_desk.OPENING + timedelta(hours=5, minutes=9)
    close_position("main", "held", "ema_cross", "RELIANCE", exit_price=2470, exit_time=at, exit_reason="target")
    picture = look(False)
    assert picture is not None
    assert "No trade is open" in picture.sections["live-positions"]


def test_only_sections_whose_facts_moved_are_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    page_desk.trades(2)
    page_desk.open_trade()
    look, drawn = live.OverviewLook("main"), list[str]()
    render = live.render_to_string
    monkeypatch.setattr(
        live, "render_to_string", lambda name, facts: drawn.append(Path(name).stem) or render(name, facts)
    )

    def rendered() -> set[str]:
        drawn.clear()
        assert look(True) is not None
        return set(drawn)

    assert rendered() == set(live.SECTIONS)
    assert rendered() == set()
    page_desk.ticks(minutes=1)
    assert rendered() == {"tiles", "positions"}
    page_desk.skipped(1)
    assert rendered() >= {"tiles", "curve", "latest", "signals"}


def test_another_accounts_trades_are_not_in_them() -> None:
    page_desk.trades(2)
    look = live.OverviewLook("replay")
    before = look(True)
    page_desk.open_trade()
    after = look(True)
    assert before is not None
    assert after is not None
    assert {name: after.sections[name] for name in ("live-tiles", "live-positions", "live-latest")} == {
        name: before.sections[name] for name in ("live-tiles", "live-positions", "live-latest")
    }


def test_who_logs_out_or_loses_the_right_may_look_no_more(client: Client) -> None:
    viewer = page_desk.member("viewer", password=page_desk.PASSWORD)
    store = import_module(settings.SESSION_ENGINE).SessionStore

    def may_look() -> bool:
        return live._may_still_look(client.session.session_key)

    client.force_login(viewer)
    assert may_look()
    viewer.groups.clear()
    assert not may_look()
    viewer.groups.add(Group.objects.get(name="viewer"))
    assert may_look()
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    assert not may_look()
    User.objects.filter(pk=viewer.pk).update(is_active=True)
    viewer.set_password("another-7-password")
    viewer.save()
    assert not may_look()
    client.force_login(viewer)
    key = client.session.session_key
    assert live._may_still_look(key)
    store(key).delete()
    assert not live._may_still_look(key)
    assert not live._may_still_look(None)


def test_a_server_without_streams_says_so(client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    answer = client.get("/events/")
    assert answer.status_code == 501
    assert "make serve" in answer.content.decode()
    assert client.head("/events/").status_code == 405
    assert client.get("/events/?account=nobody").status_code == 404


def test_a_stream_says_that_it_ends_once_its_login_has(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.0)
    client.force_login(page_desk.member("viewer"))
    session_key = client.session.session_key
    client.logout()

    async def heard() -> list[bytes]:
        return [event async for event in live._events("main", session_key)]

    # What came while the login was asked for is before it; nothing is behind it.
    assert asyncio.run(asyncio.wait_for(heard(), 300)).index(b"event: ended\ndata: {}\n\n") > 0


def test_a_stream_that_runs_is_cut_off_once_its_viewer_loses_the_right(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(channel, "BEAT_SECONDS", 0.05)
    viewer = page_desk.member("viewer")
    client.force_login(viewer)
    session_key = client.session.session_key

    async def follow() -> bytes:
        beats = 0
        async for event in live._events("main", session_key):
            beats += event.startswith(b"event: beat")
            if beats == 5:  # it was looked at and goes on
                beats += 1
                await asyncio.to_thread(viewer.groups.clear)
        return event

    assert asyncio.run(asyncio.wait_for(follow(), PATIENCE_SECONDS)) == b"event: ended\ndata: {}\n\n"


@pytest.mark.parametrize("fault", ["fails", "hangs"])
def test_a_stream_ends_where_nobody_can_tell_whether_its_viewer_may_look(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(watching, "ANSWER_SECONDS", PATIENCE_SECONDS if fault == "fails" else 0.05)
    hanging = threading.Event()

    def is_allowed() -> bool:
        if fault == "fails":
            raise DatabaseError("gone")
        return hanging.wait()

    async def events() -> AsyncGenerator[bytes]:
        while True:
            yield b"event: picture\n\n"
            await asyncio.sleep(0.001)

    async def last() -> bytes:
        return [event async for event in watching.while_allowed(events(), is_allowed)][-1]

    try:
        assert asyncio.run(asyncio.wait_for(last(), PATIENCE_SECONDS)) == b"event: picture\n\n"
    finally:
        hanging.set()


@pytest.mark.parametrize("is_checked", [False, True], ids=["unchecked", "checked before"])
def test_who_takes_nothing_for_long_is_looked_at_before_anything_else_is_told(
    is_checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(watching, "ANSWER_SECONDS", 0.05)
    is_allowed = True

    async def events() -> AsyncGenerator[bytes]:
        while True:
            yield b"event: picture\n\n"

    async def told() -> list[bytes]:
        nonlocal is_allowed
        stream = watching.while_allowed(events(), lambda: is_allowed)
        await anext(stream)
        if is_checked:
            await asyncio.sleep(watching.CHECK_SECONDS)
            await anext(stream)
            await asyncio.wrap_future(watching.checking.submit(bool))  # the check that has begun is over
        is_allowed = False
        await asyncio.sleep(watching.CHECK_SECONDS + watching.ANSWER_SECONDS)
        return [event async for event in stream]

    assert set(asyncio.run(told())) <= {watching.ENDED}


def test_a_look_keeps_its_connection_until_that_is_old_or_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    connection = connections["default"]
    closed = list[str]()
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: closed.append("closed"))
    for age, has_failed, is_closed in ((1.0, False, False), (61.0, False, True), (1.0, True, True)):
        closed.clear()
        monkeypatch.setattr(connection, "close_at", time.monotonic() - age)
        monkeypatch.setattr(connection, "errors_occurred", has_failed)
        watching.renew_connections()
        assert bool(closed) == is_closed
