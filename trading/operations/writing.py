"""How the ledger is written: the writers' lock, one durable transaction, one row in the journal."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.utils import DatabaseError, InterfaceError, OperationalError, ProgrammingError

from trading.errors import LedgerBusy, LedgerNotReady

PATIENCE_SECONDS = 2.0
_PAUSE_SECONDS = (0.0005, 0.01)


@contextmanager
def writing() -> Iterator[None]:
    """Hold the writers' lock and one transaction that is on disk when this returns, or undone when it raises.

    Raises: LedgerBusy when it is not free within two seconds; LedgerNotReady where the tables are missing. In both
    cases nothing was written.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    connection.close_if_unusable_or_obsolete()
    lock = _writers_lock(connection.settings_dict, connection.vendor)
    with _translated(), lock, transaction.atomic(durable=True):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{int(PATIENCE_SECONDS * 1000)}ms'")
        yield


@contextmanager
def reading() -> Iterator[None]:
    """Give a query the ledger as it is. Raises: LedgerNotReady where the tables are missing, LedgerBusy."""
    connection = connections[DEFAULT_DB_ALIAS]
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    if connection.vendor == "sqlite" and not Path(str(connection.settings_dict["NAME"])).exists():
        raise not_ready()
    with _translated():
        yield


@contextmanager
def _writers_lock(database: dict[str, object], vendor: str) -> Iterator[None]:
    """Let SQLite's writers of all processes queue at a file beside the ledger.

    SQLite's own wait sleeps in growing steps and lets newcomers pass: eight processes then see waits of seconds.
    """
    if vendor != "sqlite":
        yield
        return
    ledger = Path(str(database["NAME"]))
    if not ledger.exists():
        raise not_ready()
    descriptor = os.open(ledger.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int) -> None:
    deadline, (pause, longest) = time.monotonic() + PATIENCE_SECONDS, _PAUSE_SECONDS
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() >= deadline:
            raise busy()
        time.sleep(pause)
        pause = min(2 * pause, longest)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, ProgrammingError, InterfaceError) as error:
        raise _meaning(error) from error


def _meaning(error: DatabaseError | InterfaceError) -> Exception:
    text = str(error).lower()
    if "no such table" in text or "no such column" in text or _sqlstate(error) in {"42P01", "42703"}:
        return not_ready()
    if isinstance(error, ProgrammingError):
        return error
    return busy(str(error))


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error.__cause__, "sqlstate", ""))


def busy(reason: str = "another writer holds it") -> LedgerBusy:
    return LedgerBusy(f"The ledger could not be written ({reason}).", hint="Nothing was written: call again.")


def not_ready() -> LedgerNotReady:
    return LedgerNotReady("The ledger's tables are missing or old.", hint="Run `manage.py migrate` first.")
