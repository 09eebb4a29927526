"""A server of PostgreSQL of one test's or drill's own: made, copied, killed, put back to a second, rewound."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from tests.companions import is_alive
from tests.waiting import until
from tests.with_postgres import MEMORY, OPTIONS, free_port, run_as_owner

# What pg_rewind needs; a small log, since each test's lies in memory.
CAN_REWIND = (
    "-c wal_log_hints=on -c full_page_writes=on -c wal_keep_size=64MB -c min_wal_size=32MB -c max_wal_size=64MB"
)


@dataclass
class Node:
    """One server; its files are ``folder/cluster``."""

    programs: Path
    folder: Path
    port: int
    options: str = f"{OPTIONS} {CAN_REWIND}"

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    def url_of(self, database: str, user: str = "postgres") -> str:
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def ask(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Ask outside any transaction; nothing for a command without rows."""
        with psycopg.connect(self.url_of(database), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def make(self) -> None:
        self.run("initdb", "-D", self.cluster, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")

    def make_like(self, stopped: Node) -> None:
        """Make this one of the files of a server that is stopped."""
        subprocess.run(["cp", "-a", stopped.cluster, self.cluster], check=True)

    def copy(self, other: Node, *, is_standby: bool = True) -> None:
        """Make this one a copy of a running server: its standby, or what a restore begins with."""
        mode = ["-R"] if is_standby else []
        server = ("-h", "127.0.0.1", "-p", str(other.port), "-U", "postgres")
        self.run("pg_basebackup", *server, *mode, "-c", "fast", "--no-sync", "-D", self.cluster)

    def start(self, more: str = "") -> None:
        options = f"{self.options} {more} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{self.folder}'"
        control = ("pg_ctl", "-D", self.cluster, "-l", self.folder / "log", "-w", "-o", f"{options} -p {self.port}")
        self.run(*control, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", self.cluster, "-m", mode, "-w", "stop")

    def promote(self) -> None:
        self.run("pg_ctl", "-D", self.cluster, "-w", "promote")

    def follow(self, primary: Node, *, must_have: bool) -> None:
        """Start as the primary's standby, and wait until it follows; ``must_have``: each commit waits for it."""
        self.start()
        primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if must_have else ''}'")
        primary.ask("SELECT pg_reload_conf()")
        state = "sync" if must_have else "async"
        until(lambda: primary.ask("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'") == [(state,)])

    def kill(self) -> None:
        """End every process of it as a loss of power would."""
        killed = self.processes()
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(is_alive, killed)))
        for lock in (self.cluster / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            lock.unlink(missing_ok=True)

    def rewind(self, other: Node) -> None:
        """Bring this one, an old primary that is stopped, to where the other's timeline parted, as its standby."""
        other.ask("CHECKPOINT")  # until then pg_rewind takes the other for one of the old timeline
        source = f"host=127.0.0.1 port={other.port} user=postgres dbname=postgres"
        self.run("pg_rewind", "-D", self.cluster, f"--source-server={source}", "--no-sync", "-R")

    @property
    def archive(self) -> Path:
        """Where it puts its log, once it is started `archiving`."""
        return self.folder / "archive"

    def archiving(self) -> str:
        """Return the options with which it does."""
        self.archive.mkdir(exist_ok=True)
        _own(self.archive)
        return f"-c archive_mode=on -c archive_command='cp %p {self.archive}/%f'"

    def put_back(self, archive: Path, to: datetime) -> None:
        """Start a copy (`copy`) at the second that is named, on a timeline of its own."""
        with (self.cluster / "postgresql.auto.conf").open("a") as file:
            file.write(f"restore_command = 'cp {archive}/%f %p'\nrecovery_target_time = '{to.isoformat()}'\n")
            file.write("recovery_target_action = promote\n")
        (self.cluster / "recovery.signal").touch()
        _own(self.cluster / "recovery.signal")
        self.start()
        until(lambda: self.ask("SELECT pg_is_in_recovery()") == [(False,)])

    def processes(self) -> list[int]:
        first = (self.cluster / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [int(pid) for pid in (first, *children)]

    def run(self, program: str, *arguments: str | Path) -> None:
        run_as_owner(self.programs / program, *arguments)


def _own(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")


@contextmanager
def nodes(programs: Path, count: int, options: str | None = None, *, in_memory: bool = True) -> Iterator[list[Node]]:
    """Give so many servers, of which none is made yet; end and remove them afterwards."""
    made: list[Node] = []
    try:
        for _ in range(count):
            folder = Path(tempfile.mkdtemp(prefix="velox-node-", dir=MEMORY if in_memory and MEMORY.is_dir() else None))
            _own(folder)
            made.append(Node(programs, folder, free_port(), *([options] if options else [])))
        yield made
    finally:
        for node in made:
            if (node.cluster / "postmaster.pid").exists():
                with suppress(SystemExit):
                    node.stop("immediate")
            shutil.rmtree(node.folder, ignore_errors=True)
