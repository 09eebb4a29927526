"""Reads of several statements that all see the ledger as it stands at one moment, whoever writes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

_READS_ALONE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"  # of PostgreSQL


@contextmanager
def one_moment() -> Iterator[None]:
    """Let all queries within see the ledger at one moment, without holding a writer up; nothing is written within.

    A report takes several statements: what is committed between two of them would be in one figure and not in the next.
    Within a transaction that moment is the transaction's.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with _as_a_reader(connection), transaction.atomic():
            yield
    else:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_READS_ALONE)
            yield


@contextmanager
def _as_a_reader(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let the transactions of SQLite within begin without the lock of a writer, for which they would wait."""
    connection.ensure_connection()  # which sets how they begin
    settings = vars(connection)
    mode, settings["transaction_mode"] = settings["transaction_mode"], "DEFERRED"
    try:
        yield
    finally:
        settings["transaction_mode"] = mode
