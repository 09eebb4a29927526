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

from trading.health import faults
from trading.health.backups import Backups, backups
from trading.health.state import OFF, OK, State
from trading.hot import cache, comparisons


def ledger(now: datetime) -> State:
    """Return whether the ledger can be read and written, and whether facts wait for a backup for too long."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite" and not Path(str(connection.settings_dict["NAME"])).exists():
        return faults.LEDGER_NOT_READY.state("There is no ledger yet.")
    try:
        applied = set(MigrationRecorder(connection).migration_qs.values_list("app", "name"))
    except (OperationalError, ProgrammingError):
        applied = set()  # an empty database: not even migrations have a table
    if _migrations() - applied:
        return faults.LEDGER_NOT_READY.state("The ledger's tables are older than the code.")
    if newer := applied - _migrations():
        return faults.LEDGER_NOT_READY.state(f"The ledger is newer than the code ({max(newer)[1]}).")
    kept = backups(now=now)
    try:
        _begin_to_write(connection)
    except OperationalError as error:
        if "locked" in str(error):
            return faults.LEDGER_BUSY.state("Another writer holds the ledger for long.")
        return faults.LEDGER_READ_ONLY.state(f"The ledger cannot be written: {error}.")
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
    fault = faults.NO_BACKUP if kept.newest_at is None else faults.BACKUP_OLD
    return fault.state(f"{journal} {last}, and facts wait for one since {waits:.0f} h.")


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
        return faults.CACHE_UNREACHABLE.state(f"Redis does not answer: {error}.")
    detail, compared = f"Redis answers in {latency:.1f} ms.", comparisons.last().values()
    if not compared:
        return State(OK, "", f"{detail} It was not compared with the ledger yet.", latency_ms=latency)
    oldest = min(datetime.fromisoformat(row.at) for row in compared)
    detail = f"{detail} Compared with the ledger {max(0.0, (now - oldest).total_seconds()):.0f} s ago"
    if wrong := sum(row.wrong for row in compared):
        return faults.MENDED.state(f"{detail}: {wrong} entries were wrong and are mended.")
    mended = sum(row.mended for row in compared)
    last = f"; {mended} wrong entries were mended before" if mended else ""
    return State(OK, "", f"{detail}: nothing was wrong{last}.", latency_ms=latency)
