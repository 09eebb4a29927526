"""A limit on a whole request over HTTP, however slowly its pieces come.

A client's time-outs count between two pieces: a server that sends a byte now and then is never late by them. Here
another thread shuts the connection down when the time is up, and whoever waits for it gets its error at once.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_here = threading.local()


class _Watch:
    """The time limit of the request that this thread makes now."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self._guard, self._expired = threading.Lock(), False
        self._connection: HTTPConnection | None = None

    def left(self) -> float:
        """Return the seconds left. Raises TimeoutError when there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole request took too long")
        return left

    def begin(self, connection: HTTPConnection, sock: socket.socket) -> None:
        """Send over this connection now; all the time that is left is for that."""
        with self._guard:
            if self._expired:
                raise TimeoutError("the whole request took too long")
            self._connection = connection
        # By itself the client would give the sending of a large body no longer than the connecting.
        sock.settimeout(self.left())

    def expire(self) -> None:
        """Shut the connection down, so that whoever waits for it gets an error at once."""
        with self._guard:
            self._expired = True
            sock = getattr(self._connection, "sock", None)
            if sock is not None:
                with suppress(OSError):
                    # The socket's own, below TLS: this thread must not speak on it beside the other.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


@contextmanager
def whole_request(seconds: float) -> Iterator[None]:
    """Limit the requests that this thread makes inside the block, through a manager of `limit_requests`.

    Raises:
        TimeoutError: the time was up, whatever came of it: an answer that was cut here may look like a whole one.
    """
    watch = _here.watch = _Watch(seconds)
    alarm = threading.Timer(seconds, watch.expire)
    alarm.daemon = True
    alarm.start()
    try:
        yield
        watch.left()
    finally:
        alarm.cancel()
        _here.watch = None


def limit_requests(manager: PoolManager) -> None:
    """Let the manager's connections heed `whole_request`."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def _begin(connection: HTTPConnection) -> None:
    watch: _Watch | None = getattr(_here, "watch", None)
    if watch is not None and connection.sock is not None:
        watch.begin(connection, connection.sock)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _begin(self)

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        _begin(self)  # one that is used again is connected already
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _TLSConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _begin(self)

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        _begin(self)
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
