"""A web server on the loopback that stands for whoever gets alerts: it keeps what it was sent, and answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook(ThreadingHTTPServer):
    """``status`` is what it answers with, ``statuses`` the first ones before; 0 hangs until it is ``released``.

    ``bodies`` are the JSON that was posted to it, ``texts`` whatever else.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.location = 200, ""
        self.statuses: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.pings: list[str] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/secret-token"

    def titles(self) -> list[str]:
        return [str(body["title"]).removeprefix("VELOX: ") for body in list(self.bodies)]

    def ids(self) -> list[str]:
        return [line for body in list(self.bodies) for line in body["message"].split("\n") if line.startswith("id ")]


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "json" in self.headers["Content-Type"]:
            self.server.bodies.append(json.loads(body))
        else:
            self.server.texts.append(body.decode())
        self._answer()

    def do_GET(self) -> None:
        self.server.pings.append(self.path)
        self._answer()

    def _answer(self) -> None:
        status = self.server.statuses.pop(0) if self.server.statuses else self.server.status
        if not status:
            self.server.released.wait(60)
        self.send_response(status or 200)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        with suppress(OSError):  # who asked may be gone
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@contextmanager
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
