"""The ledger as one account's facade sees it: operations and queries with the account filled in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog

from trading.domain.values import Position, Signal, Trade
from trading.errors import LedgerBusy, LedgerNotReady
from trading.ledger_thread import at_the_ledger
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.operations.set_charges import set_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.writing import reading

P = ParamSpec("P")
Answer = TypeVar("Answer")

log = structlog.get_logger("risk")


class Ledger:
    """Every call waits for a durable commit, at most two seconds, then raises LedgerBusy with nothing written."""

    def __init__(self, account: str, *, raises: bool = False) -> None:
        """``raises``: let a stop raise where the ledger is at fault, as every other call does."""
        self.account, self.raises = account, raises
        self.faults: dict[str, int] = {}

    def open_position(self, *said: Any, **more: Any) -> Position:
        return at_the_ledger(open_position, self.account, *said, **more)

    def add_fill(self, *said: Any, **more: Any) -> Position:
        return at_the_ledger(add_fill, self.account, *said, **more)

    def close_position(self, *said: Any, **more: Any) -> Trade:
        return at_the_ledger(close_position, self.account, *said, **more)

    def set_charges(self, *said: Any, **more: Any) -> Trade:
        return at_the_ledger(set_charges, self.account, *said, **more)

    def record_signal(self, *said: Any, **more: Any) -> Signal:
        return at_the_ledger(record_signal, self.account, *said, **more)

    def update_trailing_sl(self, trade_id: str, *said: Any, at: Any) -> bool:
        """Return False, counted, where the ledger is at fault: a stop must not stop a strategy."""
        moment = datetime.now(UTC) if at is None else at
        try:
            return at_the_ledger(update_trailing_sl, self.account, trade_id, *said, at=moment)
        except (LedgerBusy, LedgerNotReady) as error:
            self.faults[error.code] = self.faults.get(error.code, 0) + 1
            log.error("a stop change was not recorded", trade_id=trade_id, error=str(error))
            if self.raises:
                raise
            return False

    def read(self, query: Callable[Concatenate[str, P], Answer], *arguments: P.args, **more: P.kwargs) -> Answer:
        """Return the query's answer for this account. Raises: LedgerNotReady, LedgerBusy, and what the query raises."""
        return at_the_ledger(lambda: ask(query, self.account, *arguments, **more))


def ask(query: Callable[P, Answer], *arguments: P.args, **more: P.kwargs) -> Answer:
    """Return what a query answers. Raises: LedgerNotReady, LedgerBusy, and what the query raises."""
    with reading():
        return query(*arguments, **more)
