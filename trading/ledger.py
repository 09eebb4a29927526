"""The ledger as one account's facade sees it: operations and queries with the account filled in."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog

from timeseries import wiring
from timeseries.values import Instant, Number
from trading import book, summon
from trading.account_operations import AccountOperations
from trading.bookkeeping.slips import Newest, beside
from trading.domain.values import Pending, Position, StrategyCounters, TrailingStop
from trading.errors import LedgerBusy, LedgerNotReady, LedgerUnconfirmed
from trading.intake import Intake
from trading.ledger_thread import at_the_ledger
from trading.models import Account
from trading.moment import one_moment
from trading.operations.apply_split import apply_split
from trading.operations.record_signal import record_signal
from trading.queries.accounts import get_account
from trading.queries.valuation import LastTicks
from trading.transactions import ask

P = ParamSpec("P")
Answer = TypeVar("Answer")

log = structlog.get_logger("risk")


class Ledger(AccountOperations):
    """One account's operations and queries; an operation waits at most two seconds for its durable commit.

    Then it raises LedgerBusy, with nothing written; LedgerUnconfirmed where it may be written.
    """

    def __init__(
        self, account: str, *, raises: bool = False, intake: Intake | None = None, newest: Newest | None = None
    ) -> None:
        """``raises``: let a stop raise where the ledger is at fault, as every other call does.

        ``intake``: keep there what the ledger cannot take, and answer with a `Pending`. ``newest``: what prices are
        compared with, to flag a slip. ``written_ns`` is when our last operation ended (ns UTC), 0 before any.
        """
        self.account, self.raises, self.intake, self.newest = account, raises, intake, newest
        self.faults: dict[str, int] = {}
        self.written_ns = 0
        self._is_kept = False  # a fact of ours waits in the intake

    def update_trailing_sl(
        self,
        trade_id: str,
        strategy_id: str | None,
        symbol: str,
        stop_price: Number,
        extreme_price: Number,
        method: str,
        *,
        at: Instant | None,
    ) -> bool:
        """Move a trade's stop; answer False, counted, where the ledger is at fault: that must not stop a strategy."""
        moment = datetime.now(UTC) if at is None else at
        try:
            return super().update_trailing_sl(
                trade_id, strategy_id, symbol, stop_price, extreme_price, method, at=moment
            )
        except (LedgerBusy, LedgerNotReady, LedgerUnconfirmed) as error:
            self.faults[error.code] = self.faults.get(error.code, 0) + 1
            log.error("a stop change was not recorded", trade_id=trade_id, error=str(error))
            if self.raises:
                raise
            return False

    def carry_out(
        self, operation: Callable[Concatenate[str, P], Answer], *arguments: P.args, **keywords: P.kwargs
    ) -> Answer:
        """Return the operation's answer for this account, or a `Pending` where the intake kept it."""
        intake = self.intake
        # Most operations are about one trade: what is logged on the way says which.
        about = {} if operation in (record_signal, apply_split) else {"trade_id": arguments[0]}
        with structlog.contextvars.bound_contextvars(**about), beside(self.newest):
            if intake is None:
                answer = _observed("ledger_write", operation, self.account, *arguments, **keywords)
            else:
                answer = _observed("ledger_write", lambda: intake.take(operation, self.account, *arguments, **keywords))
                if isinstance(answer, Pending):
                    self._is_kept = True
                    summon.summon()
        self.written_ns = time.time_ns()
        return answer

    def settled_ns(self) -> int | None:
        """Return when our last operation ended (ns UTC, 0 before any); None while the intake keeps one of them."""
        if self._is_kept and self.intake is not None:
            if self.intake.waiting():
                return None
            self._is_kept, self.written_ns = False, time.time_ns()
        return self.written_ns

    # What is true now, from the hot state or the ledger (`book`); never a copy from before our own last write.

    def open_positions(self, last_ticks: LastTicks) -> list[Position]:
        """Return one position per open trade, the oldest first."""
        return _observed("ledger_read", book.open_positions, self.account, last_ticks, since_ns=self.written_ns)

    def position_of(self, strategy_id: str, symbol: str, last_ticks: LastTicks) -> Position:
        """Return the sum of a strategy's open trades in a symbol."""
        since = self.written_ns
        return _observed("ledger_read", book.position_of, self.account, strategy_id, symbol, last_ticks, since_ns=since)

    def trailing_stops(self, strategy_id: str | None) -> list[TrailingStop]:
        """Return the last step of each open trade's trailing stop; of one strategy, or of all (None)."""
        now, since = datetime.now(UTC), self.written_ns
        return _observed(
            "ledger_read", book.trailing_stops, self.account, strategy_id=strategy_id, now=now, since_ns=since
        )

    def counters(self) -> list[StrategyCounters]:
        """Return what each strategy did today, by its id."""
        return _observed("ledger_read", book.counters, self.account, now=datetime.now(UTC), since_ns=self.written_ns)

    def counters_of(self, strategy_id: str) -> StrategyCounters:
        """Return what a strategy did today."""
        now, since = datetime.now(UTC), self.written_ns
        return _observed("ledger_read", book.counters_of, self.account, strategy_id, now=now, since_ns=since)

    def day_figures(self) -> dict[str, Any]:
        """Return today's figures so far."""
        return _observed("ledger_read", book.day_figures, self.account, now=datetime.now(UTC), since_ns=self.written_ns)

    def read(
        self, query: Callable[Concatenate[Account, P], Answer], *arguments: P.args, **keywords: P.kwargs
    ) -> Answer:
        """Return a query's answer for this account, of one moment of the ledger.

        Raises: UnknownAccount, LedgerNotReady, LedgerBusy, and what the query raises.
        """

        @one_moment()
        def answer() -> Answer:
            return query(get_account(self.account), *arguments, **keywords)

        return _observed("ledger_read", ask, answer)


def _observed(kind: str, call: Callable[P, Answer], /, *arguments: P.args, **keywords: P.kwargs) -> Answer:
    """Return the answer of a call at the ledger, and count how long its caller waited for it, or for its error."""
    started = time.perf_counter()
    try:
        return at_the_ledger(call, *arguments, **keywords)
    finally:
        wiring.observe(kind, time.perf_counter() - started)
