"""`python -m tests.with_postgres COMMAND...`: run a command with DATABASE_URL set to a PostgreSQL of its own.

The server lives in a temporary folder on a free loopback port and ends with the command. It never syncs to disk, and
lives in memory where there is room: what it is for are the rules of the ledger, not the durability of PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Without JIT: no query of a test runs long enough to earn what its compilation costs.
OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c jit=off"
# Each test has a database of its own, of 700 files: on a disk half of the run would be their copying.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 2**30  # the databases of a run take a tenth of it


def main(command: Sequence[str]) -> int:
    """Return the command's exit code; without PostgreSQL 0, in CI 1."""
    if not command:
        print("usage: python -m tests.with_postgres COMMAND...", file=sys.stderr)
        return 2
    programs = postgres_programs()
    if programs is None:
        print("=" * 100, "NOT RUN: PostgreSQL is not installed (apt-get install postgresql)", "=" * 100, sep="\n")
        return int(os.environ.get("CI") == "true")
    with server(programs) as url:
        return subprocess.run(command, env={**os.environ, "DATABASE_URL": url}, check=False).returncode


@contextmanager
def server(programs: Path, options: str = OPTIONS) -> Iterator[str]:
    """Give the URL of a running server, and stop it afterwards."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix="velox-postgres-", dir=MEMORY if in_memory else None))
    port = free_port()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    cluster = folder / "cluster"
    options = f"{options} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{folder}' -p {port}"
    control = (programs / "pg_ctl", "-D", cluster, "-l", folder / "log", "-w")
    try:
        run_as_owner(programs / "initdb", "-D", cluster, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        run_as_owner(*control, "-o", options, "start")
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            run_as_owner(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_as_owner(*command: str | Path) -> None:
    # The server refuses to run as root.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run([*as_user, *command], cwd="/", stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"{Path(command[0]).name} failed with {done.returncode}")


def postgres_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
