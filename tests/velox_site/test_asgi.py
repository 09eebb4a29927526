"""The ASGI entry point: a page runs in one thread, however many middlewares it passes."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import Client

from tests import page_desk
from tests.waiting import PATIENCE_SECONDS
from trading.live import watching
from velox_site.asgi import application

CHANGES_MAX = 4  # of threads: the request itself, and the signals around it


def scope_of(method: str, path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http", "method": method, "path": path, "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), *headers],
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip


def answered(path: str, *, method: str = "GET", body: tuple[bytes, ...] = (b"",)) -> tuple[int, bytes]:
    """Return status and body of a page that a client asks for; ``body`` are the pieces of the client's."""
    last = len(body) - 1
    asked = iter(
        {"type": "http.request", "body": piece, "more_body": number < last} for number, piece in enumerate(body)
    )
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await asyncio.sleep(3600)  # the client stays
        raise AssertionError("unreachable")

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    asyncio.run(application(scope_of(method, path), receive, send))
    return messages[0]["status"], b"".join(message.get("body", b"") for message in messages)


def test_a_page_changes_threads_a_few_times_only(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = []
    call = SyncToAsync.__call__
    monkeypatch.setattr(SyncToAsync, "__call__", lambda self, *of, **by: changes.append(self) or call(self, *of, **by))
    status, page = answered("/login/")
    assert status == 200
    assert b"<form" in page
    assert len(settings.MIDDLEWARE) > CHANGES_MAX
    assert len(changes) <= CHANGES_MAX


def test_whether_a_process_lives_is_answered_while_its_thread_waits_for_a_dead_database(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    monkeypatch.setattr(SyncToAsync, "__call__", None)  # neither a thread nor a middleware has a turn
    status, body = answered("/health/live")
    assert (status, json.loads(body)) == (200, {"status": "alive"})
    assert answered("/health/live", method="HEAD")[0] == 200
    assert client.get("/health/live").json() == {"status": "alive"}


def test_a_live_page_that_stays_open_keeps_no_connection_to_the_ledger(ledger: Any, client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}".encode()
    opened: list[BaseDatabaseWrapper] = []

    def note(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if not threading.current_thread().name.startswith("live"):  # whose look is everybody's
            opened.append(connection)

    async def watch() -> None:
        hears, leaves = asyncio.Event(), asyncio.Event()

        async def receive() -> dict[str, Any]:
            for message in asked:
                return message
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if b"retry" in message.get("body", b""):
                hears.set()

        asked = iter([{"type": "http.request", "body": b""}])
        page = asyncio.create_task(application(scope_of("GET", "/events/", (b"cookie", cookie)), receive, send))
        await asyncio.wait_for(hears.wait(), PATIENCE_SECONDS)
        assert opened and all(each.connection is None for each in opened)
        leaves.set()
        await page

    connection_created.connect(note)
    try:
        asyncio.run(watch())
    finally:
        connection_created.disconnect(note)
        watching.looking.submit(connections.close_all).result()


def test_a_page_that_is_not_there_is_said(ledger: Any) -> None:
    assert answered("/nowhere/")[0] in (302, 404)


def test_what_anybody_sends_comes_to_the_disk_up_to_the_limit_alone(
    ledger: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REQUEST_BYTES_MAX = 1 << 20
    sizes = []
    plain = tempfile.SpooledTemporaryFile.write

    def write(file: Any, piece: bytes) -> int:
        sizes.append(len(piece))
        return plain(file, piece)

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", write)
    status, page = answered("/login/", method="POST", body=(bytes(1 << 18),) * 100)
    assert (status, page) == (413, b"This is more than 1 MB: hand fewer files over at once.\n")
    assert sum(sizes) == 1 << 20
    assert answered("/login/", method="POST", body=(bytes(1 << 18),) * 4)[0] == 403
