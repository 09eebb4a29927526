"""Two servers of PostgreSQL under Patroni with etcd, of a drill's own: who is primary they decide themselves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.postgres_node import Node, nodes
from tests.waiting import until
from tests.with_postgres import free_port

TTL_SECONDS = 20  # Patroni takes no shorter one: so long a primary that is gone counts as there
PROGRAMS = "patroni", "etcd"


def missing() -> list[str]:
    """Return what is not installed of what a drill needs."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@dataclass
class Agent:
    """One Patroni with its server."""

    node: Node
    name: str
    settings: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        with (self.node.folder / "patroni.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*as_owner, "patroni", str(self.settings)],
                cwd="/",
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill_alone(self) -> None:
        """End it alone: its server goes on, and takes writes if it did."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def kill(self) -> None:
        """End it and every process of its server, as a loss of power would."""
        self.kill_alone()
        with suppress(FileNotFoundError):
            self.node.kill()

    def answers(self, sql: str) -> list[tuple[object, ...]]:
        """Ask its server; nothing while it does not answer."""
        try:
            return self.node.ask(sql)
        except psycopg.OperationalError:
            return []


@contextmanager
def patroni_pair(programs: Path) -> Iterator[tuple[Agent, Agent]]:
    """Start both, the first of which is primary and the second its synchronous standby."""
    with nodes(programs, 2) as pair, ExitStack() as stack:
        etcd = stack.enter_context(etcd_server(pair[0].folder))
        agents = [Agent(node, name, settings_of(node, name, etcd)) for node, name in zip(pair, "ab", strict=True)]
        first, second = agents
        for agent in agents:
            stack.callback(agent.kill)
        first.start()
        until(lambda: first.answers("SELECT pg_is_in_recovery()") == [(False,)], pause_seconds=0.2)
        second.start()
        until(lambda: follows(first), pause_seconds=0.2)
        yield first, second


def follows(primary: Agent) -> bool:
    """Tell whether this primary has a synchronous standby."""
    state = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
    return primary.answers(state) == [("sync",)]


@contextmanager
def etcd_server(folder: Path) -> Iterator[int]:
    """Run etcd; give its port for clients."""
    port, peers = free_port(), f"http://127.0.0.1:{free_port()}"
    client = f"http://127.0.0.1:{port}"
    command = ["etcd", "--data-dir", folder / "etcd", "--listen-client-urls", client, "--advertise-client-urls", client]
    command += ["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers]
    command += ["--initial-cluster", f"default={peers}"]
    with (folder / "etcd.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def settings_of(node: Node, name: str, etcd: int) -> Path:
    """Write what Patroni is to know (YAML, of which JSON is a part); return its path."""
    postgres = f"127.0.0.1:{node.port}"
    rest = f"127.0.0.1:{free_port()}"
    owner = {"username": "postgres"}
    settings = {
        "scope": "velox",
        "name": name,
        "restapi": {"listen": rest, "connect_address": rest},
        "etcd3": {"host": f"127.0.0.1:{etcd}"},
        "bootstrap": {
            "dcs": {
                "ttl": TTL_SECONDS,
                "loop_wait": 2,
                "retry_timeout": 3,
                "synchronous_mode": True,
                "postgresql": {"use_pg_rewind": True, "parameters": {"wal_log_hints": "on", "jit": "off"}},
            },
            "initdb": [{"encoding": "UTF8"}, {"auth": "trust"}, {"username": "postgres"}],
        },
        "postgresql": {
            "listen": postgres,
            "connect_address": postgres,
            "data_dir": str(node.cluster),
            "bin_dir": str(node.programs),
            "pg_hba": [f"host {database} all 127.0.0.1/32 trust" for database in ("all", "replication")],
            "authentication": {"superuser": owner, "replication": owner, "rewind": owner},
            "parameters": {"unix_socket_directories": str(node.folder)},
        },
    }
    path = node.folder / "patroni.yml"
    path.write_text(json.dumps(settings, indent=1))
    path.chmod(0o644)
    return path
