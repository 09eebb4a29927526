"""A RabbitMQ of the tests' own: own node, own folder, free ports of 127.0.0.1; ended by its process group."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_SECONDS

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass
class RabbitServer:
    folder: Path
    program: str
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [self.program],
                env=self.environment,
                cwd=self.folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _wait_until_it_answers(self.port, self.process)

    def kill(self) -> None:
        """End the node and all that it started with SIGKILL."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def rabbit_server(folder: Path) -> Iterator[RabbitServer]:
    """Skip, with the line that would bring it, where there is no rabbitmq-server."""
    program = PROGRAM if PROGRAM.exists() else shutil.which("rabbitmq-server")
    if program is None:
        pytest.skip("there is no rabbitmq-server: apt-get install --no-install-recommends rabbitmq-server")
    port, distribution, mapper = free_ports(3)
    environment = {
        **os.environ,
        "HOME": str(folder),  # the node's cookie is made here
        "RABBITMQ_NODENAME": f"velox{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +A 8",
    }
    server = RabbitServer(folder, str(program), port, environment)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        _end_mapper(mapper)


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            if connection.recv(1):
                return
        time.sleep(0.1)
    raise TimeoutError("rabbitmq-server does not answer")


def _end_mapper(port: int) -> None:
    """End the port mapper that Erlang started beside the node; it is in a session of its own."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            pid = int(folder.name)
            if b"epmd" in (folder / "cmdline").read_bytes() and f"ERL_EPMD_PORT={port}".encode() in (
                folder / "environ"
            ).read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)
