"""Reports and pages from a standby: they say how old they are, show one's own work, and do without one that is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.postgres_node import Node, nodes
from tests.waiting import until
from tests.with_postgres import postgres_programs

DAY = "/days/2026-11-20/"


class Desk:
    """A desk that reads from both (`tests.ops.replica_desk`)."""

    def __init__(self, primary: Node, standby: Node, folder: Path) -> None:
        self.primary, self.standby = primary, standby
        folder.mkdir(mode=0o700)
        environment = {
            **os.environ,
            "DATABASE_URL": primary.url_of("velox"),
            "DATABASE_REPLICA_URL": standby.url_of("velox"),
            "VELOX_DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "velox_site.settings",
        }
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=environment, check=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ops.replica_desk"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, doing: str, *arguments: str) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"do": doing, "with": arguments}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def report(self) -> Any:
        return json.loads(self.ask("command", "strategy_report", "--format", "json")["out"])

    def trades(self) -> int:
        """Return how many trades the report counts."""
        return int(self.report()["total"]["total_trades"])

    def age(self) -> float | None:
        """Return how many seconds behind the report says that it is; None: it was read from the primary."""
        age: float | None = self.report().get("replica_age_seconds")
        return age

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with nodes(programs, 2) as (primary, standby):
        primary.make()
        primary.start()
        primary.ask("CREATE DATABASE velox")
        standby.copy(primary)
        standby.follow(primary, must_have=False)
        desk = Desk(primary, standby, tmp_path_factory.mktemp("desk") / "data")
        try:
            desk.ask("book", "T0")
            until(lambda: desk.age() == 0.0)
            yield desk
        finally:
            desk.end()


@pytest.fixture
def paused(desk: Desk) -> Iterator[Desk]:
    """The standby applies nothing meanwhile."""
    desk.standby.ask("SELECT pg_wal_replay_pause()")
    until(lambda: desk.standby.ask("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])
    yield desk
    desk.standby.ask("SELECT pg_wal_replay_resume()")
    until(lambda: desk.age() == 0.0)


def test_a_standby_that_has_everything_is_as_new_as_the_primary_however_long_nothing_was_written(desk: Desk) -> None:
    assert "Read from the replica, as new as the primary." in desk.ask("page", "/strategies/")["foot"]
    assert desk.age() == 0.0


def test_one_that_is_behind_is_read_and_says_by_how_much(paused: Desk) -> None:
    before = paused.trades()
    paused.ask("book", "T1")
    until(lambda: (paused.age() or 0.0) >= 1.0)
    assert paused.trades() == before
    page = paused.ask("page", "/strategies/")
    assert page["status"] == 200 and "s behind the primary." in page["foot"]
    for name in ("strategy_report", "symbol_report", "signal_report"):
        report = paused.ask("command", name)
        assert "Read from the replica, " in report["err"] and "Read from" not in report["out"]
    assert json.loads(paused.ask("command", "signal_report", "--format", "json")["out"])["replica_age_seconds"] >= 1.0


def test_what_a_person_has_just_written_is_on_the_next_page(paused: Desk) -> None:
    assert paused.ask("note", DAY, "A calm day.")["status"] == 302
    page = paused.ask("page", DAY)
    assert "A calm day." in page["text"] and "the replica lacks what you have just written" in page["foot"]


def test_health_limits_and_the_proof_never_ask_it(desk: Desk) -> None:
    desk.ask("touched")
    desk.ask("page", "/strategies/")
    assert desk.ask("touched")["count"] == 1
    for command in (["health"], ["limits"], ["verify_ledger"], ["trade_export", "--format", "csv"], ["backup"]):
        desk.ask("command", *command)
    statuses = [
        desk.ask("page", path)["status"]
        for path in ("/health/", "/limits/", "/system/", "/system/proof/", "/", "/trades/", "/trades/1/", "/alerts/")
    ]
    desk.ask("note", DAY, "Another note.")
    assert statuses == [200] * len(statuses)
    assert desk.ask("touched")["count"] == 0


def test_one_that_is_gone_or_is_no_standby_costs_a_word(desk: Desk) -> None:
    desk.standby.kill()
    try:
        page = desk.ask("page", "/symbols/")
        assert page["status"] == 200 and "Read from the primary: the replica does not answer." in page["foot"]
        assert desk.age() is None and desk.trades()
    finally:
        desk.standby.start()
    desk.standby.promote()
    desk.ask("ask_again")
    assert "Read from the primary: DATABASE_REPLICA_URL is no standby of it." in desk.ask("page", "/symbols/")["foot"]
