"""SQLite's own check of the ledger's file: made once a day beside everything else, kept for the health report."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import DatabaseError

from timeseries.spool import durable
from trading.health import database

EVERY = timedelta(days=1)
AGAIN = timedelta(minutes=10)  # after a check that could not be made
FINDINGS_MAX = 5

log = structlog.get_logger("system")


@dataclass(frozen=True, slots=True)
class FileCheck:
    """A check of a ledger's file: when it began (ISO text), which file it was, and what SQLite objected to."""

    at: str
    file: str
    findings: list[str]

    def age(self, now: datetime) -> timedelta:
        return now - datetime.fromisoformat(self.at)


def check_file(*, now: datetime) -> FileCheck | None:
    """Let SQLite look through the whole file, which takes seconds per gigabyte and holds nobody up; keep what it says.

    None where the ledger is no file: PostgreSQL looks after its own. Raises: DatabaseError, OSError.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    file = database.file_identity(connection)
    if not file:
        return None
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA quick_check({FINDINGS_MAX})")
            rows = [str(row[0]) for row in cursor.fetchall()]
    except DatabaseError as error:
        if not database.is_damage(error):
            raise
        rows = [str(error)]
    check = FileCheck(now.isoformat(), file, [] if rows == ["ok"] else rows)
    durable.replace_file(_path(), orjson.dumps(asdict(check)))
    return check


def last_check() -> FileCheck | None:
    """Return the last check of the file that is the ledger now; None where it was never checked, or is another."""
    try:
        check = FileCheck(**orjson.loads(_path().read_bytes()))
    except (OSError, TypeError, ValueError):
        return None
    return check if check.file == database.file_identity(connections[DEFAULT_DB_ALIAS]) else None


class DailyCheck:
    """The check of a process that watches the desk, in a thread of its own."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._begun_at: datetime | None = None

    def look(self, now: datetime) -> None:
        """Begin a check where none was made for a day; return at once."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._begun_at is not None and timedelta(0) <= now - self._begun_at < AGAIN:
            return
        last = last_check()
        if last is None or not timedelta(0) <= last.age(now) < EVERY:
            self._begun_at = now
            self._thread = threading.Thread(target=_check, args=(now,), name="velox-integrity", daemon=True)
            self._thread.start()


def _check(now: datetime) -> None:
    try:
        check = check_file(now=now)
        if check is not None and check.findings:
            log.error("the ledger's file is damaged", findings=check.findings)
    except Exception as error:  # the part `ledger` says what its fault is
        log.warning("the ledger's file was not checked", error=str(error))
    finally:
        connections.close_all()  # this thread's own


def _path() -> Path:
    return Path(settings.DATA_DIR) / "ledger_checked.json"
