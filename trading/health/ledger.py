"""The state of the ledger and of its backups."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from django.db.utils import DatabaseError

from timeseries import presence
from trading.domain import display
from trading.health import database, faults, integrity
from trading.health.alerts import JUDGED
from trading.health.backups import Backups, backups
from trading.health.state import OK, State


def ledger(now: datetime) -> tuple[State, Backups | None]:
    """Return whether the ledger can be read and written, and whether facts wait for a backup for too long; and the
    backups that were looked at, None where it did not come to that."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite" and not Path(str(connection.settings_dict["NAME"])).exists():
        return faults.LEDGER_NOT_READY.state("There is no ledger yet."), None
    try:
        with connection.cursor() as cursor:  # with every look: the ORM would take ten times as long
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = set(cursor.fetchall())
    except DatabaseError as error:
        if (broken := database.broken(connection, error)) is not None:
            return broken, None
        applied = set()  # an empty database: not even migrations have a table
    if _migrations() - applied:
        return faults.LEDGER_NOT_READY.state("The ledger's tables are older than the code."), None
    if newer := applied - _migrations():
        return faults.LEDGER_NOT_READY.state(f"The ledger is newer than the code ({max(newer)[1]})."), None
    try:
        kept = backups(now=now)
        check, state = integrity.last_check(), None
        if check is not None and check.findings:
            state = faults.LEDGER_DAMAGED.state(f"SQLite's own check of the file found: {'; '.join(check.findings)}.")
        state = state or database.unwritable(connection) or database.unkept_log(connection) or _unchecked(check, now)
    except DatabaseError as error:
        if (broken := database.broken(connection, error)) is None:
            raise
        return broken, None
    whole = f", found whole {check.age(now).total_seconds() / 3600:.1f} h ago" if check else ""
    journal = f"{database.version(connection)}{whole}. {display.count(kept.operations)} operations in the journal."
    return state or _backed_up(journal, kept, now), kept


def _unchecked(check: integrity.FileCheck | None, now: datetime) -> State | None:
    """Return the state where somebody watches the desk and the daily check of the ledger's file stays away."""
    if check is None or check.age(now) <= timedelta(days=faults.CHECK_DAYS):
        return None
    judged = presence.seconds_since(settings.DATA_DIR, JUDGED)
    if judged is None or judged > faults.UNJUDGED_SECONDS:
        return None
    return faults.CHECK_OLD.state(f"SQLite last looked through the file {check.age(now).days} days ago.")


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
