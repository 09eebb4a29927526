"""The desk's own role on PostgreSQL owns no table: it records trades, and cannot empty or open what is append-only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from tests.trading.book import closed, opened
from trading.models import Trade
from trading.proof.verify import verify_ledger

pytestmark = [pytest.mark.ledger]
ROLE_SQL = Path(__file__).parents[2] / "ops" / "postgres" / "application_role.sql"
REFUSED = (
    "TRUNCATE trading_journal",
    "TRUNCATE trading_fill CASCADE",
    "TRUNCATE django_session",
    "ALTER TABLE trading_fill DISABLE TRIGGER ALL",
    "DROP TRIGGER trading_fill_keeps_update ON trading_fill",
    "DROP TABLE trading_fill CASCADE",
    "SET session_replication_role = replica",
    "DELETE FROM django_migrations",
)


@pytest.fixture
def role(ledger: Any) -> Iterator[bool]:
    """Let the ledger's connection be the role's; gives False on SQLite, which has no roles."""
    if ledger.vendor != "postgresql":
        yield False
        return
    with connection.cursor() as cursor:
        cursor.execute(ROLE_SQL.read_text(encoding="utf-8"))
        cursor.execute(ROLE_SQL.read_text(encoding="utf-8"))  # again, as after each migration
        cursor.execute("SET ROLE velox_app")
    try:
        yield True
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY velox_app")


def test_the_role_records_and_reads_trades_whose_ledger_is_proved(role: bool) -> None:
    opened()
    closed()
    assert [trade.state for trade in Trade.objects.all()] == ["CLOSED"]
    if role:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("velox_app",)
    assert verify_ledger().differences == []


def test_the_role_cannot_empty_or_open_what_is_append_only(role: bool) -> None:
    for statement in REFUSED if role else ():
        with (
            pytest.raises(ProgrammingError, match=r"must be owner|permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
