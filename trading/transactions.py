"""Transactions of the ledger: the writers' lock, durable writes, reads, and the meaning of the database's errors."""

from __future__ import annotations

import os
import pkgutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from decimal import ROUND_HALF_EVEN, Context, localcontext
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import DatabaseError, InterfaceError, OperationalError, ProgrammingError

from timeseries.spool.backoff import pause_seconds
from timeseries.spool.locks import FileLock
from trading import migrations, timelines
from trading.confirmation import Confirmation
from trading.errors import LedgerBusy, LedgerNotReady, LedgerReadOnly

P = ParamSpec("P")
Answer = TypeVar("Answer")

PATIENCE_SECONDS = 2.0
NOTHING_WRITTEN = "Nothing was written"
SHARED_BYTES = 32 << 10  # of the file beside a ledger in SQLite by which its processes see each other
WRITERS_LOCK = 0x76656C6F79  # of PostgreSQL; any number, the same on every host
# What each transaction of PostgreSQL begins with: a look which server it is, and which file it writes (that tells its
# timeline); how long it may wait for locks; that its commit is on disk, and at the standby that must have it (other
# writes, such as a login's session, wait for none); the lock that lets writers pass each other, but not
# `writers_alone`; and where there is such a standby a word to it, so that also the commit of a call that comes again,
# and writes nothing, waits for what the first one wrote.
_BEGIN = """
    SELECT (SELECT system_identifier FROM pg_control_system()),
        CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END,
        set_config('lock_timeout', %s::text, true),
        CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
            THEN set_config('synchronous_commit', 'on', true) END,
        pg_advisory_xact_lock_shared(%s),
        CASE WHEN current_setting('synchronous_standby_names') <> '' THEN pg_logical_emit_message(true, 'velox', '') END
"""
# Shorter than the time between two operations of one writer: a longer sleep lets it pass all who wait, again and again.
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.0002, 0.001
# What a caller set on its thread (a precision of six, say) must not reach a figure.
_DECIMALS = Context(prec=28, rounding=ROUND_HALF_EVEN)
MIGRATIONS = frozenset(module.name for module in pkgutil.iter_modules(migrations.__path__))
LEDGER_APPS = ("trading", "lab")  # whose rows are in the ledger
_fitting: set[tuple[str, ...]] = set()


_aside: ContextVar[bool] = ContextVar("aside", default=False)


@contextmanager
def aside() -> Iterator[None]:
    """Let the operations within check their arguments, and then find the ledger busy."""
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


_proof: ContextVar[Callable[[], None]] = ContextVar("proof", default=lambda: None)


@contextmanager
def proving(proof: Callable[[], None]) -> Iterator[None]:
    """Let every transaction within begin with a proof that it may be written, after those around; what one raises
    undoes it."""
    around = _proof.get()

    def all_proofs() -> None:
        around()
        proof()

    token = _proof.set(all_proofs)
    try:
        yield
    finally:
        _proof.reset(token)


class _UndoneError(Exception):
    """Ends the transaction of `undone`; nobody else sees it."""


@contextmanager
def undone() -> Iterator[None]:
    """Let the operations within answer as they would, in one transaction that is taken back when this returns."""
    with suppress(_UndoneError), together():
        yield
        raise _UndoneError


@contextmanager
def writing() -> Iterator[None]:
    """Hold the writers' lock and one transaction that is on disk when this returns, or undone when it raises.

    Raises: LedgerBusy when it is not free within two seconds; LedgerNotReady where the tables are missing, or of
        another version than the code. In both cases nothing was written. LedgerUnconfirmed where PostgreSQL, or a
        standby that must have the commit, does not confirm it in time: it may be written.
    """
    if _aside.get():
        raise busy("earlier facts wait for it")
    if _together.get():
        _proof.get()()
        yield
        return
    connection = connections[DEFAULT_DB_ALIAS]
    deadline = time.monotonic() + PATIENCE_SECONDS
    with localcontext(_DECIMALS), _translated(), _writers_lock(connection, deadline):
        _be_ready(connection)  # not before: while this waited, the ledger may have been replaced
        if connection.vendor == "postgresql":
            with Confirmation(connection, deadline) as confirmation, transaction.atomic(durable=True):
                with connection.cursor() as cursor:
                    cursor.execute(_BEGIN, [_milliseconds_until(deadline), WRITERS_LOCK])
                    system, wal_file, *_ = cursor.fetchone()
                if wal_file:  # None of a standby, which refuses the first write itself
                    timelines.must_be_newest(str(system), timelines.of_wal_file(wal_file))
                _proof.get()()
                yield
                confirmation.commit_begins()
            return
        with connection.cursor() as cursor:  # how long it may wait for whoever writes without our lock, as a tool does
            cursor.execute(f"PRAGMA busy_timeout = {_milliseconds_until(deadline)}")
        with transaction.atomic(durable=True):
            _proof.get()()
            yield


@contextmanager
def writers_alone() -> Iterator[None]:
    """Keep every operation from writing meanwhile. Raises: LedgerBusy where one writes for longer than two seconds."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        with _writers_lock(connection, time.monotonic() + PATIENCE_SECONDS):
            yield
        return
    with _translated(), connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {int(PATIENCE_SECONDS * 1000)}")
        cursor.execute("SELECT pg_advisory_lock(%s)", [WRITERS_LOCK])
    try:
        yield
    finally:
        connection.close()  # which frees the lock, whatever became of the session


@contextmanager
def reading() -> Iterator[None]:
    """Let the queries within read the ledger. Raises: LedgerBusy; LedgerNotReady where the tables are missing or of
    another version than the code."""
    with localcontext(_DECIMALS), _translated():
        _be_ready(connections[DEFAULT_DB_ALIAS])
        yield


def ask(query: Callable[P, Answer], *arguments: P.args, **keywords: P.kwargs) -> Answer:
    """Return a query's answer from the ledger. Raises: LedgerNotReady, LedgerBusy, and what the query raises."""
    with reading():
        return query(*arguments, **keywords)


