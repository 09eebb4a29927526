"""How the ledger is written: the writers' lock, one durable transaction, one row in the journal."""

from __future__ import annotations

import fcntl
import os
import pkgutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from decimal import ROUND_HALF_EVEN, Context, localcontext
from pathlib import Path
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import DatabaseError, InterfaceError, OperationalError, ProgrammingError

from trading import migrations
from trading.errors import LedgerBusy, LedgerNotReady

PATIENCE_SECONDS = 2.0
# Shorter than the time between two operations of one writer: a longer sleep lets it pass all who wait, again and again.
_PAUSE_SECONDS = (0.0002, 0.001)
# What a caller set on its thread (a precision of six, say) must not reach a figure.
_DECIMALS = Context(prec=28, rounding=ROUND_HALF_EVEN)
MIGRATIONS = frozenset(module.name for module in pkgutil.iter_modules(migrations.__path__))
_fitting: set[tuple[str, ...]] = set()
_files: WeakKeyDictionary[BaseDatabaseWrapper, tuple[int, int]] = WeakKeyDictionary()


_aside: ContextVar[bool] = ContextVar("aside", default=False)


@contextmanager
def aside() -> Iterator[None]:
    """Let operations within check what they are given, and then find the ledger busy."""
    token = _aside.set(True)
    try:
        yield
    finally:
        _aside.reset(token)


_together: ContextVar[bool] = ContextVar("together", default=False)


@contextmanager
def together() -> Iterator[None]:
    """Let the operations within share one transaction: all of them are committed when this returns, or none is."""
    with writing():
        token = _together.set(True)
        try:
            yield
        finally:
            _together.reset(token)


@contextmanager
def writing() -> Iterator[None]:
    """Hold the writers' lock and one transaction that is on disk when this returns, or undone when it raises.

    Raises: LedgerBusy when it is not free within two seconds; LedgerNotReady where the tables are missing, or of
        another version than the code. In both cases nothing was written.
    """
    if _aside.get():
        raise busy("earlier facts wait for it")
    if _together.get():
        yield
        return
    connection = connections[DEFAULT_DB_ALIAS]
    deadline = time.monotonic() + PATIENCE_SECONDS
    with localcontext(_DECIMALS), _translated():
        _be_ready(connection)
        with _writers_lock(connection, deadline):
            _allow_a_wait_until(deadline, connection)
            with transaction.atomic(durable=True):
                if connection.vendor == "postgresql":
                    _allow_a_wait_until(deadline, connection)
                yield


@contextmanager
def writers_alone() -> Iterator[None]:
    """Hold the writers' lock without a transaction: no operation writes meanwhile. Raises: LedgerBusy."""
    with _writers_lock(connections[DEFAULT_DB_ALIAS], time.monotonic() + PATIENCE_SECONDS):
        yield


@contextmanager
def reading() -> Iterator[None]:
    """Give a query the ledger as it is. Raises: LedgerNotReady as `writing`, LedgerBusy."""
    with localcontext(_DECIMALS), _translated():
        _be_ready(connections[DEFAULT_DB_ALIAS])
        yield


def _be_ready(connection: BaseDatabaseWrapper) -> None:
    if connection.errors_occurred and not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    if connection.vendor == "sqlite":
        _be_on_this_file(connection)
    ledger = tuple(str(connection.settings_dict[key]) for key in ("NAME", "HOST", "PORT"))
    if ledger not in _fitting:
        _must_fit(connection)
        _fitting.add(ledger)


def _be_on_this_file(connection: BaseDatabaseWrapper) -> None:
    """Leave a ledger that was replaced (a restored backup): what is open still would take writes that nobody finds."""
    try:
        stat = os.stat(str(connection.settings_dict["NAME"]))
    except FileNotFoundError:
        raise not_ready() from None
    file = (stat.st_dev, stat.st_ino)
    if _files.get(connection) != file:
        if not connection.in_atomic_block:
            connection.close()
        _files[connection] = file


def _must_fit(connection: BaseDatabaseWrapper) -> None:
    """Raise LedgerNotReady unless the ledger is exactly as new as the code."""
    applied = {name for app, name in MigrationRecorder(connection).applied_migrations() if app == "trading"}
    if newer := sorted(applied - MIGRATIONS):
        raise LedgerNotReady(f"The ledger is newer than this code ({newer[-1]}).", hint="Install the newer VELOX.")
    if MIGRATIONS - applied:
        raise not_ready()


@contextmanager
def _writers_lock(connection: BaseDatabaseWrapper, deadline: float) -> Iterator[None]:
    """Let SQLite's writers of all processes queue at a file beside the ledger.

    SQLite's own wait sleeps in growing steps and lets newcomers pass: eight processes then see waits of seconds.
    """
    if connection.vendor != "sqlite":
        yield
        return
    path = Path(str(connection.settings_dict["NAME"])).with_suffix(".lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _wait_for(descriptor, deadline)
        yield
    finally:
        os.close(descriptor)


def _allow_a_wait_until(deadline: float, connection: BaseDatabaseWrapper) -> None:
    """Tell the database how long it may wait for whoever writes without our lock (the admin's sessions, a tool)."""
    left = max(1, int((deadline - time.monotonic()) * 1000))
    word = "SET LOCAL lock_timeout" if connection.vendor == "postgresql" else "PRAGMA busy_timeout"
    if connection.vendor == "sqlite" or connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute(f"{word} = {left}")


def _wait_for(descriptor: int, deadline: float) -> None:
    pause, longest = _PAUSE_SECONDS
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
