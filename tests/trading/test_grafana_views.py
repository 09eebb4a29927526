"""What Grafana reads of a ledger on PostgreSQL: views alone, whose figures are those of the reports."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.conftest import Ledger, Maker
from tests.grafana_desk import answer, grafana, let_grafana_read
from trading import checks
from trading.models import Fill
from trading.models.grafana_views import ROLE, SCHEMA, VIEWS
from trading.operations.add_capital import add_capital
from trading.operations.back_up import back_up
from trading.operations.restore import restore

pytestmark = [pytest.mark.ledger, pytest.mark.postgres]


@pytest.fixture
def desk(ledger: Ledger, made_as: Maker, settings: Any) -> Ledger:
    let_grafana_read(made_as, settings)
    return ledger


def asked(ledger: Ledger, query: str) -> list[tuple[Any, ...]]:
    with grafana(ledger) as reader:
        return reader.execute(query).fetchall()


def test_the_role_reads_its_views_and_is_refused_on_every_table(desk: Ledger) -> None:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    assert len(tables) > 40
    with grafana(desk) as reader:
        for view in VIEWS:
            assert reader.execute(f"SELECT * FROM {view}").fetchall(), view
        for table in tables:
            for statement in (f"SELECT * FROM public.{table}", f"DELETE FROM public.{table}"):
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                    reader.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SELECT pg_read_file('PG_VERSION')")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("CREATE TEMPORARY TABLE t (i int)")
    with grafana(desk) as reader:  # who turns the default off may write no more for it
        reader.execute("SET default_transaction_read_only = off")
        for table in tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"DELETE FROM public.{table}")


def test_a_role_that_somebody_lets_at_a_table_is_refused(desk: Ledger) -> None:
    with connection.cursor() as cursor:
        cursor.execute("GRANT SELECT (code) ON trading_account TO PUBLIC")
    with pytest.raises(CommandError, match=r"public\.trading_account among them"):
        call_command("grafana_role")


def test_no_password_is_none_by_default_and_none_reaches_the_server(desk: Ledger, settings: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [ROLE])
        assert cursor.fetchone()[0].startswith("SCRAM-SHA-256$")
    for password, words in (("", "is not set"), ("short", "fewer than 16")):
        settings.VELOX_GRAFANA_PASSWORD = password
        with pytest.raises(CommandError, match=words):
            call_command("grafana_role")


def test_money_is_an_exact_numeric(desk: Ledger) -> None:
    columns = "SELECT table_name || '.' || column_name, data_type FROM information_schema.columns"
    types = dict(asked(desk, f"{columns} WHERE table_schema = '{SCHEMA}'"))
    inexact = {name for name, kind in types.items() if kind in ("double precision", "real", "money")}
    assert inexact == set()
    assert {types[f"exits.{name}"] for name in ("quantity", "gross_pnl", "charges", "pnl")} == {"numeric"}
    assert types["equity_days.equity"] == types["executions.price"] == types["stops.price"] == "numeric"


@pytest.mark.parametrize("account", ["main", "second"])
def test_exits_and_closed_trades_add_up_to_the_report(desk: Ledger, account: str) -> None:
    report = answer("strategy_report", "--account", account)
    where = f"WHERE account = '{account}'"
    exits = asked(desk, f"SELECT strategy, SUM(pnl), SUM(gross_pnl) FROM exits {where} GROUP BY 1")
    assert {name: (pnl, gross) for name, pnl, gross in exits} == {
        row["strategy_id"]: (Decimal(row["total_pnl"]), Decimal(row["gross_pnl"])) for row in report["strategies"]
    }
    figures = "strategy, COUNT(*), COUNT(*) FILTER (WHERE pnl > 0), AVG(r_multiple)::float8"
    trades = asked(desk, f"SELECT {figures} FROM closed_trades {where} GROUP BY 1")
    assert {name: rest for name, *rest in trades} == {
        row["strategy_id"]: [
            row["total_trades"],
            row["winning_trades"],
            None if row["expectancy_r"] is None else pytest.approx(float(row["expectancy_r"])),
        ]
        for row in report["strategies"]
    }


@pytest.mark.parametrize("account", ["main", "second"])
def test_equity_of_a_day_is_that_of_the_report(desk: Ledger, account: str) -> None:
    days = asked(desk, f"SELECT day, pnl, equity, drawdown FROM equity_days WHERE account = '{account}' ORDER BY day")
    rows = {row["day"]: row for row in answer("strategy_report", "--account", account)["days"]}
    compared = [day for day in days if day[0].isoformat() in rows]
    assert len(compared) > 5
    for day, *money in compared:
        assert money == [Decimal(rows[day.isoformat()][name]) for name in ("pnl", "equity", "drawdown")], day


@pytest.mark.parametrize("account", ["main", "second"])
def test_executions_stand_as_corrections_have_left_them(desk: Ledger, account: str) -> None:
    rows = [row for row in answer("trade_export", "--fills", "--account", account)["fills"] if row["state"] != "VOID"]
    views = asked(
        desk,
        "SELECT trade_id, sequence, side, role, price, quantity, at, strategy, symbol FROM executions "
        f"WHERE account = '{account}' ORDER BY at, trade_id, sequence",
    )
    assert Fill.objects.count() > len(views) > 20
    assert sorted(views) == sorted(
        (
            row["trade_id"],
            row["sequence"],
            row["side"],
            row["role"],
            Decimal(row["price"]),
            Decimal(row["quantity"]),
            datetime.fromisoformat(row["at"]),
            row["strategy"],
            row["symbol"],
        )
        for row in rows
    )


def test_a_backup_and_a_restore_leave_the_views_as_they_were(desk: Ledger) -> None:
    before = asked(desk, "SELECT account, closed_trades, journal_rows FROM books ORDER BY 1")
    path = back_up()
    add_capital("main", date(2021, 4, 10), 100)
    restore(path, force=True)
    assert asked(desk, "SELECT account, closed_trades, journal_rows FROM books ORDER BY 1") == before
    assert b"GRANT" not in path.read_bytes() and ROLE.encode() not in path.read_bytes()


def test_a_migration_makes_the_views_anew(desk: Ledger, settings: Any) -> None:
    settings.VELOX_GRAFANA_PASSWORD = ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP VIEW {SCHEMA}.books")
    call_command("migrate", verbosity=0)
    assert len(asked(desk, "SELECT * FROM books")) == 3  # and the one of replays


def test_a_desk_without_the_role_has_no_views(ledger: Ledger, settings: Any) -> None:
    settings.VELOX_GRAFANA_PASSWORD = ""
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [SCHEMA])
        assert cursor.fetchone() is None


def test_a_ledger_of_sqlite_that_was_left_behind_is_told(ledger: Ledger) -> None:
    assert checks.no_ledger_is_left_behind(databases=["default"]) == []
    (ledger.data_dir / "ledger.sqlite3").touch()
    assert [message.id for message in checks.no_ledger_is_left_behind(databases=["default"])] == ["velox.W002"]
