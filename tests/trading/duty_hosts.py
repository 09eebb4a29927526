"""Hosts that share one ledger, each a forked process with a data folder of its own, which all want one duty.

Whoever holds it writes a row, again and again, that names the host and the term of that moment.
"""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connections
from django.db.utils import DatabaseError

from tests.waiting import until
from trading.duties import ALERTS, Duty, DutyLost
from trading.errors import VeloxError
from trading.models import Alert, DutyRow
from trading.transactions import writing

PASS_SECONDS = 0.02
BEFORE, WITHIN, LOST, FAILED, PASSES = "stop-before", "stop-within", "lost", "failed", "passes"  # files of a host


class Host:
    """One of them, which works until it is killed."""

    def __init__(self, name: str, folder: Path, *, port: int | None = None) -> None:
        """``port`` of the ledger's server, where it is reached by another one than here."""
        self.name, self.folder = name, folder / name
        self.folder.mkdir()
        connections.close_all()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._work(port)
            except BaseException as error:
                os.write(2, f"{error!r}\n".encode())
            finally:
                os._exit(0)

    def stop_at(self, stage: str) -> None:
        """Let it stop itself (SIGSTOP) before its next transaction, or within it, and wait until it has."""
        (self.folder / stage).touch()
        until(lambda: Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T")

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def has(self, file: str) -> bool:
        return (self.folder / file).exists()

    def passes(self) -> int:
        path = self.folder / PASSES
        return path.stat().st_size if path.exists() else 0

    def _work(self, port: int | None) -> None:
        settings.DATA_DIR = self.folder
        if port is not None:
            connections["default"].settings_dict["PORT"] = str(port)
        duty, pause = Duty(ALERTS), threading.Event()
        with (self.folder / PASSES).open("ab", buffering=0) as passes:
            while True:
                was_held = duty.is_held
                try:
                    if duty.seek():
                        with duty.doing():
                            self._effect()
                except DutyLost:
                    pass
                except (VeloxError, DatabaseError):
                    (self.folder / FAILED).touch()
                if was_held and not duty.is_held:
                    (self.folder / LOST).touch()
                passes.write(b".")
                pause.wait(PASS_SECONDS)

    def _effect(self) -> None:
        self._stop_if_told(BEFORE)
        with writing():
            self._stop_if_told(WITHIN)
            write_effect(self.name)

    def _stop_if_told(self, stage: str) -> None:
        if (self.folder / stage).exists():
            (self.folder / stage).unlink()
            os.kill(os.getpid(), signal.SIGSTOP)


def write_effect(name: str) -> None:
    """Write a row that says who wrote it, in which term."""
    term = DutyRow.objects.get(name=ALERTS).term
    now = datetime.now(UTC)
    Alert.objects.create(
        uid=uuid.uuid4().hex, key=uuid.uuid4().hex, kind="test", text=f"{name} {term}", first_seen_at=now,
        last_seen_at=now,
    )  # fmt: skip


def effects() -> list[tuple[str, int]]:
    """Return who wrote, and in which term, in the order of the commits: each holds the duty's row until then."""
    texts = [text.split() for text in Alert.objects.order_by("pk").values_list("text", flat=True)]
    return [(name, int(term)) for name, term in texts]


def written_by(name: str) -> int:
    return sum(host == name for host, _ in effects())


def is_one_at_a_time() -> bool:
    """Tell whether no term had two hosts, and no host wrote once a later term had begun."""
    terms = [term for _, term in effects()]
    return terms == sorted(terms) and len(set(effects())) == len(set(terms))


@contextmanager
def hosts(folder: Path, *names: str, ports: dict[str, int] | None = None) -> Iterator[list[Host]]:
    """Start so many hosts, the first of which has the duty before the others begin; kill them afterwards."""
    started: list[Host] = []
    try:
        for name in names:
            started.append(Host(name, folder, port=(ports or {}).get(name)))
            until(lambda: written_by(names[0]) and started[-1].passes() > 2)
        yield started
    finally:
        for host in started:
            host.kill()
