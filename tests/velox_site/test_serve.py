"""The server in the foreground: whoever ends it ends all that it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.companions import ended_afterwards, is_alive
from tests.waiting import until
from trading import summon
from trading.companion.companion import Companion

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if name not in {"VELOX_SITE_URL", "DATABASE_URL"}}
    server = subprocess.Popen(
        [sys.executable, "-m", "velox_site.serve"],
        cwd=ROOT,
        env={**environment, "VELOX_DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "velox_site.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with ended_afterwards():
        try:
            yield server
        finally:
            server.kill()
            server.communicate()


def is_ready(server: subprocess.Popen[str]) -> bool:
    assert server.stdout
    return server.stdout.readline().startswith("READY ")


@pytest.mark.parametrize(
    ("number", "is_fresh"),
    [(signal.SIGTERM, True), (signal.SIGHUP, False), (signal.SIGINT, False)],
    ids=["SIGTERM", "SIGHUP", "SIGINT"],
)
def test_a_signal_ends_the_server_and_its_companion(
    data_dir: Path, migrated: Path, number: signal.Signals, is_fresh: bool
) -> None:
    if not is_fresh:
        shutil.copy(migrated, data_dir / "ledger.sqlite3")
    with serving(data_dir) as server:
        assert is_ready(server)
        until(summon.companion_pid)  # the pages may be there before it has its lock
        companion = summon.companion_pid()
        assert companion
        server.send_signal(number)
        assert server.wait() == 0
        assert not is_alive(companion)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_before_the_pages_are_there_leaves_nothing_either(data_dir: Path, number: signal.Signals) -> None:
    with serving(data_dir) as server:
        until(summon.companion_pid)
        companion = summon.companion_pid()
        assert companion
        server.send_signal(number)
        assert server.wait() == 0
        assert not is_alive(companion)


@pytest.mark.parametrize(("parent", "stays"), [(os.getppid(), True), (os.getpid(), False)], ids=["lives", "gone"])
def test_a_companion_stays_with_the_server_that_started_it_and_not_longer(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, parent: int, stays: bool
) -> None:
    """A killed server can end nothing: its companion finds that it has another parent now."""
    wanted: list[bool] = []
    monkeypatch.setattr(Companion, "run", lambda companion: wanted.append(companion.is_wanted()) or companion.stop())
    call_command("ship", watch=True, stay_with=parent)
    assert wanted == [stays]
