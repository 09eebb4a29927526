"""Append-only tables: database triggers that refuse UPDATE, DELETE and, on PostgreSQL, TRUNCATE, whoever asks.

They guard every account whose book is not `replay`, so that what was replayed can be cleared. SQLite drops triggers
when a table is rebuilt: a migration that touches one of these tables begins with `Unguard()` and ends with
`Guard(unguarded=True)`, and a system check compares.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from django.db import migrations
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

ACCOUNT = "SELECT book FROM trading_account WHERE id = OLD.account_id"
OF_TRADE = "SELECT a.book FROM trading_account a JOIN trading_trade t ON t.account_id = a.id WHERE t.id = OLD.trade_id"
OF_SIGNAL = (
    "SELECT a.book FROM trading_account a JOIN trading_signal s ON s.account_id = a.id WHERE s.id = OLD.signal_id"
)
# Table to the book of a row's account. Their rows are facts: nothing of them is ever changed or removed.
FACTS = {
    "trading_capitalflow": ACCOUNT,
    "trading_fill": OF_TRADE,
    "trading_stopchange": OF_TRADE,
    "trading_signal": ACCOUNT,
    "trading_signalcondition": OF_SIGNAL,
    "trading_realisation": ACCOUNT,
    "trading_dailysummary": ACCOUNT,
    "trading_daynote": ACCOUNT,
    "trading_screenshot": ACCOUNT,
    "trading_screenshotwithdrawal": ACCOUNT,
    "trading_correction": ACCOUNT,
    "trading_statedcharge": ACCOUNT,
    "trading_journal": ACCOUNT,
    "trading_brokerfile": ACCOUNT,
    "trading_brokerfill": ACCOUNT,
    "trading_holdingcost": ACCOUNT,
    "trading_corporateaction": ACCOUNT,
    "trading_actiondecision": ACCOUNT,
    "trading_breakevent": ACCOUNT,
    "trading_apitoken": ACCOUNT,
    "trading_tokenrevocation": ACCOUNT,
    "trading_limit": ACCOUNT,
}
# One thing may be added to a fact later: the trade that a signal led to.
LINKED = "OLD.trade_id IS NULL AND " + " AND ".join(
    f"OLD.{name} = NEW.{name}"
    for name in ("id", "account_id", "strategy_id", "instrument_id", "at", "decision", "reason", "conditions")
)
# What a trade realised is as firm as its fills, until somebody corrects that trade.
UNCORRECTED = "NOT EXISTS (SELECT 1 FROM trading_correction c WHERE c.trade_id = OLD.trade_id)"
# Rows that follow from facts change with them, but never go away.
KEPT = dict.fromkeys(("trading_trade", "trading_fillkey", "trading_daytotal", "trading_journalhead"), ACCOUNT)
# A fill's key is firm, and points to its row until that row is voided and the fill is booked anew.
KEY = ("id", "account_id", "exchange_id", "day", "broker_fill_id", "number")
KEY_MOVES = " AND ".join(
    (
        *(f"OLD.{name} = NEW.{name}" for name in KEY),
        "(EXISTS (SELECT 1 FROM trading_trade t WHERE t.id = OLD.trade_id AND t.state = 'VOID') OR EXISTS "
        "(SELECT 1 FROM trading_correction c WHERE c.fill_id = OLD.fill_id AND c.kind = 'void'))",
    )
)
# But for the total of a day on which, after a correction, nothing was realised.
REALISED = (
    "EXISTS (SELECT 1 FROM trading_realisation r WHERE r.account_id = OLD.account_id "
    "AND r.strategy_id = OLD.strategy_id AND r.instrument_id = OLD.instrument_id AND r.day = OLD.day)"
)
OUTRIGHT = (
    "trading_seal",
    "lab_trial",
    "lab_signalmodel",
    "lab_keptrun",
)  # of no account: nothing of them is ever changed or removed
REFUSE = "trading_refuse"  # PostgreSQL's function behind a trigger whose condition asks for no other row


def triggers(vendor: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, table, event, condition) of every trigger; one of TRUNCATE is of the whole statement."""
    for table, book in FACTS.items():
        guarded = _guarded(book) + (f" AND {UNCORRECTED}" if table == "trading_realisation" else "")
        condition = guarded + (f" AND NOT ({LINKED})" if table == "trading_signal" else "")
        yield f"{table}_keeps_update", table, "UPDATE", condition
        yield f"{table}_keeps_delete", table, "DELETE", guarded
    for table, book in KEPT.items():
        condition = _guarded(book) + (f" AND {REALISED}" if table == "trading_daytotal" else "")
        yield f"{table}_keeps_delete", table, "DELETE", condition
    yield "trading_fillkey_keeps_update", "trading_fillkey", "UPDATE", f"{_guarded(ACCOUNT)} AND NOT ({KEY_MOVES})"
    for table in OUTRIGHT:
        for event in ("UPDATE", "DELETE"):
            yield f"{table}_keeps_{event.lower()}", table, event, "1 = 1"
    yield "trading_account_keeps_delete", "trading_account", "DELETE", "1 = 1"
    yield "trading_account_keeps_update", "trading_account", "UPDATE", "OLD.book <> NEW.book OR OLD.code <> NEW.code"
    if vendor == "postgresql":  # SQLite has no such statement
        for table in (*FACTS, *KEPT, *OUTRIGHT, "trading_account"):
            yield f"{table}_keeps_truncate", table, "TRUNCATE", ""


