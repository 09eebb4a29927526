"""What is told by the clock and the ledger and no look at health shows: notes of the day, and limits that are crossed.

Whoever watches the desk does it, so that a killed companion takes no note with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime
from functools import partial

import structlog
from django.db import connections

from trading import summon
from trading.errors import LedgerNotReady, VeloxError
from trading.health.report import look
from trading.newest import newest_points
from trading.notes.sending import raise_due_notes
from trading.operations.tell_crossed_limits import tell_crossed_limits
from trading.queries.accounts import all_accounts
from trading.queries.limits import measured_limits
from trading.transactions import reading

EVERY_SECONDS = 20.0

log = structlog.get_logger("system")


class DayWork:
    """The work of one process, in a thread of its own: a part that hangs delays no message."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._due_at = 0.0

    def look(self, now: datetime, *, clock_seconds: float) -> None:
        """Begin the work if it is time; return at once. ``clock_seconds`` is of a monotonic clock."""
        if clock_seconds < self._due_at or (self._thread is not None and self._thread.is_alive()):
            return
        self._due_at = clock_seconds + EVERY_SECONDS
        # In the context of whoever asks: what is written in the thread is written under that one's duty.
        run = copy_context().run
        self._thread = threading.Thread(target=run, args=(work, now), name="velox-day", daemon=True)
        self._thread.start()


def work(now: datetime) -> None:
    """Raise the notes that are due, and tell of crossed limits where no companion does, four times a second."""
    try:
        _attempt("the notes of the day", partial(raise_due_notes, lambda at: look(now=at), now=now))
        if summon.companion_pid() is None:
            _attempt("the measuring of limits", partial(tell_limits, now))
    finally:
        connections.close_all()  # this thread's own


def tell_limits(now: datetime) -> int:
    """Measure the limits of every account and raise an alert for each that is crossed; return how many.

    Raises: LedgerNotReady, LedgerBusy, LedgerReadOnly.
    """
    with reading():
        measured = [
            (account, measured_limits(account, newest_points(account.code).known_ticks, now=now))
            for account in all_accounts()
        ]
    return sum(tell_crossed_limits(account, limits.day, limits.states, now=now) for account, limits in measured)


def _attempt(name: str, job: Callable[[], int]) -> None:
    try:
        job()
    except LedgerNotReady:
        return  # a desk that only records ticks has no ledger yet
    except Exception as error:
        log.error(f"{name} failed", error=str(error), exc_info=not isinstance(error, VeloxError))
