"""A Redis of one test's own, on a free port of 127.0.0.1: started, frozen, killed and ended by its pid."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import PATIENCE_SECONDS
from velox_site.caches import caches

PATIENT_SECONDS = 3.0  # for an answer, of which a desk gives Redis a tenth of a second


@dataclass
class RedisServer:
    port: int
    command: list[str]
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Accept connections (the kernel does) and answer nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def start(self) -> None:
        """Start it anew after `kill`: on its port, and empty."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        _wait_until_it_answers(self)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def tell(self, *words: str) -> bytes:
        """Send one command without any client's package and return the raw reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(65536)


@contextmanager
def redis_server(folder: Path, *more: str) -> Iterator[RedisServer]:
    """Start one, with ``more`` options. Skip, with the line that would bring it, where there is no redis-server."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server: apt-get install --no-install-recommends redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
        *more,
    ]
    command = [program, *options, *more]
    server = RedisServer(port, command, subprocess.Popen(command, stdout=subprocess.DEVNULL))
    try:
        _wait_until_it_answers(server)
        yield server
    finally:
        server.process.send_signal(signal.SIGCONT)
        server.kill()


def _wait_until_it_answers(server: RedisServer) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):
            if server.tell("PING") == b"+PONG\r\n":
                return
        time.sleep(0.02)
    raise TimeoutError("redis-server does not answer")


def use(url: str, settings: Any, *, is_patient: bool = True) -> None:
    """Let the caches of a test be the Redis at ``url``, as the settings make them, but that an answer may take long: on
    a busy machine that is no fault. A test of one that hangs is not patient."""
    # In the address, which keeps connections of both kinds apart.
    times = f"?socket_connect_timeout={PATIENT_SECONDS}&socket_timeout={PATIENT_SECONDS}"
    options = times if url and is_patient else ""
    settings.CACHE_URL, settings.CACHES = url, caches(url + options)
