"""The state of the database under the ledger: whether it answers, is whole, takes writes, and looks after its log."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import DatabaseError, OperationalError

from trading.health import faults
from trading.health.state import State
from trading.transactions import is_full

# FIRST 2 (a, b), ANY 2 (a, b) or 2 (a, b): how many standbys must have a commit; a list alone means one.
_NEEDED = re.compile(r"\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", re.IGNORECASE)
DAMAGED = ("malformed", "not a database", "disk I/O error")  # in SQLite's words


def broken(connection: BaseDatabaseWrapper, error: DatabaseError) -> State | None:
    """Return the state of a database that refused a read; None where it only lacks the table."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if connection.vendor == "sqlite":
        if is_full(error):
            return faults.LEDGER_READ_ONLY.state("Its disk is full, and SQLite cannot open it without room.")
        if is_damage(error):
            return faults.LEDGER_DAMAGED.state(f"SQLite says: {text}.")
        return faults.LEDGER_BUSY.state("Another process holds the ledger for itself.") if "locked" in text else None
    if not isinstance(error, OperationalError):
        return None
    if not connection.in_atomic_block:
        connection.close()  # the next look begins anew: the server may be back
    return faults.LEDGER_UNREACHABLE.state(f"PostgreSQL does not answer: {text}")


def is_damage(error: DatabaseError) -> bool:
    """Tell whether SQLite says of its file that it is damaged."""
    return any(word in str(error) for word in DAMAGED) and not is_full(error)


def version(connection: BaseDatabaseWrapper) -> str:
    """Return the name and the version of what holds the ledger."""
    name = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    return f"{name} {'.'.join(map(str, connection.get_database_version()))}"


def log_bytes(connection: BaseDatabaseWrapper) -> int | None:
    """Return the size of SQLite's write-ahead log; None where the ledger is no file."""
    if connection.vendor != "sqlite":
        return None
    log = Path(f"{connection.settings_dict['NAME']}-wal")
    return log.stat().st_size if log.exists() else 0


def file_identity(connection: BaseDatabaseWrapper) -> str:
    """Return what tells the ledger's file from one that took its place; "" where there is none."""
    if connection.vendor != "sqlite":
        return ""
    try:
        status = Path(str(connection.settings_dict["NAME"])).stat()
    except OSError:
        return ""
    return f"{status.st_dev} {status.st_ino}"


def unwritable(connection: BaseDatabaseWrapper) -> State | None:
    """Return the state where nothing can be written now; writes nothing."""
    if connection.in_atomic_block:
        return None
    try:
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
    except OperationalError as error:
        if "locked" in str(error):
            return faults.LEDGER_BUSY.state("Another writer holds the ledger for long.")
        return faults.LEDGER_READ_ONLY.state(f"The ledger cannot be written: {error}.")
    return None


def unkept_log(connection: BaseDatabaseWrapper) -> State | None:
    """Return the state where the write-ahead log is not looked after: it grows, or goes to no standby or archive."""
    if connection.vendor == "sqlite":
        return _unapplied(connection)
    return _unfollowed(connection) or _unarchived(connection)


class Standbys(NamedTuple):
    """How many standbys must have each commit, and how many of those are there; ``hidden``: others whose state only a
    role with pg_monitor sees."""

    needed: int
    following: int
    hidden: int


def standbys(connection: BaseDatabaseWrapper) -> Standbys | None:
    """Return the standbys that commits wait for; None where the ledger is a file."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('synchronous_standby_names'),"
            " count(*) FILTER (WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'),"
            " count(*) FILTER (WHERE sync_state IS NULL) FROM pg_stat_replication"
        )
        names, following, hidden = cursor.fetchone()
    counted = _NEEDED.match(names)
    return Standbys(int(counted[1] if counted else names.strip() != ""), following, hidden)


def _unfollowed(connection: BaseDatabaseWrapper) -> State | None:
    counts = standbys(connection)
    if counts is None or counts.following + counts.hidden >= counts.needed:
        return None
    return faults.STANDBY_MISSING.state(
        f"Each commit waits for {counts.needed} standbys, of which {counts.following + counts.hidden} are there."
    )


def _unapplied(connection: BaseDatabaseWrapper) -> State | None:
    size = log_bytes(connection) or 0
    if size <= faults.WAL_BYTES_MAX or connection.in_atomic_block:
        return None
    with connection.cursor() as cursor:
        # It waits for nobody. A log that is applied whole keeps its size, and is written from its beginning again.
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        _, frames, applied = cursor.fetchone()
    if frames == applied:
        return None
    return faults.WAL_LARGE.state(
        f"The write-ahead log holds {size / 1e6:,.0f} MB, {frames - applied} pages unapplied."
    )


def _unarchived(connection: BaseDatabaseWrapper) -> State | None:
    if archive_mode(connection) == "off":
        return faults.ARCHIVE_OFF.state("archive_mode is off.") if settings.VELOX_WAL_ARCHIVE else None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT failed_count, last_failed_wal, last_failed_time > coalesce(last_archived_time, '-infinity')"
            " FROM pg_stat_archiver"
        )
        failures, wal, is_failing = cursor.fetchone()
    return faults.ARCHIVE_FAILING.state(f"{failures} failures, the last with {wal}.") if is_failing else None


def archived_at(connection: BaseDatabaseWrapper) -> datetime | None:
    """Return when PostgreSQL archived a file of its WAL last; None where it never did, or the ledger is a file."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_archived_time FROM pg_stat_archiver")
        row: tuple[datetime | None] = cursor.fetchone()
    return row[0]


def archive_mode(connection: BaseDatabaseWrapper) -> str:
    """Return PostgreSQL's archive_mode: off, on or always."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW archive_mode")
        return str(cursor.fetchone()[0])
