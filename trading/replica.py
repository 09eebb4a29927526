"""Reads from a replica of the ledger (DATABASE_REPLICA_URL), for whoever is told how old what is read may be.

While such a read goes on, this thread's connection to the ledger is the replica's: all of its queries see one server.
Health, limits, the proof and everything that writes do not come here. A replica that is gone, that lacks what must be
seen, or that answers with any error costs a second look, at the primary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import DatabaseError, InterfaceError

from trading.moment import one_moment

ALIAS = "replica"
AGAIN_SECONDS = 10.0  # after one that did not answer: not every page waits for it
Answer = TypeVar("Answer")

log = structlog.get_logger("system")

_gone_until = [float("-inf")]  # monotonic, of this process


class LedgerOrigin(NamedTuple):
    """Where something is read: so many seconds behind the primary; None: at the primary, and why ("": as ever)."""

    age_seconds: float | None = None
    reason: str = ""

    @property
    def text(self) -> str:
        """Return it in words, "" where there is nothing to say."""
        if self.age_seconds is None:
            return f"Read from the primary: {self.reason}." if self.reason else ""
        age = f"{self.age_seconds:,.0f} s behind the primary" if self.age_seconds >= 1 else "as new as the primary"
        return f"Read from the replica, {age}."


class _UnfitError(Exception):
    """Why the replica is not read now."""


def may_be_older(read: Callable[[LedgerOrigin], Answer], *, not_before: str = "") -> Answer:
    """Return what ``read`` returns, at the replica where one answers, all of one moment; it is given where it reads.

    ``not_before``: a place in the primary's log (`written_up_to`) that the replica must have come to.
    """
    if not is_set():
        with one_moment():
            return read(LedgerOrigin())
    try:
        origin = LedgerOrigin(_age_seconds(not_before))
        with _at_the_replica(), one_moment():
            return read(origin)
    except _UnfitError as unfit:
        reason = str(unfit)
    except Exception as error:  # whatever it is, the primary decides: it may only be too old to know
        log.warning("the replica did not answer", error=str(error))
        reason = "the replica did not answer"
    with one_moment():
        return read(LedgerOrigin(reason=reason))


def is_set() -> bool:
    """Tell whether there is a replica."""
    return ALIAS in settings.DATABASES


def written_up_to() -> str:
    """Return how far the primary's log is written: what was committed before lies within. Raises: DatabaseError."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        return str(cursor.fetchone()[0])


def _age_seconds(not_before: str) -> float:
    """Return how far the replica is behind. Raises: _UnfitError where it is not to be read."""
    if time.monotonic() < _gone_until[0]:
        raise _UnfitError("the replica does not answer")
    system = end = None  # without the primary a report may be read nevertheless: its age is by the standby's clock
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute("SELECT system_identifier::text, pg_current_wal_lsn()::text FROM pg_control_system()")
            system, end = cursor.fetchone()
    except (DatabaseError, InterfaceError):
        connections[DEFAULT_DB_ALIAS].close()
    try:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(
                "SELECT pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system()),"
                " pg_last_wal_replay_lsn() >= %s::pg_lsn, pg_last_wal_replay_lsn() >= %s::pg_lsn,"
                # Where nothing is written this grows although nothing is missing: the log says whether something is.
                " extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8",
                [end, not_before or "0/0"],
            )
            is_standby, its_system, is_level, has_own, seconds = cursor.fetchone()
    except (DatabaseError, InterfaceError) as error:
        connections[ALIAS].close()
        _gone_until[0] = time.monotonic() + AGAIN_SECONDS
        log.warning("the replica does not answer", error=str(error))
        raise _UnfitError("the replica does not answer") from error
    if not is_standby or (system and its_system != system):
        raise _UnfitError("DATABASE_REPLICA_URL is no standby of it")
    if not has_own:
        raise _UnfitError("the replica lacks what you have just written")
    if is_level:
        return 0.0
    if seconds is None:
        raise _UnfitError("the replica cannot say how old it is")
    return max(0.0, float(seconds))


@contextmanager
def _at_the_replica() -> Iterator[None]:
    """Let this thread's connection to the ledger be the replica's."""
    primary, replica = connections[DEFAULT_DB_ALIAS], connections[ALIAS]
    connections[DEFAULT_DB_ALIAS] = replica
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = primary
        if replica.errors_occurred:
            replica.close()
