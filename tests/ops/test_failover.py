"""The ledger's PostgreSQL is lost, promoted or put back to a second: what was acknowledged is there, or is told of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.ops.failover import failing_over, migrated
from tests.postgres_node import Node, nodes
from tests.trading.asked_desk import AskedDesk, open_one
from tests.waiting import until
from tests.with_postgres import postgres_programs

BEFORE, AFTER = 5, 2  # trades of each writer


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Path]]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = tmp_path_factory.mktemp("migrated")
    with migrated(programs, folder) as node:
        yield node, folder


@pytest.fixture
def folder(template: tuple[Node, Path], data_dir: Path) -> Path:
    """A data folder with the template's journal.key."""
    shutil.copytree(template[1], data_dir, dirs_exist_ok=True)
    return data_dir


def test_with_a_synchronous_standby_nothing_acknowledged_is_lost_and_the_old_primary_comes_back_as_standby(
    template: tuple[Node, Path], folder: Path
) -> None:
    with failing_over(template[0], folder, must_have=True) as failover:
        failover.write(BEFORE)
        failover.promote()
        failover.write(AFTER)
        failover.end()
        assert failover.lost() == set()
        code, proof = failover.writers[0].desk.manage("verify_ledger")
        assert (code, proof["restores"]) == (0, []), proof["differences"]
        old = failover.write_to_the_old_one()
        failover.primary.stop()
        failover.primary.rewind(failover.standby)
        failover.primary.follow(failover.standby, must_have=True)
        assert "answer" in open_one(failover.writers[0].desk, "with the old one as standby")
        assert failover.primary.ask("SELECT pg_is_in_recovery()") == [(True,)]
    assert old["code"] == "ledger_read_only"
    assert "an old primary (timeline 1): the ledger went on at timeline 2" in str(old["error"])


def test_what_an_asynchronous_standby_lacked_is_stated_and_told_by_a_note(
    template: tuple[Node, Path], folder: Path
) -> None:
    with failing_over(template[0], folder, must_have=False, writers=1) as failover:
        failover.write(BEFORE)
        failover.standby.ask("ALTER SYSTEM SET primary_conninfo = ''")  # it is cut off: what comes now it never gets
        failover.standby.ask("SELECT pg_reload_conf()")
        until(lambda: not failover.primary.ask("SELECT 1 FROM pg_stat_replication"))
        reached = len(failover.acknowledged)
        failover.write(BEFORE)
        failover.promote()
        failover.write(AFTER)
        failover.end()
        lost, desk = failover.lost(), failover.writers[0].desk
        assert BEFORE <= len(lost) <= len(failover.acknowledged) - reached
        unnoted = desk.manage("verify_ledger")
        noted = desk.manage("note_restore", "--by", "asha", "--reason", "the primary's disk died")
        proved = desk.manage("verify_ledger")
    assert (unnoted[0], kinds(unnoted[1])) == (1, {"head"})
    assert noted[0] == 0 and noted[1]["heads_lost"] >= 1
    assert proved[0] == 0 and proved[1]["restores"][0]["reason"] == "the primary's disk died"


def test_a_restore_to_a_second_is_told_by_its_note_and_what_no_note_tells_stays_a_finding(
    template: tuple[Node, Path], folder: Path
) -> None:
    with nodes(template[0].programs, 2) as (primary, restored):
        primary.make_like(template[0])
        primary.start(primary.archiving())
        restored.copy(primary, is_standby=False)
        env = {**os.environ, "VELOX_DATA_DIR": str(folder), "DATABASE_URL": primary.url_of("postgres")}
        with AskedDesk(env) as desk:
            assert "answer" in open_one(desk, "before")
            second = datetime.now(UTC).replace(microsecond=0).timestamp() + 1
            until(lambda: datetime.now(UTC).timestamp() > second)
            assert "answer" in open_one(desk, "after")
        primary.ask("SELECT pg_switch_wal()")
        primary.stop()
        restored.put_back(primary.archive, datetime.fromtimestamp(second, UTC))
        env["DATABASE_URL"] = restored.url_of("postgres")
        assert restored.ask("SELECT trade_id FROM trading_trade") == [("before",)]
        note = ("note_restore", "--by", "asha", "--reason", "a wrong import")
        (head,) = folder.glob("heads/*/account-main")
        lost = head.read_bytes()
        with AskedDesk(env) as desk:
            unnoted = desk.manage("verify_ledger")
            too_late = desk.manage(*note, "--to", "2024-03-15T10:00Z")
            noted, again = desk.manage(*note), desk.manage(*note)
            proved = desk.manage("verify_ledger")
            # The chain goes over the numbers that were lost.
            assert all("answer" in open_one(desk, f"later {number}") for number in range(3))
            head.write_bytes(lost)  # as another host, or a backup, keeps it
            later = desk.manage("verify_ledger")
            (path,) = folder.glob("heads/*/restored-*.json")
            path.write_text(path.read_text().replace("asha", "mira"))
            forged = desk.manage("verify_ledger")
            path.unlink()
            untold = desk.manage("verify_ledger")
    assert (unnoted[0], kinds(unnoted[1])) == (1, {"head"})
    assert too_late[0] == 2 and "was not put back to 2024-03-15" in too_late[1]["error"]
    assert noted[0] == 0 and noted[1]["heads_lost"] >= 1, noted
    assert again[0] == 2
    for code, proof in (proved, later):
        assert code == 0, proof["differences"]
        assert [(told["by"], told["reason"]) for told in proof["restores"]] == [("asha", "a wrong import")]
        assert proof["restores"][0]["heads_lost"] == noted[1]["heads_lost"]
    assert (forged[0], kinds(forged[1])) == (1, {"head", "note"})
    assert (untold[0], kinds(untold[1])) == (1, {"head"})


def kinds(proof: dict[str, Any]) -> set[str]:
    return {difference["kind"] for difference in proof["differences"]}
