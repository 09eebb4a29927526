"""The state of the ledger, of its backups, and of its copy in the hot state."""

from __future__ import annotations

import functools
import os
from datetime import datetime
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import OperationalError, ProgrammingError

from trading.health.backups import Backups, backups
from trading.health.state import DEGRADED, DOWN, OFF, OK, State
from trading.hot import cache, comparisons

MIGRATE = "Run `manage.py migrate`."


def ledger(now: datetime) -> State:
    """Return whether the ledger can be read and written, and whether facts wait for a backup for too long."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite" and not Path(str(connection.settings_dict["NAME"])).exists():
        return State(DOWN, "ledger_not_ready", "There is no ledger yet.", MIGRATE)
    try:
        applied = set(MigrationRecorder(connection).migration_qs.values_list("app", "name"))
    except (OperationalError, ProgrammingError):
        applied = set()  # an empty database: not even migrations have a table
    if _migrations() - applied:
        return State(DOWN, "ledger_not_ready", "The ledger's tables are older than the code.", MIGRATE)
    if newer := applied - _migrations():
        detail = f"The ledger is newer than the code ({max(newer)[1]})."
        return State(DOWN, "ledger_not_ready", detail, "Install the newer VELOX.")
    kept = backups(now=now)
    try:
        _begin_to_write(connection)
    except OperationalError as error:
        if "locked" in str(error):
            return State(DEGRADED, "ledger_busy", "Another writer holds the ledger for long.", "Look who writes to it.")
        return State(DOWN, "ledger_read_only", f"The ledger cannot be written: {error}.", "Check owner, mode and disk.")
    return _backed_up(f"{kept.operations} operations in the journal.", kept, now)


@functools.cache
def _migrations() -> frozenset[tuple[str, str]]:
    """Return app and name of every migration of the code that runs here, which no process sees change."""
    return frozenset(MigrationLoader(None).disk_migrations)


def _backed_up(journal: str, kept: Backups, now: datetime) -> State:
    """Return the ledger's state by its backups: facts that wait for one too long would be lost with this disk."""
    last = "No backup was made yet"
    if kept.newest_at is not None:
        last = f"The last backup is {max(0.0, (now - kept.newest_at).total_seconds()) / 3600:.1f} h old"
    if kept.waiting_since is None or not kept.is_late(now):
        return State(OK, "", f"{journal} {last}.")
    waits = (now - kept.waiting_since).total_seconds() / 3600
    code = "no_backup" if kept.newest_at is None else "backup_old"
    cure = "Run `manage.py backup`, every day after the session, and copy the file to another machine."
    return State(DEGRADED, code, f"{journal} {last}, and facts wait for one since {waits:.0f} h.", cure)


def _begin_to_write(connection: BaseDatabaseWrapper) -> None:
    """Raise OperationalError where nothing can be written now; writes nothing."""
    if connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            if not os.access(str(connection.settings_dict["NAME"]), os.W_OK):
                raise OperationalError("it is read-only here")  # SQLite itself begins to read there
            cursor.execute("PRAGMA busy_timeout = 500")
            # It takes the writers' lock of SQLite, changes no row, and is over at once.
            cursor.execute("DELETE FROM trading_journalhead WHERE FALSE")
        else:
            cursor.execute("SHOW transaction_read_only")
            if cursor.fetchone() != ("off",):
                raise OperationalError("the server takes no writes")


def hot_state(now: datetime) -> State:
    """Return whether Redis answers, and what the last comparison with the ledger gave."""
    if not cache.is_shared():
        return State(OFF, "", "No CACHE_URL is set: each process keeps its own newest values.")
    try:
        latency = cache.ping()
    except Exception as error:
        return State(
            DEGRADED, "cache_unreachable", f"Redis does not answer: {error}.", "Start Redis or mend CACHE_URL."
        )
    detail, compared = f"Redis answers in {latency:.1f} ms.", comparisons.last().values()
    if not compared:
        return State(OK, "", f"{detail} It was not compared with the ledger yet.", latency_ms=latency)
    oldest = min(datetime.fromisoformat(row.at) for row in compared)
    detail = f"{detail} Compared with the ledger {max(0.0, (now - oldest).total_seconds()):.0f} s ago"
    if wrong := sum(row.wrong for row in compared):
        cure = "Nothing is to be mended; look who else writes into the Redis of CACHE_URL."
        return State(DEGRADED, "mended", f"{detail}: {wrong} entries were wrong and are mended.", cure)
    mended = sum(row.mended for row in compared)
    last = f"; {mended} wrong entries were mended before" if mended else ""
    return State(OK, "", f"{detail}: nothing was wrong{last}.", latency_ms=latency)
