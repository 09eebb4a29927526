"""A server of the HTTP interface in a process of its own, which tests kill and start anew, and clients for it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from django.db import connections
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, RejectConnection, RejectData, Request

from velox_site.asgi import application

SECONDS = 60.0


class ApiServer:
    """A listening socket, and the process that serves it: what comes while it is dead waits for the next one."""

    def __init__(self, proxies: str = "") -> None:
        self.proxies = proxies  # whose forwarded address is believed
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self.listener.getsockname()[1]
        self.pid = 0

    def start(self) -> None:
        """Serve in a child that is forked from this process, which has everything loaded."""
        connections.close_all()
        self.pid = os.fork()
        if self.pid:
            return
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            config = uvicorn.Config(
                application, lifespan="off", log_level="error", ws="wsproto", access_log=False,
                proxy_headers=bool(self.proxies), forwarded_allow_ips=self.proxies,
            )  # fmt: skip
            uvicorn.Server(config).run(sockets=[self.listener])
        finally:
            os._exit(1)

    def kill(self) -> None:
        """Kill the process without a word."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def ask(
        self, method: str, path: str, body: bytes, secret: str, kind: str, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request and return status, headers and body. Raises: OSError, HTTPException where it is cut."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            own = {"Authorization": f"Bearer {secret}", **({"Content-Type": kind} if kind else {}), **headers}
            connection.request(method, path, body, own)
            response = connection.getresponse()
            return response.status, {name.title(): text for name, text in response.getheaders()}, response.read()
        finally:
            connection.close()

    def post(self, path: str, body: bytes, secret: str, kind: str, **headers: str) -> tuple[int, bytes]:
        """Post a body and return status and body. Raises: OSError, HTTPException where it is cut."""
        status, _, content = self.ask("POST", path, body, secret, kind, **headers)
        return status, content

    def send_raw(self, request: bytes) -> bytes:
        """Send bytes, end the sending, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(1 << 16):
                answer += piece
            return answer


@contextmanager
def api_server(proxies: str = "") -> Iterator[ApiServer]:
    """Yield a server that is started."""
    server = ApiServer(proxies)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        server.listener.close()


class Socket:
    """A WebSocket's client. Raises: ConnectionError where it is cut."""

    def __init__(self, port: int, target: str, secret: str) -> None:
        self._tcp = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._events: list[Any] = []
        headers = [(b"Authorization", f"Bearer {secret}".encode())]
        self._tcp.sendall(self._ws.send(Request(host="127.0.0.1", target=target, extra_headers=headers)))
        self.refusal: bytes | None = None
        event = self._next()
        if isinstance(event, RejectConnection):
            data = b""
            while isinstance(event, RejectConnection | RejectData) and not getattr(event, "body_finished", False):
                event = self._next()
                data += getattr(event, "data", b"")
            self.refusal = data
            self._tcp.close()
        else:
            assert isinstance(event, AcceptConnection), event

    def send(self, message: str | bytes) -> None:
        self._tcp.sendall(self._ws.send(Message(data=message)))

    def receive(self) -> str | int:
        """Return the next message, or the code with which it was closed."""
        text = ""
        while True:
            event = self._next()
            if isinstance(event, CloseConnection):
                return event.code
            text += event.data
            if event.message_finished:
                return text

    def close(self) -> None:
        self._tcp.close()

    def _next(self) -> Any:
        while self._events and isinstance(self._events[0], Ping):
            self._tcp.sendall(self._ws.send(self._events.pop(0).response()))
        while not self._events:
            piece = self._tcp.recv(1 << 16)
            if not piece:
                raise ConnectionError("cut")
            self._ws.receive_data(piece)
            self._events += list(self._ws.events())
        if isinstance(self._events[0], Ping):
            return self._next()
        return self._events.pop(0)