def _guarded(book: str) -> str:
    # Where the account cannot be found the row is guarded as well.
    return f"COALESCE(({book}), '') <> 'replay'"


def create_statements(vendor: str, tables: Collection[str] | None = None) -> Iterator[str]:
    """Yield the SQL that makes every trigger anew, or those of some tables."""
    if vendor == "postgresql":
        yield (
            f"CREATE OR REPLACE FUNCTION {REFUSE}() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'append-only: % on % is refused', TG_OP, TG_TABLE_NAME "
            "USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
    for name, table, event, condition in triggers(vendor):
        if tables is not None and table not in tables:
            continue
        if vendor == "postgresql":
            yield from _on_postgres(name, table, event, condition)
            continue
        yield f"DROP TRIGGER IF EXISTS {name}"
        yield (
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, 'append-only: {event} on {table} is refused'); END"
        )


def _on_postgres(name: str, table: str, event: str, condition: str) -> Iterator[str]:
    yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
    if event == "TRUNCATE":
        yield f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {REFUSE}()"
        return
    if "SELECT" not in condition:
        yield (
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION {REFUSE}()"
        )
        return
    # A WHEN of PostgreSQL holds no subquery: the condition goes into a function of the trigger's own.
    yield (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN "
        f"RAISE EXCEPTION 'append-only: {event} on {table} is refused' "
        "USING ERRCODE = 'integrity_constraint_violation'; "
        f"END IF; RETURN {'NEW' if event == 'UPDATE' else 'OLD'}; END $$"
    )
    yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the triggers that the database lacks, or on SQLite has with another text."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT t.tgname, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                "WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'"
            )
            stored = dict(cursor.fetchall())
            functions = [sql.split("$$") for sql in create_statements("postgresql") if "$$" in sql]
            bodies = {head.split()[4].partition("(")[0]: body for head, body, _ in functions}
            names = [name for name, *_ in triggers("postgresql")]
            return sorted(name for name in names if stored.get(name) != bodies.get(name, bodies[REFUSE]))
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        texts = {text for (text,) in cursor.fetchall()}
    return sorted(
        sql.split()[2] for sql in create_statements("sqlite") if sql.startswith("CREATE") and sql not in texts
    )


class Guard(migrations.RunPython):
    """Migration operation that makes every trigger anew: the last operation of one that touches an append-only table.

    ``unguarded`` where the migration begins with `Unguard`: the way back then begins and ends in the same order.
    """

    def __init__(self, *, unguarded: bool = False) -> None:
        self.unguarded = unguarded
        super().__init__(_create, _drop if unguarded else migrations.RunPython.noop)

    def deconstruct(self) -> tuple[str, list[str], dict[str, bool]]:
        return "Guard", [], {"unguarded": True} if self.unguarded else {}


class Unguard(migrations.RunPython):
    """Migration operation that takes the triggers away: the first operation of a migration that `Guard` ends.

    SQLite makes a table anew to change it, and refuses to while another table's trigger reads it.
    """

    def __init__(self) -> None:
        super().__init__(_drop, _create)

    def deconstruct(self) -> tuple[str, list[str], dict[str, bool]]:
        return "Unguard", [], {}


def _drop(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    vendor = schema_editor.connection.vendor
    for name, table, *_ in triggers(vendor):
        place = f" ON {table}" if vendor == "postgresql" else ""
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}{place}", params=None)


def _create(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # An early migration runs with the code of today: tables that come later are guarded by the one that makes them.
    tables = schema_editor.connection.introspection.table_names()
    for statement in create_statements(schema_editor.connection.vendor, tables):
        # Without parameters at all: a % of the text is a % for the database, too.
        schema_editor.execute(statement, params=None)
