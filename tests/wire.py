"""A wire between a browser and its server that hangs, or answers as a proxy does whose server is away."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Wire:
    """Connections to ``port`` of this machine are carried to a server's port. ``is_hung``: nothing is carried any more,
    and nothing is cut; the first ``refusals`` new ones are answered with 503."""

    def __init__(self, server_port: int) -> None:
        self.server_port, self.is_hung, self.refusals = server_port, False, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections and take no more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._ends.append(client)
            if self.refusals:
                self.refusals -= 1
                client.recv(1 << 16)
                client.sendall(UNAVAILABLE)
                client.close()
            elif not self.is_hung:
                server = socket.create_connection(("127.0.0.1", self.server_port))
                self._ends.append(server)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(1 << 16):
                if not self.is_hung:
                    target.sendall(content)
            target.shutdown(socket.SHUT_RDWR)