def _be_ready(connection: BaseDatabaseWrapper) -> None:
    """Bring the connection back after a fault. Raises: LedgerNotReady unless the ledger is exactly as new as the code,
    which is looked up once for each ledger."""
    if connection.errors_occurred and not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    name, file = str(connection.settings_dict["NAME"]), ""
    if connection.vendor == "sqlite":
        try:
            stat = os.stat(name)
        except FileNotFoundError:
            raise not_ready() from None
        file = f"{stat.st_dev} {stat.st_ino}"  # tells it from one that took its place, as a restored backup does
    ledger = (name, str(connection.settings_dict["HOST"]), str(connection.settings_dict["PORT"]), file)
    if ledger in _fitting:
        return
    applied = applied_migrations(connection)
    if newer := sorted(applied - known_migrations()):
        raise LedgerNotReady(f"The ledger is newer than this code ({newer[-1][1]}).", hint="Install the newer VELOX.")
    if known_migrations() - applied:
        raise not_ready()
    _fitting.add(ledger)


def applied_migrations(connection: BaseDatabaseWrapper) -> set[tuple[str, str]]:
    """Return the migrations, by application and name, that made the ledger's tables what they are."""
    return {(app, name) for app, name in MigrationRecorder(connection).applied_migrations() if app in LEDGER_APPS}


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Return the migrations, by application and name, that this code has for the ledger's tables."""
    folders = {app: Path(apps.get_app_config(app).path) / "migrations" for app in LEDGER_APPS}
    return frozenset((app, module.name) for app in folders for module in pkgutil.iter_modules([str(folders[app])]))


@contextmanager
def _writers_lock(connection: BaseDatabaseWrapper, deadline: float) -> Iterator[None]:
    """Let SQLite's writers of all processes queue at a file beside the ledger.

    SQLite's own wait sleeps in growing steps and lets newcomers pass: eight processes then see waits of seconds.
    """
    if connection.vendor != "sqlite":
        yield
        return
    path = Path(str(connection.settings_dict["NAME"])).with_suffix(".lock")
    if not path.parent.exists():
        raise not_ready()
    try:
        lock = FileLock(path)
    except OSError as error:
        raise read_only(error.strerror or "no reason was told") from error
    with lock:
        refusals = 0
        while not lock.take():
            if time.monotonic() >= deadline:
                raise busy()
            time.sleep(pause_seconds(refusals, first=PAUSE_SECONDS, longest=PAUSE_SECONDS_MAX))
            refusals += 1
        yield


def _milliseconds_until(deadline: float) -> int:
    return max(1, int((deadline - time.monotonic()) * 1000))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, ProgrammingError, InterfaceError) as error:
        raise meaning(error) from error


def meaning(error: DatabaseError | InterfaceError) -> Exception:
    """Return the error of `trading.errors` that a database's error means, or itself where it is a fault of ours."""
    text, state = _text_and_state(error)
    if "no such table" in text or "no such column" in text or state in {"42P01", "42703"}:
        return not_ready()
    if isinstance(error, ProgrammingError):
        return error
    if "readonly database" in text or state == "25006":
        return read_only("it is read-only here")
    if is_full(error):
        return read_only("its disk is full")
    if "unable to open" in text:
        return read_only("it has commits in its log that only a writer can bring in, or may not be read")
    return busy(str(error))


def is_full(error: DatabaseError | InterfaceError) -> bool:
    """Tell whether a database's error means that its disk has no room."""
    text, state = _text_and_state(error)
    if "disk i/o error" in text:  # of SQLite also where whoever opens the file first cannot make the one beside it
        with suppress(OSError):
            disk = os.statvfs(Path(str(connections[DEFAULT_DB_ALIAS].settings_dict["NAME"])).parent)
            return disk.f_bavail * disk.f_frsize < SHARED_BYTES
    return "disk is full" in text or state == "53100"


def _text_and_state(error: DatabaseError | InterfaceError) -> tuple[str, str]:
    """Return an error's text in small letters, and PostgreSQL's code of it, else ""."""
    return str(error).lower(), str(getattr(error.__cause__, "sqlstate", ""))


@contextmanager
def in_parts() -> Iterator[None]:
    """Within work of several transactions, let one that is refused say that those before it stand.

    Raises: what is raised within.
    """
    try:
        yield
    except LedgerBusy as error:
        hint = error.hint.replace(NOTHING_WRITTEN, "What was written before stays")
        raise type(error)(error.message, field=error.field, hint=hint, code=error.code) from error


def busy(reason: str = "another writer holds it") -> LedgerBusy:
    return LedgerBusy(f"The ledger could not be written ({reason}).", hint=f"{NOTHING_WRITTEN}: call again.")


def read_only(reason: str) -> LedgerReadOnly:
    look = "Look at the owner and mode of the data folder and at its disk: what is there can be read."
    hint = f"{NOTHING_WRITTEN}. {look}"
    return LedgerReadOnly(f"The ledger cannot be written here ({reason}).", hint=hint)


def not_ready() -> LedgerNotReady:
    return LedgerNotReady("The ledger's tables are missing or old.", hint="Run `manage.py migrate` first.")
