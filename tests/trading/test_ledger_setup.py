"""How a ledger comes into being and stays fit: seeds, backups before a migration, versions, connections, checks."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from tests.trading.book import opened, row, snapshot, sql
from tests.waiting import PATIENCE_SECONDS
from timeseries.spool.locks import FileLock
from trading import checks, transactions
from trading.bookkeeping import copying
from trading.errors import LedgerBusy, LedgerNotReady, NotTradable
from trading.management.commands import migrate
from trading.models import Account, CapitalFlow, Instrument, Trade, append_only

pytestmark = pytest.mark.usefixtures("ledger")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def looks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget which ledgers were found fit: on PostgreSQL they share a name."""
    monkeypatch.setattr(transactions, "_fitting", set())


# By Django's own command: VELOX's takes no ledger back, not even a new one.
MIGRATE_TO_0010 = """
import django
from django.core.management import call_command
from django.core.management.commands.migrate import Command

django.setup()
call_command(Command(), "trading", "0010", verbosity=0)
"""


class TestSeeds:
    @pytest.mark.ledger
    def test_two_accounts_have_capital_that_holds_for_every_day(self) -> None:
        accounts = [(one.code, one.book, one.currency, one.zone) for one in Account.objects.all()]
        assert accounts == [("main", "live", "INR", "Asia/Kolkata"), ("replay", "replay", "INR", "Asia/Kolkata")]
        flows = [(flow.account.code, flow.day, flow.amount) for flow in CapitalFlow.objects.order_by("account__code")]
        assert flows == [("main", date(2000, 1, 1), 100000), ("replay", date(2000, 1, 1), 100000)]

    @pytest.mark.ledger
    def test_nobody_trades_an_index(self) -> None:
        indices = Instrument.objects.filter(kind="INDEX", exchange__code="NSE")
        assert {"NIFTY 50", "NIFTY BANK", "NIFTY IT", "INDIA VIX"} <= set(indices.values_list("symbol", flat=True))
        before = snapshot()
        for index in indices:
            with pytest.raises(NotTradable):
                opened(symbol=index.symbol)
        assert snapshot() == before

    @pytest.mark.ledger
    def test_a_group_may_do_what_its_name_says_and_nobody_may_change_a_fact(self) -> None:
        may = {group.name: set(group.permissions.values_list("codename", flat=True)) for group in Group.objects.all()}
        assert set(may) == {"viewer", "reviewer", "operator"}
        assert all(name.startswith("view_") for name in may["viewer"]) and "view_trade" in may["viewer"]
        assert may["viewer"] < may["reviewer"] < may["operator"]
        assert "change_review" in may["reviewer"]
        facts = {f"{verb}_{name}" for verb in ("add", "change", "delete") for name in ("trade", "fill", "journal")}
        assert not facts & set.union(*may.values())

    def test_in_the_demos_folder_main_is_a_demo(self, tmp_path: Path) -> None:
        folder = tmp_path / "demo"
        folder.mkdir(mode=0o700)
        (folder / "demo.json").write_text("{}")
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        environment |= {"VELOX_DATA_DIR": str(folder), "VELOX_CAPITAL": "250000.50", "VELOX_CURRENCY": "USD"}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        listing = [sys.executable, "manage.py", "account", "list", "--format", "json"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
        told = json.loads(subprocess.run(listing, cwd=ROOT, env=environment, check=True, capture_output=True).stdout)
        main = next(one for one in told["accounts"] if one["code"] == "main")
        assert (main["book"], main["currency"], main["capital"]) == ("demo", "USD", "250000.5")
        assert (folder / "ledger.sqlite3").stat().st_mode & 0o777 == 0o600

    def test_a_ledger_of_an_older_build_is_migrated_by_the_command(self, tmp_path: Path) -> None:
        """With its own checks, which ask for the triggers of a ledger whose tables are all there."""
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        environment |= {"VELOX_DATA_DIR": str(tmp_path / "data")}
        environment["DJANGO_SETTINGS_MODULE"] = "velox_site.settings"
        older = [sys.executable, "-c", MIGRATE_TO_0010]
        newest = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        for command in (older, newest):
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
        proof = [sys.executable, "manage.py", "verify_ledger", "--format", "json"]
        answer = subprocess.run(proof, cwd=ROOT, env=environment, check=True, capture_output=True)
        assert json.loads(answer.stdout)["ok"] is True


class TestVersions:
    @pytest.mark.ledger
    def test_who_migrates_meanwhile_waits_and_finds_it_done(self, ledger: Any, tmp_path: Path) -> None:
        folder = tmp_path / "new"
        folder.mkdir()
        environment = {**ledger.env, "VELOX_DATA_DIR": str(folder), "DATABASE_URL": ""}
        with FileLock(folder / migrate.LOCK_NAME) as lock:
            assert lock.take()
            second = subprocess.Popen(
                [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
                cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert second.stderr is not None
            assert second.stderr.readline() == "Another process migrates this ledger: waiting for it.\n"
            assert not (folder / "ledger.sqlite3").exists()
        assert (second.communicate(timeout=PATIENCE_SECONDS)[1], second.returncode) == ("", 0)
        assert (folder / "ledger.sqlite3").exists()

    def test_a_ledger_newer_than_the_code_is_refused(self, looks_anew: None) -> None:
        opened()
        sql("INSERT INTO django_migrations (app, name, applied) VALUES ('trading', '9999_later', CURRENT_TIMESTAMP)")
        transactions._fitting.clear()
        before = snapshot()
        with pytest.raises(LedgerNotReady, match="9999_later"):
            opened("T2")
        with pytest.raises(LedgerNotReady, match="9999_later"), transactions.reading():
            pass
        with pytest.raises(CommandError, match=r"newer than this code: it has trading\.9999_later") as ended:
            call_command("migrate", verbosity=0)
        assert ended.value.returncode == 2
        assert snapshot() == before

    @pytest.mark.ledger
    def test_an_older_one_is_refused_until_it_is_migrated_after_a_backup(
        self, looks_anew: None, data_dir: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        opened()
        MigrationExecutor(connection).migrate([("trading", sorted(transactions.MIGRATIONS)[-2])])
        transactions._fitting.clear()
        with pytest.raises(LedgerNotReady, match="migrate"):
            opened("T2")
        call_command("migrate", verbosity=0)
        assert append_only.missing(connection) == []
        assert opened("T2").state == "OPEN"
        (backup,) = (data_dir / "backups").iterdir()
        assert str(backup) in capsys.readouterr().out
        assert backup.stat().st_mode & 0o777 == 0o600
        if connection.vendor != "sqlite":
            assert backup.read_bytes().startswith(b"PGDMP")
            return
        with sqlite3.connect(backup) as copy:
            assert copy.execute("SELECT trade_id FROM trading_trade").fetchall() == [("T1",)]
        copy.close()
        call_command("migrate", verbosity=0)
        assert len(list((data_dir / "backups").iterdir())) == 1, "nothing to migrate, nothing to back up"

    @pytest.mark.parametrize("arguments", [("trading", "0001"), ("trading", "zero"), ("auth", "zero")])
    @pytest.mark.parametrize("more", [{}, {"fake": True}, {"no_backup": True}], ids=str)
    def test_a_step_back_is_refused_and_changes_nothing(
        self, data_dir: Path, arguments: tuple[str, ...], more: dict[str, Any]
    ) -> None:
        opened()
        before, applied = snapshot(), MigrationRecorder(connection).applied_migrations().keys()
        with pytest.raises(CommandError, match=r"take back .*Nothing was changed.*manage\.py restore") as ended:
            call_command("migrate", *arguments, verbosity=0, **more)
        assert ended.value.returncode == 2
        assert snapshot() == before and MigrationRecorder(connection).applied_migrations().keys() == applied
        assert not (data_dir / "backups").exists()
        assert opened("T2").state == "OPEN"

    @pytest.mark.ledger
    def test_a_step_forward_is_never_only_recorded(self, looks_anew: None, data_dir: Path) -> None:
        executor = MigrationExecutor(connection)
        executor.migrate([("trading", sorted(transactions.MIGRATIONS)[-2])])
        with pytest.raises(CommandError, match="without doing it") as ended:
            call_command("migrate", fake=True, verbosity=0)
        assert ended.value.returncode == 2
        assert ("trading", max(transactions.MIGRATIONS)) not in MigrationRecorder(connection).applied_migrations()
        assert not (data_dir / "backups").exists()

    @pytest.mark.ledger
    def test_what_only_shows_or_is_refused_by_django_copies_nothing(self, looks_anew: None, data_dir: Path) -> None:
        MigrationExecutor(connection).migrate([("trading", sorted(transactions.MIGRATIONS)[-2])])
        call_command("migrate", plan=True, verbosity=0)
        call_command("migrate", "trading", "0001", plan=True, verbosity=0)
        with pytest.raises(SystemExit):
            call_command("migrate", check_unapplied=True, verbosity=0)
        with pytest.raises(CommandError, match="Cannot find a migration") as ended:
            call_command("migrate", "trading", "none", verbosity=0)
        assert ended.value.returncode == 2
        assert not (data_dir / "backups").exists()

    def test_a_fresh_ledger_is_not_backed_up_and_may_stop_on_the_way(
        self, looks_anew: None, data_dir: Path, no_tables: Path
    ) -> None:
        if connection.vendor != "sqlite":
            return  # the server's own database is there for all tests
        call_command("migrate", "trading", "0003", verbosity=0)
        assert not (data_dir / "backups").exists()
        with pytest.raises(LedgerNotReady, match="migrate"):
            opened()
        call_command("migrate", verbosity=0)
        assert len(list((data_dir / "backups").iterdir())) == 1
        assert opened().state == "OPEN"

    @pytest.mark.ledger
    def test_without_a_backup_nothing_is_migrated_unless_it_is_asked_for(
        self, looks_anew: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        MigrationExecutor(connection).migrate([("trading", sorted(transactions.MIGRATIONS)[-2])])

        def fails(_: Path) -> None:
            raise copying.CopyRefused("pg_dump is not installed.", hint="Install PostgreSQL's client programs.")

        monkeypatch.setattr(copying, "copy_to", fails)
        with pytest.raises(CommandError, match=r"pg_dump is not installed.*--no-backup") as ended:
            call_command("migrate", verbosity=0)
        assert ended.value.returncode == 2
        with pytest.raises(LedgerNotReady, match="migrate"):
            opened()
        call_command("migrate", no_backup=True, verbosity=0)
        assert opened().state == "OPEN"


class TestConnections:
    @pytest.mark.ledger
    def test_operations_share_one_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        opened()
        made: list[object] = []
        monkeypatch.setattr(connection, "get_new_connection", lambda *_: made.append(1))
        opened("T2")
        opened("T3")
        assert made == []

    def test_a_ledger_that_was_put_in_its_place_takes_the_next_trade(self, data_dir: Path) -> None:
        if connection.vendor != "sqlite":
            return
        path = data_dir / "ledger.sqlite3"
        with sqlite3.connect(path) as source, sqlite3.connect(data_dir / "restored") as target:
            source.backup(target)
        source.close(), target.close()
        opened("T1")
        for name in ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"):
            (data_dir / name).unlink(missing_ok=True)
        shutil.move(data_dir / "restored", path)
        opened("T2")
        assert list(Trade.objects.values_list("trade_id", flat=True)) == ["T2"]
        with sqlite3.connect(path) as there:
            assert there.execute("SELECT trade_id FROM trading_trade").fetchall() == [("T2",)]
        there.close()

    def test_a_tool_that_holds_the_file_costs_two_seconds_and_not_more(self, data_dir: Path) -> None:
        if connection.vendor != "sqlite":
            return
        opened()
        before = snapshot()
        with sqlite3.connect(data_dir / "ledger.sqlite3", isolation_level=None) as tool:
            tool.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            with pytest.raises(LedgerBusy):
                opened("T2")
            assert 1.5 < time.monotonic() - started < 3.5
            tool.execute("ROLLBACK")
        tool.close()
        assert snapshot() == before
        assert opened("T2").state == "OPEN"

    def test_replacing_a_row_is_removing_it(self) -> None:
        if connection.vendor != "sqlite":
            return
        opened()
        fill = row().fills.get()
        with pytest.raises(Exception, match="append-only"):
            sql(f"INSERT OR REPLACE INTO trading_fill SELECT * FROM trading_fill WHERE id = {fill.pk}")
        assert row().fills.get().recorded_at == fill.recorded_at


class TestChecks:
    @pytest.mark.ledger
    def test_a_trigger_that_is_gone_or_altered_is_an_error(self) -> None:
        assert checks.append_only_tables_are_guarded(databases=["default"]) == []
        if connection.vendor == "sqlite":
            sql("DROP TRIGGER trading_fill_keeps_update")
            sql(
                "CREATE TRIGGER trading_fill_keeps_update BEFORE UPDATE ON trading_fill WHEN 1 = 0 "
                "BEGIN SELECT RAISE(ABORT, 'never'); END"
            )
        else:
            sql(
                "CREATE OR REPLACE FUNCTION trading_fill_keeps_update() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RETURN NEW; END $$"
            )
        (found,) = checks.append_only_tables_are_guarded(databases=["default"])
        assert (found.id, "trading_fill_keeps_update" in found.msg) == ("velox.E001", True)

    def test_an_old_sqlite_is_a_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert checks.sqlite_keeps_commits(databases=["default"]) == []
        monkeypatch.setattr(checks.sqlite3, "sqlite_version_info", (3, 46, 1))
        found = [message.id for message in checks.sqlite_keeps_commits(databases=["default"])]
        assert found == (["velox.W001"] if connection.vendor == "sqlite" else [])


def test_the_sqlite_ledger_is_durable_and_private(data_dir: Path) -> None:
    if connection.vendor != "sqlite":
        return
    opened()
    with connection.cursor() as cursor:
        pragmas = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        }
    is_safe = sqlite3.sqlite_version_info >= checks.WAL_IS_SAFE_FROM
    expected: dict[str, Any] = {"journal_mode": "wal" if is_safe else "delete", "synchronous": 2}
    assert pragmas == {**expected, "foreign_keys": 1, "recursive_triggers": 1}
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "ledger.lock").stat().st_mode & 0o777 == 0o600
