"""The watch over limits: a thread of the companion that measures every account's and shows them on its board.

It waits for none of the companion's jobs: what it shows counts for a second.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from threading import Event, Thread
from typing import NamedTuple

import structlog
from django.db import connections

from timeseries import wiring
from trading import limit_board
from trading.domain.limits import LimitKind, LimitState, Usage, unknown
from trading.errors import LedgerNotReady, VeloxError
from trading.hot import cache
from trading.intake import Intake
from trading.models import Account
from trading.newest import newest_points
from trading.operations.tell_crossed_limits import key_of, tell_crossed_limits
from trading.queries.accounts import all_accounts
from trading.queries.kept import LedgerMark, mark_of
from trading.queries.limits import measured_limits
from trading.queries.period import account_date
from trading.transactions import reading

EVERY_SECONDS = 0.25
AFTER_FAULT_SECONDS = 1.0
CONNECTION_SECONDS = 60.0

log = structlog.get_logger("risk")


class LimitFooting(NamedTuple):
    """What an account's limits were measured on: they are as they were while none of it moves."""

    ledger: LedgerMark
    day: date
    recorded: int


class LimitWatch:
    """Measuring the limits of all accounts, again and again."""

    def __init__(self, intake: Intake) -> None:
        self._spool, self._intake = wiring.open_spool(), intake
        self._boards: dict[str, tuple[LimitFooting, Sequence[LimitState], bytes]] = {}
        self._told: set[str] = set()  # keys of alerts that are there
        self._ended = Event()
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Measure in a thread of our own until `end`."""
        self._thread = Thread(target=self._run, name="limits", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread after the pass at hand."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def run_once(self) -> int:
        """Measure every account's limits and show them; return how many accounts there are.

        Raises: LedgerNotReady, LedgerBusy, OSError.
        """
        behind = {fact["account"] for fact in self._intake.waiting()}
        with reading():
            accounts = all_accounts()
            recorded = sum(lane.issued() for lane in self._spool.lanes())
            for account in accounts:
                self._show(account, recorded, is_behind=account.code in behind)
        for account in accounts:
            self._tell(account)
        return len(accounts)

    def _show(self, account: Account, recorded: int, *, is_behind: bool) -> None:
        """Measure one account's limits where something moved, and show them as of now."""
        as_of_ns = time.time_ns()  # before anything is read: what is shown is at least as new
        now = datetime.fromtimestamp(as_of_ns / 1e9, UTC)
        footing = LimitFooting(mark_of(account), account_date(account, now), recorded)
        board = self._boards.get(account.code)
        if board is None or not _is_still(board[0], board[1], footing):
            measured = measured_limits(account, newest_points(account.code).known_ticks, now=now)
            body = limit_board.body_of(measured.day, measured.states)
            board = (footing, measured.states, body)
            self._boards[account.code] = board
        # What waits in the intake is in no figure of the ledger yet.
        body = limit_board.body_of(footing.day, unknown(board[1])) if is_behind else board[2]
        limit_board.post(account.code, as_of_ns, body)

    def _tell(self, account: Account) -> None:
        """Raise the alerts of limits that were seen crossed, each once."""
        footing, states, _ = self._boards[account.code]
        crossed = [state for state in states if state.state == Usage.CROSSED]
        keys = {key_of(account, footing.day, state) for state in crossed}
        if not keys <= self._told:
            tell_crossed_limits(account, footing.day, crossed, now=datetime.now(UTC))
            self._told |= keys

    def _run(self) -> None:
        connected_at = time.monotonic()
        while not self._ended.is_set():
            pause = EVERY_SECONDS
            try:
                if time.monotonic() - connected_at > CONNECTION_SECONDS:
                    connections.close_all()
                    connected_at = time.monotonic()
                self.run_once()
            except LedgerNotReady:
                pause = AFTER_FAULT_SECONDS  # a desk that only records ticks has no ledger yet
            except Exception as error:
                pause = AFTER_FAULT_SECONDS
                log.error("limits were not measured", error=str(error), exc_info=not isinstance(error, VeloxError))
            self._ended.wait(pause)
        connections.close_all()


def _is_still(before: LimitFooting, states: Sequence[LimitState], now: LimitFooting) -> bool:
    """Tell whether limits stand as they did: points matter only to open P&L, and may come from another machine."""
    if (before.ledger, before.day) != (now.ledger, now.day):
        return False
    if not any(state.kind == LimitKind.DAILY_LOSS_OPEN for state in states):
        return True
    return before.recorded == now.recorded and not cache.is_shared()
