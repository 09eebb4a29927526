"""A backup proves itself, and is what comes back; nothing newer is lost for it."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from tests.conftest import Maker
from tests.trading.book import closed, opened, snapshot
from tests.trading.ledger_workers import Worker
from tests.trading.tampering import unguarded
from tests.trading.test_ledger_processes import go, workers
from tests.trading.test_verify_ledger import a_desks_days
from tests.waiting import until
from trading import transactions
from trading.bookkeeping import copying
from trading.bookkeeping.copying import CopyRefused, beside
from trading.health.report import report
from trading.models import Journal, Limit, Trade
from trading.operations import restore as restoring
from trading.operations.back_up import back_up
from trading.operations.restore import restore
from trading.operations.set_limit import end_limit, set_limit
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.limits import limits_in_force
from trading.queries.period import desk_date

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.ledger]


def test_a_backup_is_private_noted_and_rotated(ledger: Any) -> None:
    opened()
    made = [back_up(keep=2) for _ in range(3)]
    there = sorted((ledger.data_dir / "backups").iterdir())
    folder = ledger.data_dir / "backups"
    assert there == sorted([*made[1:], *map(beside, made[1:]), folder / "heads", folder / "journal.key"])
    assert {path.stat().st_mode & 0o777 for path in there if path.is_file()} == {0o600}
    assert (folder / "journal.key").read_bytes() == (ledger.data_dir / "journal.key").read_bytes()
    assert [path.name for path in folder.glob("heads/*/account-*")] == ["account-main"]
    assert (ledger.data_dir / "backups").stat().st_mode & 0o777 == 0o700
    note = json.loads(beside(made[-1]).read_text())
    last = Journal.objects.get()
    assert note["heads"]["main"] == [last.sequence, last.mac]
    assert "The last backup is 0.0 h old." in report(now=datetime.now(UTC))["parts"]["ledger"]["detail"]


def test_copies_of_a_clock_that_ran_ahead_go_first(ledger: Any) -> None:
    opened()
    early, ahead = back_up(keep=2), back_up(keep=2)
    for path in (ahead, beside(ahead)):  # as that clock named them
        path.rename(path.with_name(path.name.replace("ledger-20", "ledger-99")))
    latest = back_up(keep=2)
    assert sorted(latest.parent.glob("ledger-*")) == sorted([early, beside(early), latest, beside(latest)])
    after = back_up(keep=1)
    assert list(after.parent.glob("ledger-*.sqlite3")) + list(after.parent.glob("ledger-*.pgdump")) == [after]


def test_what_was_backed_up_comes_back_and_is_proved(ledger: Any, made_as: Maker) -> None:
    made_as(a_desks_days)
    backup = back_up()
    trades = Trade.objects.count()
    opened("later")
    with pytest.raises(CopyRefused, match="rows that the backup has not"):
        restore(backup)
    assert Trade.objects.filter(trade_id="later").exists()
    done = restore(backup, force=True)
    assert Trade.objects.count() == trades
    assert verify_ledger().differences == []
    opened("after")
    assert verify_ledger().ok
    # The ledger that was replaced is among the backups, and newer than what stands now.
    assert done.replaced is not None
    restore(done.replaced, force=True)
    assert Trade.objects.filter(trade_id="later").exists()
    assert verify_ledger().differences == []


def test_limits_come_back_as_they_were_with_who_set_them_and_why(ledger: Any) -> None:
    opened()
    said = {"by": "asha", "reason": "the desk's rule", "now": datetime.now(UTC)}
    set_limit("main", "daily_loss", "10000.50", strategy_id=Trade.objects.get().strategy.code, **said)
    set_limit("main", "trades", 12, **said)
    kept, states = list(Limit.objects.order_by("number").values()), limits_now()
    backup = back_up()
    end_limit("main", "trades", **said)
    set_limit("main", "daily_loss_open", 1, **said)
    assert limits_now() != states
    restore(backup, force=True)
    assert list(Limit.objects.order_by("number").values()) == kept and limits_now() == states
    assert verify_ledger().ok


def limits_now() -> list[tuple[str, str, str | None]]:
    rows = limits_in_force(get_account("main"), desk_date(datetime.now(UTC)))
    return sorted((str(row.kind), str(row.limit), row.strategy_id) for row in rows)


def test_a_ledger_that_was_put_back_by_hand_is_told_by_its_heads(ledger: Any) -> None:
    if ledger.vendor != "sqlite":
        return
    opened("A")
    backup = back_up()
    opened("B")
    connections.close_all()
    shutil.copy(backup, ledger.data_dir / "ledger.sqlite3")
    for end in ("-wal", "-shm"):
        (ledger.data_dir / f"ledger.sqlite3{end}").unlink(missing_ok=True)
    assert {one.kind for one in verify_ledger().differences} == {"head"}


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize("harm", ["cut", "altered"])
def test_a_copy_that_was_cut_or_altered_is_refused(ledger: Any, harm: str, noted: bool, made_as: Maker) -> None:
    made_as(a_desks_days)
    backup = back_up()
    before = Journal.objects.count()
    content = bytearray(backup.read_bytes())
    if harm == "cut":
        content = content[: len(content) * 2 // 3]
    elif ledger.vendor == "sqlite":
        place = content.index(b"typing error")
        content[place : place + 6] = b"wiping"
    else:
        content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    backup.write_bytes(content)
    if not noted:
        beside(backup).unlink()
    with pytest.raises(CopyRefused):
        restore(backup, force=True)
    with pytest.raises(CommandError) as ended:
        call_command("restore", str(backup), "--force")
    assert ended.value.returncode == 2
    assert Journal.objects.count() == before and verify_ledger().ok


def test_a_ledger_that_does_not_prove_itself_is_not_backed_up(ledger: Any, made_as: Maker) -> None:
    made_as(a_desks_days)
    with unguarded() as cursor:
        cursor.execute("UPDATE trading_fill SET price = price + 1 WHERE id = 1")
    with pytest.raises(CopyRefused, match="trading_fill price"):
        back_up()
    assert list((ledger.data_dir / "backups").iterdir()) == []


def test_a_backup_under_load_is_restored_elsewhere(ledger: Any, tmp_path: Path) -> None:
    """Writers go on while it is copied; in another folder, with the key, it proves itself."""
    with workers(("endure", "0"), ("endure", "1000000")) as writers:
        go(writers)
        for writer in writers:
            for _ in range(6):
                assert writer.stdout.readline()
        backups = [back_up() for _ in range(2)]
    written = Journal.objects.count()
    assert verify_ledger().ok
    if ledger.vendor != "sqlite":
        restore(backups[-1], force=True)
        assert 0 < Journal.objects.count() <= written and verify_ledger().ok
        return
    elsewhere = tmp_path / "elsewhere"  # where nothing is: the key comes with the backup
    env = {**ledger.env, "VELOX_DATA_DIR": str(elsewhere)}
    for arguments in (["restore", str(backups[-1])], ["verify_ledger", "--format", "json"]):
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["ok"] and [told["restored_to"] for told in said["restores"]] == [backups[-1].name]
    assert 0 < said["head"]["main"]["sequence"] <= written
    assert (elsewhere / "ledger.sqlite3").stat().st_mode & 0o777 == 0o600


def test_writers_that_live_on_find_the_restored_ledger(ledger: Any) -> None:
    opened("A")
    backup = back_up()
    opened("B")
    restore(backup, force=True)
    assert opened("C").trade_id == "C" and closed("C").state == "CLOSED"
    assert set(Trade.objects.values_list("trade_id", flat=True)) == {"A", "C"}


def test_a_writer_that_waits_for_the_restore_writes_to_the_restored_ledger(ledger: Any, monkeypatch: Any) -> None:
    """It had the ledger open before, and asks for the lock while the restore holds it."""
    backup = back_up()
    with workers(("twice", "before", "after")) as (writer,):
        go([writer])
        assert json.loads(writer.stdout.readline()) == {"opened": "before"}
        module, step = (restoring, "_swap") if ledger.vendor == "sqlite" else (copying, "run")
        replace = getattr(module, step)

        def while_it_waits(*arguments: Any) -> Any:
            if ledger.vendor == "sqlite" or "--clean" in arguments:
                go([writer])
                until(lambda: is_waiting(writer, ledger))
            return replace(*arguments)

        monkeypatch.setattr(module, step, while_it_waits)
        restore(backup, force=True)
        assert json.loads(writer.stdout.readline()) == {"opened": "after"}
    assert list(Trade.objects.values_list("trade_id", flat=True)) == ["after"]
    assert verify_ledger().ok


def is_waiting(writer: Worker, ledger: Any) -> bool:
    """Tell whether the writer asks for the lock, or needs none any more: then it has answered."""
    if select.select([writer.stdout], [], [], 0)[0]:
        return True
    if ledger.vendor == "postgresql":
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return cursor.fetchone() is not None
    opened_files = Path(f"/proc/{writer.pid}/fd").iterdir()
    return any(os.path.realpath(path).endswith("ledger.lock") for path in opened_files)


def older_copy(path: Path) -> Path:
    """Copy the ledger as it stood one migration ago, and bring it up again."""
    names = sorted(transactions.MIGRATIONS)
    MigrationExecutor(connection).migrate([("trading", names[-2])])
    copying.copy_to(path)
    MigrationExecutor(connection).migrate([("trading", names[-1])])
    transactions._fitting.clear()
    return path


ELSEWHERE = """
import django
from django.core.management import call_command

