"""Bodies of ticks that come slowly or at length: gathered within bounds, and given up when their time is over."""

from __future__ import annotations

import asyncio
import json
import select
import socket
from itertools import pairwise
from typing import Any

import pytest

from tests.api_server import SECONDS, api_server
from tests.trading.test_api_stream import lines, mended, raw, secret  # noqa: F401 - a fixture
from tests.trading.test_api_ticks import NS
from trading.api import asgi
from trading.api.asgi import AsgiMessage, RequestBody
from trading.api.problems import TooSlow

PIECE = b"x" * (64 << 10)


class Sender:
    """A client's pieces as a server hands them on, counted; after them the connection is cut, where it is."""

    def __init__(self, pieces: int, *, is_cut: bool = False) -> None:
        self.pieces, self.is_cut, self.given = pieces, is_cut, 0

    async def receive(self) -> AsgiMessage:
        await asyncio.sleep(0)
        if self.given == self.pieces:
            return {"type": "http.disconnect"}
        self.given += 1
        return {"type": "http.request", "body": PIECE, "more_body": self.is_cut or self.given < self.pieces}


def read_through(sender: Sender, size: int) -> tuple[list[int], bytes, TooSlow | None]:
    """Read a body in a thread; return how far the sender was at each read, what was read, and how it broke off."""

    async def through() -> tuple[list[int], bytes, TooSlow | None]:
        loop = asyncio.get_running_loop()
        body = RequestBody(sender.receive, loop)
        ahead: list[int] = []
        content = b""

        def read() -> TooSlow | None:
            nonlocal content
            try:
                while piece := body.read(size):
                    content += piece
                    ahead.append(sender.given * len(PIECE) - len(content))
            except TooSlow as fault:
                return fault
            return None

        fault = await loop.run_in_executor(None, read)
        return ahead, content, fault

    return asyncio.run(through())


def test_pieces_are_gathered_before_a_thread_hears_of_them_and_never_more_than_the_bound() -> None:
    ahead, content, fault = read_through(Sender(100), 256 << 10)
    assert (content, fault) == (PIECE * 100, None)
    assert max(ahead) <= asgi.GATHERED_BYTES + len(PIECE)
    assert sum(later > sooner for sooner, later in pairwise(ahead)) < 4  # how often one waited


def test_what_came_before_a_cut_is_read_before_it_is_told() -> None:
    _, content, fault = read_through(Sender(5, is_cut=True), 100_000)
    assert content == PIECE * 5 and fault is not None and "cut" in fault.message


def test_a_batch_that_comes_bit_by_bit_for_too_long_is_told_so_and_keeps_its_whole_lines(
    secret: str,  # noqa: F811
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0.5)
    with api_server() as server, socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        headers = "Content-Type: application/x-ndjson\r\nContent-Length: 10000000\r\n"
        connection.sendall(raw(secret, headers=headers, body=lines(0, 100) + b"\n"))
        while not select.select([connection], [], [], 0.02)[0]:
            connection.sendall(b" ")  # each piece comes in time
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(1 << 16)
        assert b" 408 " in answer.splitlines()[0]
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (told["code"], told["rows"], told["accepted"]) == ("too_slow", 100, 100)
    assert mended(settings) == list(range(NS, NS + 100))
