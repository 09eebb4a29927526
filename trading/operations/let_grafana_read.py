"""Letting Grafana read the ledger on PostgreSQL, through views alone."""

from __future__ import annotations

import structlog
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from trading.errors import InvalidValue
from trading.models.grafana_views import ROLE, SCHEMA, make_views

PASSWORD_LENGTH_MIN = 16
STATEMENT_TIMEOUT = "10s"  # a panel that takes longer is given up, so that no dashboard holds the ledger's server

# Tables, sequences and other things with rows outside the views' schema on which the role was given anything.
_REACHABLE = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema', %s)
  AND n.nspname NOT LIKE 'pg\\_toast%%' AND n.nspname NOT LIKE 'pg\\_temp%%'
  AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(%s, c.oid, 'USAGE, SELECT, UPDATE')
      ELSE has_any_column_privilege(%s, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
        OR has_table_privilege(%s, c.oid, 'DELETE, TRUNCATE, TRIGGER') END
  AND NOT EXISTS (SELECT 1 FROM pg_depend d  -- what an extension shows to everybody is its own
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""

log = structlog.get_logger("database")


def let_grafana_read(password: str) -> list[str]:
    """Make or renew the views and the role that reads them and nothing else, and return the views' names.

    The role can log in with this password, which reaches the server as its SCRAM verifier alone; it reads only, in
    statements of at most ten seconds. Repeating it changes nothing but the password.

    Raises: InvalidValue where the ledger is not on PostgreSQL, for a short password, and where something else lets the
        role at a table (then nothing was changed); DatabaseError where the desk's own user may make no roles.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        raise InvalidValue(
            "The ledger is on SQLite, which has no roles: Grafana reads it through Prometheus alone.",
            hint="DATABASE_URL names a PostgreSQL for those who want the panels of the ledger.",
        )
    if len(password) < PASSWORD_LENGTH_MIN:
        raise InvalidValue(
            f"The password of Grafana's role has fewer than {PASSWORD_LENGTH_MIN} characters.",
            field="VELOX_GRAFANA_PASSWORD",
            hint="`make env` writes a random one.",
        )
    with transaction.atomic(), connection.cursor() as cursor:
        verifier = connection.connection.pgconn.encrypt_password(password.encode(), ROLE.encode(), b"scram-sha-256")
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE ROLE {ROLE} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT")
        cursor.execute(f"ALTER ROLE {ROLE} LOGIN PASSWORD %s", [verifier.decode()])
        cursor.execute(f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
        cursor.execute(f"ALTER ROLE {ROLE} SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        cursor.execute(f"ALTER ROLE {ROLE} SET search_path = {SCHEMA}")
        make_views()
        cursor.execute(_REACHABLE, [SCHEMA, ROLE, ROLE, ROLE])
        if reachable := [name for (name,) in cursor.fetchall()]:
            raise InvalidValue(
                f"{ROLE} could reach {len(reachable)} tables beside its views, {reachable[0]} among them.",
                hint="Somebody gave it, or PUBLIC, a right on them: REVOKE that first.",
            )
        cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = %s ORDER BY 1", [SCHEMA])
        views = [name for (name,) in cursor.fetchall()]
    log.info("Grafana may read the ledger's views", role=ROLE, views=len(views))
    return views
