"""The limits that bear on a strategy, from memory: what the companion showed last, or what we read after our own call.

Neither counts once it is a second old: then nothing but the size of the limits is known.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NamedTuple

from timeseries.values import parse_name
from trading import limit_board, summon
from trading.domain.limits import LimitsNow, LimitState, Usage, overall, unknown
from trading.errors import LedgerBusy, LedgerNotReady
from trading.ledger_thread import at_the_ledger
from trading.limit_board import Shown
from trading.queries.accounts import get_account
from trading.queries.limits import measured_limits
from trading.queries.valuation import LastTicks
from trading.transactions import ask

FRESH_NS = 1_000_000_000
SUMMON_EVERY_NS = 5_000_000_000


class _Seen(NamedTuple):
    """What is known of the account's limits, as of an instant (ns UTC)."""

    as_of_ns: int
    content: Shown


class LimitMemory:
    """How far an account's limits are used, as one process knows it."""

    def __init__(self, account: str, last_ticks: LastTicks) -> None:
        self.account, self._last_ticks = account, last_ticks
        self._path = str(limit_board.board_path(account))
        self._body = b""
        self._board_shown: Shown | None = None
        self._board: _Seen | None = None
        self._own: _Seen | None = None
        self._read_for_ns = 0
        self._answers: dict[str, LimitsNow] = {}
        self._answered: tuple[_Seen, bool] | None = None
        self._summoned_ns = 0

    def of(self, strategy_id: str, *, since_ns: int | None) -> LimitsNow:
        """Return the limits of a strategy and of its account, never as of before ``since_ns``, our last write; None:
        one of ours is not in the ledger yet, so that nothing is known.

        Raises: InvalidValue for what is no name, UnknownAccount.
        """
        seen = self._newest()
        if since_ns is None:
            return self._answer(parse_name(strategy_id, "strategy_id"), seen, is_fresh=False)
        if since_ns and (seen is None or seen.as_of_ns < since_ns) and self._read_for_ns != since_ns:
            seen = self._read(since_ns) or seen
        now_ns = time.time_ns()
        is_fresh = seen is not None and since_ns <= seen.as_of_ns <= now_ns <= seen.as_of_ns + FRESH_NS
        if not is_fresh and now_ns - self._summoned_ns > SUMMON_EVERY_NS:
            self._summoned_ns = now_ns
            summon.summon()
        if seen is None:
            return self._answer(parse_name(strategy_id, "strategy_id"), None, is_fresh=False)
        if (seen, is_fresh) != self._answered:
            self._answers, self._answered = {}, (seen, is_fresh)
        answer = self._answers.get(strategy_id) if isinstance(strategy_id, str) else None
        if answer is None:
            answer = self._answer(parse_name(strategy_id, "strategy_id"), seen, is_fresh=is_fresh)
            self._answers[strategy_id] = answer
        return answer

    def _newest(self) -> _Seen | None:
        """Return the newer of what the board shows and what we read ourselves."""
        content = limit_board.read(self._path)
        if content is not None:
            as_of_ns, body = content
            if body != self._body:
                self._body, self._board_shown = body, limit_board.shown(body)
            if self._board_shown is None:
                self._board = None
            elif self._board is None or self._board.as_of_ns != as_of_ns:
                self._board = _Seen(as_of_ns, self._board_shown)
        board, own = self._board, self._own
        return own if board is None or (own is not None and own.as_of_ns > board.as_of_ns) else board

    def _read(self, since_ns: int) -> _Seen | None:
        """Return what the ledger tells now, with our call of ``since_ns`` in it; None where it cannot answer."""
        as_of_ns = time.time_ns()
        now = datetime.fromtimestamp(as_of_ns / 1e9, UTC)
        try:
            measured = at_the_ledger(ask, lambda: measured_limits(get_account(self.account), self._last_ticks, now=now))
        except (LedgerBusy, LedgerNotReady):
            return None
        # Asked once for each call of ours: what came since is the companion's to tell.
        self._read_for_ns = since_ns
        self._own = _Seen(as_of_ns, Shown(measured.day, tuple(measured.states)))
        return self._own

    def _answer(self, strategy_id: str, seen: _Seen | None, *, is_fresh: bool) -> LimitsNow:
        """Return the answer of what was seen, unknown where that is too old."""
        if seen is None:
            return LimitsNow(
                account=self.account, strategy_id=strategy_id, day=None, as_of=None, state=str(Usage.UNKNOWN), limits=()
            )
        states: tuple[LimitState, ...] = tuple(
            state for state in seen.content.states if state.strategy_id in (None, strategy_id)
        )
        states = states if is_fresh else unknown(states)
        return LimitsNow(
            account=self.account,
            strategy_id=strategy_id,
            day=seen.content.day,
            as_of=datetime.fromtimestamp(seen.as_of_ns / 1e9, UTC),
            state=str(overall(states) if is_fresh else Usage.UNKNOWN),
            limits=states,
        )
