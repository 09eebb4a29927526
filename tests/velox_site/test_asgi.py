"""The ASGI entry point: a page runs in one thread, however many middlewares it passes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings

from velox_site.asgi import application

CHANGES_MAX = 4  # of threads: the request itself, and the signals around it


def answered(path: str) -> tuple[int, bytes]:
    """Return status and body of a page that a client asks for."""
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await asyncio.sleep(3600)  # the client stays
        raise AssertionError("unreachable")

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"host", b"127.0.0.1")],
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    asyncio.run(application(scope, receive, send))
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


def test_a_page_that_is_not_there_is_said(ledger: Any) -> None:
    assert answered("/nowhere/")[0] in (302, 404)