django.setup()
call_command("migrate", no_backup=True, verbosity=0)
call_command("verify_ledger")
call_command("backup")
"""


def test_a_backup_of_an_older_version_is_told_as_that_and_what_to_do_works(ledger: Any, tmp_path: Path) -> None:
    opened()
    older = older_copy(tmp_path / f"older{copying.SUFFIX[ledger.vendor]}")
    opened("later")
    before = snapshot()
    with pytest.raises(CopyRefused, match="made by an older VELOX: its ledger ends at") as refused:
        restore(older, force=True)
    assert "manage.py migrate" in str(refused.value) and snapshot() == before
    if ledger.vendor != "sqlite":
        return
    folder = tmp_path / "elsewhere"
    folder.mkdir(mode=0o700)
    shutil.copy(older, folder / "ledger.sqlite3")
    shutil.copy(ledger.data_dir / "journal.key", folder)
    environment = {**os.environ, "VELOX_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "velox_site.settings"}
    environment.pop("DATABASE_URL", None)
    subprocess.run([sys.executable, "-c", ELSEWHERE], env=environment, cwd=ROOT, check=True, capture_output=True)
    (backup,) = (folder / "backups").glob("ledger-*.sqlite3")
    restore(backup, force=True)
    assert [trade.trade_id for trade in Trade.objects.all()] == ["T1"]
    assert verify_ledger().ok


def test_a_backup_of_a_newer_version_is_told_as_that(ledger: Any, tmp_path: Path) -> None:
    opened()
    with unguarded() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('trading', '9999_later', CURRENT_TIMESTAMP)"
        )
    newer = tmp_path / f"newer{copying.SUFFIX[ledger.vendor]}"
    copying.copy_to(newer)
    with unguarded() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
    with pytest.raises(CopyRefused, match="made by a newer VELOX: its ledger has 9999_later"):
        restore(newer, force=True)


def test_the_commands_answer(ledger: Any, capsys: Any) -> None:
    opened()
    call_command("backup", format="json")
    path = Path(json.loads(capsys.readouterr().out)["file"])
    call_command("restore", str(path), format="json")
    assert json.loads(capsys.readouterr().out)["heads"]["main"][0] == 1
    with pytest.raises(CommandError) as ended:
        call_command("restore", str(path.with_name("none")))
    assert ended.value.returncode == 2
