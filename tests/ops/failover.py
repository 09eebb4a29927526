"""A failover of PostgreSQL under writers: what was acknowledged, what is there afterwards, and how long it took."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.postgres_node import Node, nodes
from tests.trading.asked_desk import AskedDesk, open_one
from tests.waiting import until

TRADES = "SELECT trade_id FROM trading_trade"


@contextmanager
def migrated(programs: Path, folder: Path) -> Iterator[Node]:
    """Give a stopped server with an empty ledger, whose key and heads are in ``folder``; servers are made like it."""
    with nodes(programs, 1) as [node]:
        node.make()
        node.start()
        env = {**os.environ, "VELOX_DATA_DIR": str(folder), "DATABASE_URL": node.url_of("postgres")}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=env, check=True)
        node.stop()
        yield node


@dataclass
class Writer:
    """One desk in a process of its own, which opens a trade after the other and repeats what is not answered."""

    name: str
    desk: AskedDesk
    acknowledged: dict[str, float] = field(default_factory=dict)  # when, by the monotonic clock
    is_ended: bool = False
    thread: threading.Thread | None = None

    def begin(self) -> None:
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.is_ended = True
        assert self.thread is not None
        self.thread.join()

    def _write(self) -> None:
        number = 0
        while not self.is_ended:
            trade_id = f"{self.name} {number}"
            if "answer" in open_one(self.desk, trade_id):
                self.acknowledged[trade_id] = time.monotonic()
                number += 1


@dataclass
class Failover:
    """A primary with its standby, writers that know both hosts, and what came of the primary's loss."""

    primary: Node
    standby: Node
    env: dict[str, str]
    writers: list[Writer]
    promoted_at: float = 0.0

    def write(self, count: int) -> None:
        """Let each writer get so many more trades acknowledged."""
        goals = [(writer, len(writer.acknowledged) + count) for writer in self.writers]
        until(lambda: all(len(writer.acknowledged) >= goal for writer, goal in goals))

    def promote(self) -> None:
        """Fence the primary, by ending every process of it, and promote the standby."""
        self.primary.kill()
        self.promoted_at = time.monotonic()
        self.standby.promote()

    def end(self) -> None:
        for writer in self.writers:
            writer.end()

    def write_to_the_old_one(self) -> dict[str, Any]:
        """Start the old primary, which takes writes beside the new one, and let a desk that finds it first write there;
        return its answer. Raises: AssertionError where that is written."""
        self.primary.start()
        before = self.primary.ask(TRADES)
        with AskedDesk(self.env) as desk:
            answer = open_one(desk, "on the old one")
        assert self.primary.ask(TRADES) == before
        return answer

    @property
    def acknowledged(self) -> set[str]:
        return {trade_id for writer in self.writers for trade_id in writer.acknowledged}

    def lost(self) -> set[str]:
        """Return the trades that were acknowledged and are not there."""
        return self.acknowledged - {str(trade_id) for (trade_id,) in self.standby.ask(TRADES)}

    def seconds(self) -> float:
        """Return how long after the order to promote the first trade was acknowledged."""
        instants = [at for writer in self.writers for at in writer.acknowledged.values()]
        return min(at for at in instants if at > self.promoted_at) - self.promoted_at


@contextmanager
def failing_over(template: Node, folder: Path, *, must_have: bool, writers: int = 2) -> Iterator[Failover]:
    """Begin: a primary like the template with a standby, which each commit waits for or not, and the writers."""
    with nodes(template.programs, 2) as (primary, standby):
        primary.make_like(template)
        primary.start()
        standby.copy(primary)
        standby.follow(primary, must_have=must_have)
        with writing(primary, standby, folder, writers) as failover:
            yield failover


@contextmanager
def writing(primary: Node, standby: Node, folder: Path, writers: int = 2) -> Iterator[Failover]:
    """Let so many writers begin, who know both hosts."""
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    env = {
        **os.environ,
        "VELOX_DATA_DIR": str(folder),
        "DATABASE_URL": f"postgres://postgres@{hosts}/postgres?target_session_attrs=read-write",
    }
    with ExitStack() as stack:
        desks = [Writer(f"W{number}", stack.enter_context(AskedDesk(env))) for number in range(writers)]
        for writer in desks:
            writer.begin()
        try:
            yield Failover(primary, standby, env, desks)
        finally:
            for writer in desks:
                writer.is_ended = True
