"""PostgreSQL's confirmation of a commit: there in time, or said to be missing.

A commit waits at the server for the standby that must have it, for ever where that one is gone. Where the server itself
is gone at this last word, nobody can tell whether it was heard.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import InterfaceError, OperationalError

from trading.errors import LedgerUnconfirmed

if TYPE_CHECKING:  # a desk on SQLite loads no client of PostgreSQL
    import psycopg

SECONDS, SECONDS_MIN = 1.5, 0.5  # of waiting for it, where nobody else was waited for, and at least
BREAKING_OFF_SECONDS = 0.25  # what it takes to say that nobody waits any longer
STANDBY_WAIT = "SyncRepWaitForLSN"  # where in PostgreSQL the wait for a standby is given up, in every language


class Confirmation:
    """Watches over one transaction of PostgreSQL: around it, from `commit_begins` on.

    Raises: LedgerUnconfirmed instead of an answer that would not be sure.
    """

    def __init__(self, connection: BaseDatabaseWrapper, deadline: float) -> None:
        """``deadline``: until when the caller is patient (monotonic, seconds)."""
        self._connection, self._deadline = connection, deadline
        self._server: psycopg.Connection | None = None
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._is_broken_off = self._is_local = False

    def __enter__(self) -> Confirmation:
        return self

    def commit_begins(self) -> None:
        """Begin to wait: what the transaction does until it commits is done."""
        remaining = self._deadline - time.monotonic() - BREAKING_OFF_SECONDS
        patience = SECONDS if remaining < -SECONDS else min(SECONDS, max(SECONDS_MIN, remaining))
        self._server = self._connection.connection
        self._server.add_notice_handler(self._hear)
        self._timer = threading.Timer(patience, self._break_off, [self._server])
        self._timer.daemon = True
        self._timer.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        self._timer.cancel()
        with self._lock:
            self._answered.set()
        self._server.remove_notice_handler(self._hear)
        if self._is_broken_off:
            self._connection.close()  # the word to break off may be on its way: it must not meet the next transaction
        is_cut = isinstance(error, OperationalError | InterfaceError) and not getattr(error.__cause__, "sqlstate", None)
        if self._is_local or is_cut:
            reason = "no standby has it" if self._is_local else "the server gave no answer"
            raise LedgerUnconfirmed(
                f"The ledger's commit is not confirmed ({reason}).",
                hint="It may be written: the same call again adds nothing, and answers once it is confirmed.",
            ) from error

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.source_function == STANDBY_WAIT:
            self._is_local = True
            # What follows a commit tells heads outside the ledger: that of one that goes with an old primary would be a
            # lost head for every later proof. The next commit that is confirmed tells a later one.
            self._connection.run_on_commit.clear()

    def _break_off(self, server: psycopg.Connection) -> None:
        """Ask the server to wait no longer for its standby; leave a server that does not answer to that either."""
        with self._lock:
            if self._answered.is_set():
                return
            self._is_broken_off = True
        with suppress(Exception):  # whatever keeps the word from it, the line is cut next
            server.cancel_safe(timeout=BREAKING_OFF_SECONDS)
        if not self._answered.wait(BREAKING_OFF_SECONDS):
            with suppress(Exception), socket.socket(fileno=os.dup(server.fileno())) as line:  # it may be closed by now
                line.shutdown(socket.SHUT_RDWR)
