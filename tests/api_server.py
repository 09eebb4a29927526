"""A server of the HTTP interface in a process of its own, which tests kill and start anew, and clients for it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import uvicorn
from django.db import connections
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from velox_site.asgi import application
from velox_site.serve import WEBSOCKET_BYTES_MAX

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
                application, lifespan="off", log_level="error", access_log=False, ws="websockets-sansio",
                ws_per_message_deflate=False, ws_max_size=WEBSOCKET_BYTES_MAX,
                proxy_headers=bool(self.proxies), forwarded_allow_ips=self.proxies,
            )  # fmt: skip
            uvicorn.Server(config).run(sockets=[self.listener])
        except BaseException:
            traceback.print_exc()
            raise
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
    except http.client.RemoteDisconnected as error:
        error.add_note(f"how the server ended: {os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)}")
        raise
    finally:
        server.kill()
        server.listener.close()


class Socket:
    """A WebSocket's client. ``refusal`` is what came where none was opened."""

    def __init__(self, port: int, target: str, secret: str) -> None:
        self.refusal: bytes | None = None
        self._open = ExitStack()
        headers = {"Authorization": f"Bearer {secret}"}
        try:
            self._connection = self._open.enter_context(
                connect(f"ws://127.0.0.1:{port}{target}", additional_headers=headers, open_timeout=SECONDS, proxy=None)
            )
        except InvalidStatus as refused:
            self.refusal = refused.response.body

    def send(self, message: str | bytes) -> None:
        self._connection.send(message)

    def receive(self) -> str | int:
        """Return the next message, or the code with which it was closed."""
        try:
            return str(self._connection.recv(timeout=SECONDS))
        except ConnectionClosed as closed:
            return 1006 if closed.rcvd is None else closed.rcvd.code

    def close(self) -> None:
        """Cut the connection."""
        with suppress(OSError):
            self._connection.socket.shutdown(socket.SHUT_RDWR)
        self._open.close()
