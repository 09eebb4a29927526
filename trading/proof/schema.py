"""The database's schema: every trigger, every named constraint."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from trading.models import append_only
from trading.proof.file import CONSTRAINT
from trading.proof.rows import MISSING, UNEXPECTED, Tables
from trading.transactions import LEDGER_APPS

TRIGGER = "trigger"


def check_schema(tables: Tables) -> dict[str, int]:
    """Find triggers and constraints that are missing, altered or too many; return how many were compared."""
    vendor, constraints = tables.connection.vendor, 0
    triggers = {name: table for name, table, *_ in append_only.triggers(vendor)}
    for name in append_only.missing(tables.connection):
        tables.findings.add(TRIGGER, triggers[name], None, name, "missing or altered", "as it was made")
    for name, table in tables.rows(_ALL_TRIGGERS[vendor]):
        if name not in triggers:
            tables.findings.add(TRIGGER, table, None, name, UNEXPECTED, None)
    for model in (model for app in LEDGER_APPS for model in apps.get_app_config(app).get_models()):
        constraints += len(model._meta.constraints)
        _compare_constraints(tables, model)
    return {"triggers": len(triggers), "constraints": constraints}


_ALL_TRIGGERS = {
    "sqlite": "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' "
    "AND (tbl_name LIKE 'trading_%' OR tbl_name LIKE 'lab_%')",
    "postgresql": "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    "WHERE NOT t.tgisinternal AND (starts_with(c.relname, 'trading_') OR starts_with(c.relname, 'lab_'))",
}


def _compare_constraints(tables: Tables, model: type[Model]) -> None:
    """Find a table's constraints that are missing: by name, and on SQLite, which keeps their text, by that."""
    connection, table = tables.connection, model._meta.db_table
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            names = connection.introspection.get_constraints(cursor, table)
        for constraint in model._meta.constraints:
            if constraint.name not in names:
                tables.findings.add(CONSTRAINT, table, None, constraint.name, None, MISSING)
        return
    rows = tables.rows("SELECT COALESCE(sql, '') FROM sqlite_master WHERE tbl_name = %s", table)
    stored = " ".join(_plain(text) for (text,) in rows)
    if model not in _SQLITE_TEXTS:  # the model's, whatever the ledger: written once a process
        _SQLITE_TEXTS[model] = dict(_texts_on_sqlite(connection, model))
    for name, text in _SQLITE_TEXTS[model].items():
        if _plain(text) not in stored:
            tables.findings.add(CONSTRAINT, table, None, name, "missing or altered", text)


_SQLITE_TEXTS: dict[type[Model], dict[str, str]] = {}


def _texts_on_sqlite(connection: BaseDatabaseWrapper, model: type[Model]) -> Iterator[tuple[str, str]]:
    """Yield name and SQL of each constraint of a model."""
    for constraint in model._meta.constraints:
        editor = connection.SchemaEditorClass(connection, collect_sql=True)
        editor.deferred_sql = []
        # A constraint with a condition is an index of its own, which the editor would make afterwards.
        text = str(constraint.constraint_sql(model, editor) or next(iter(map(str, editor.deferred_sql)), ""))
        if text:
            yield constraint.name, text


def _plain(text: str) -> str:
    """Return SQL without what a rebuild of its table changes: spaces, quotes, the name of the table before a column."""
    return "".join(text.replace('"', "").split()).lower()
