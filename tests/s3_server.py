"""A real S3 server on loopback, versitygw (Apache-2.0), as `make s3` builds it into the user's cache."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem

from tests.waiting import PATIENCE_SECONDS
from timeseries.stores.delta.bucket import S3Access

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "velox" / "bin"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A server with one bucket, how it is reached, and its process."""

    url: str
    access: S3Access
    pid: int


def s3_program() -> str:
    """Return the path of the server; skip where nobody built it."""
    program = shutil.which("versitygw", path=f"{CACHE}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("needs an S3 server: `make s3` builds one (Go 1.25 or newer)")
    return program


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Serve a folder; the bucket is new."""
    program, root = s3_program(), folder / "objects"
    root.mkdir()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    key, secret = uuid.uuid4().hex[:16], uuid.uuid4().hex
    command = [program, "--port", f"127.0.0.1:{port}", "--quiet", "posix"]
    if not _has_attributes(root):
        command.append("--nometa")
    with (folder / "s3.txt").open("wb") as said:
        server = subprocess.Popen(
            [*command, str(root)],
            env={"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_port(port, server)
        endpoint = f"http://127.0.0.1:{port}"
        files = S3FileSystem(
            access_key=key, secret_key=secret, endpoint_override=endpoint, region="us-east-1",
            allow_bucket_creation=True,
        )  # fmt: skip
        files.create_dir("desk")
        yield S3Server(
            "s3://desk/archive",
            {"endpoint": endpoint, "region": "us-east-1", "access_key_id": key, "secret_access_key": secret},
            server.pid,
        )
    finally:
        server.kill()
        server.wait(timeout=PATIENCE_SECONDS)


def _has_attributes(folder: Path) -> bool:
    try:
        os.setxattr(folder, "user.velox", b"1")
    except OSError:
        return False
    return True


def _await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the S3 server does not answer")
