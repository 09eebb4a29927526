"""Hands on the ledger that go past VELOX: one value, one row, constraints and triggers off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from trading.models import append_only


def filled_tables() -> dict[str, list[str]]:
    """Return every table `trading_*` that has rows, with its columns."""
    with connection.cursor() as cursor:
        names = [name for name in connection.introspection.table_names(cursor) if name.startswith("trading_")]
        columns = {}
        for name in names:
            cursor.execute(f"SELECT * FROM {name} LIMIT 1")
            if cursor.fetchall():
                columns[name] = [column[0] for column in cursor.description]
    return columns


@contextmanager
def unguarded() -> Iterator[Any]:
    """Give a cursor that no trigger and no constraint stops; afterwards every one is there again."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            try:
                yield cursor
            finally:
                cursor.execute("SET session_replication_role = DEFAULT")
            return
        cursor.execute("PRAGMA synchronous = OFF")  # hundreds of changes, and none that must survive
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        try:
            with transaction.atomic():
                for name, *_ in append_only.triggers(connection.vendor):
                    cursor.execute(f"DROP TRIGGER {name}")
                yield cursor
                for statement in append_only.create_statements("sqlite"):
                    cursor.execute(statement)
        finally:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")
            cursor.execute("PRAGMA foreign_keys = ON")


def typed(table: str) -> dict[str, str]:
    """Return each column's type, in small letters."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA table_info({table})")
            return {row[1]: row[2].lower() for row in cursor.fetchall()}
        cursor.execute("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s", [table])
        return {name: kind.lower() for name, kind in cursor.fetchall()}


def others(kind: str) -> list[str]:
    """Return SQL expressions of `{}`, the column: each another value, the likeliest to be taken first."""
    if "bool" in kind:
        return ["NOT {}"]
    if "int" in kind or "double" in kind or "real" in kind:
        return ["COALESCE({} + 1000003, 1)", "{} - 1", "NULL"]
    if "json" in kind:
        return ["'{{\"x\": 1}}'"]
    if "date" in kind or "time" in kind:
        return _moments(kind)
    return ["COALESCE('x' || substr(CAST({} AS text), 2), 'x')", "'x'", "'y'", "NULL"]


def _moments(kind: str) -> list[str]:
    if connection.vendor == "postgresql":
        if kind.startswith("time without"):
            return ["time '00:00:01'"]
        return ["COALESCE({} + interval '1 day', '2031-01-01')", "NULL"]
    text = {"date": "'2031-01-01'", "time": "'00:00:01'"}.get(kind, "'2031-01-01 00:00:00'")
    return [text, "NULL"]
