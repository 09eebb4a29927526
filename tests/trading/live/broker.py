"""A broker on loopback: a socket that plays a script to each connection, and the day's trades by HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

Script = Callable[[ServerConnection, int], Awaitable[None]]


class FakeBroker:
    """What a test sees of the broker: how often it was connected to, and what subscriptions came."""

    def __init__(self) -> None:
        self.connections = 0
        self.subscriptions: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.refused = 0
        self.done = asyncio.Event()
        self.url = ""


@asynccontextmanager
async def broker(
    script: Script, *, subscriptions: int = 1, lets_in: Callable[[str], bool] = lambda _: True
) -> AsyncIterator[FakeBroker]:
    """Serve a script: it is called with each connection, once subscribed, and its number from 1. ``lets_in`` is asked
    with a connection's path, which has its credentials; who is not let in gets 403."""
    fake = FakeBroker()

    def guard(connection: ServerConnection, request: Request) -> Response | None:
        if lets_in(request.path):
            return None
        fake.refused += 1
        return connection.respond(HTTPStatus.FORBIDDEN, "")

    async def handle(connection: ServerConnection) -> None:
        fake.connections += 1
        number = fake.connections
        assert connection.request is not None
        fake.paths.append(connection.request.path)
        fake.headers.append(dict(connection.request.headers.raw_items()))
        for _ in range(subscriptions):
            fake.subscriptions.append(json.loads(await connection.recv()))
        await script(connection, number)

    async with serve(handle, "127.0.0.1", 0, process_request=guard) as server:
        fake.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield fake


@contextmanager
def trades_of_day(trades: list[dict[str, Any]]) -> Iterator[str]:
    """Serve the day's trades, as they are when they are asked for; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "success", "data": trades}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/trades"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
