"""A PostgreSQL with a standby that must have each commit, both of one test's own: frozen, killed, started again."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.companions import is_alive
from tests.stopped import stopped
from tests.waiting import until
from tests.with_postgres import MEMORY, OPTIONS, free_port, postgres_programs, run_as_owner, server


@dataclass
class Pair:
    """``url`` of the primary; ``folder`` and ``port`` of the standby."""

    url: str
    programs: Path
    folder: Path
    port: int

    def url_of(self, database: str) -> str:
        return f"{self.url.rpartition('/')[0]}/{database}"

    def ask(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Ask the primary, outside any transaction; nothing for a command without rows."""
        with psycopg.connect(self.url_of(database), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start the standby, and wait until the primary counts on it."""
        self._start(self.folder, self.port)
        counted = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
        until(lambda: bool(self.ask(counted)))

    def promote(self) -> Path:
        """Kill the primary and make the standby one; return the folder of the old primary."""
        ((data_directory,),) = self.ask("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
        old = Path(str(data_directory)).parent
        _kill(old)
        run_as_owner(self.programs / "pg_ctl", "-D", self.folder / "cluster", "-w", "promote")
        return old

    def start_again(self, old: Path) -> None:
        """Start the old primary as what it was: as if nobody had told it."""
        self._start(old, urlsplit(self.url).port)

    def _start(self, folder: Path, port: int | None) -> None:
        options = f"{OPTIONS} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{folder}' -p {port}"
        run_as_owner(
            self.programs / "pg_ctl",
            "-D",
            folder / "cluster",
            "-l",
            folder / "log",
            "-w",
            "-o",
            options,
            "start",
        )

    def kill(self) -> None:
        _kill(self.folder)
        until(lambda: not self.ask("SELECT 1 FROM pg_stat_replication"))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the standby take nothing and say nothing, while its connection stays."""
        with stopped(*_processes(self.folder)):
            yield


def _processes(folder: Path) -> list[int]:
    first = (folder / "cluster" / "postmaster.pid").read_text().split()[0]
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [int(pid) for pid in (first, *children)]


def _kill(folder: Path) -> None:
    killed = _processes(folder)
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(is_alive, killed)))
    for lock in (folder / "cluster" / "postmaster.pid", *folder.glob(".s.PGSQL.*")):
        lock.unlink()


@contextmanager
def standby_pair() -> Iterator[Pair]:
    """Start both. Skip, with the line that would bring it, where there is no PostgreSQL."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="velox-standby-", dir=MEMORY if MEMORY.is_dir() else None))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    try:
        with server(programs) as url:
            pair = Pair(url, programs, folder, free_port())
            port = str(urlsplit(url).port)
            copy = ("pg_basebackup", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-R", "-c", "fast", "--no-sync")
            run_as_owner(programs / copy[0], *copy[1:], "-D", folder / "cluster")
            pair.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            pair.ask("SELECT pg_reload_conf()")
            try:
                pair.start()
                yield pair
            finally:
                with suppress(SystemExit):
                    run_as_owner(programs / "pg_ctl", "-D", folder / "cluster", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
