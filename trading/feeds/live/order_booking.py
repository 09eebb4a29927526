"""Booking of order updates beside the feed: kept on disk at once, booked by a thread, the real trades after them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeGuard

import structlog
from django.db import connections

from timeseries.spool.backoff import pause_seconds
from trading.domain.chain import JSON
from trading.domain.strategy_rules import StrategyRule
from trading.errors import CurrencyMismatch, InvalidValue, StoreUnavailable, VeloxError
from trading.feeds.live.order_log import OrderLog
from trading.feeds.live.order_updates import TickOf, statement_of_updates
from trading.feeds.live.trades_of_day import has_objects
from trading.operations.import_files import BrokerUpload, ImportOptions, import_files
from trading.operations.import_fills import import_fills

AUTHOR = "feed"
_LONGEST_PAUSE_SECONDS = 30.0
_log = structlog.get_logger("trade")
REFUSALS = (InvalidValue, CurrencyMismatch)
FetchTrades = Callable[[], bytes]


@dataclass(slots=True)
class OrderBooking:
    """The fills of one account's orders. ``fetch_trades`` asks the broker for the day's real trades, where it can."""

    account: str
    rules: Sequence[StrategyRule]
    tick_of: TickOf
    log: OrderLog | None = None
    fetch_trades: FetchTrades | None = None
    booked: int = 0
    refused: int = 0
    waiting: list[Mapping[str, JSON]] = field(default_factory=list)
    are_trades_due: bool = False
    _due: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, update: Mapping[str, JSON]) -> None:
        """Take an order update: it is on disk on return, unless the disk refuses it, and booked soon after."""
        if self.log is not None:
            try:
                self.log.append(update, datetime.now(UTC))
            except OSError as error:
                _log.error("an order update is in memory alone", error=str(error))
        self.waiting.append(update)
        self.are_trades_due = True
        self._due.set()

    def ask_for_trades(self) -> None:
        """Have the real trades asked for, as after each connection."""
        self.are_trades_due = True
        self._due.set()

    def begin(self) -> None:
        """Take the updates of the last days again, which a kill may have left unbooked. Raises OSError."""
        if self.log is not None:
            self.waiting += self.log.recent()
            self.ask_for_trades()

    async def run(self, stop: asyncio.Event) -> None:
        """Book what comes until ``stop`` is set, and what is left then; a busy ledger is tried again.

        One thread books, beside the feed, with a connection to the ledger that ends with it.
        """
        loop, failures = asyncio.get_running_loop(), 0
        with ThreadPoolExecutor(1, "orders") as thread:
            while not stop.is_set():
                waiter, ended = asyncio.create_task(self._due.wait()), asyncio.create_task(stop.wait())
                await asyncio.wait({waiter, ended}, return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
                ended.cancel()
                self._due.clear()
                failures = 0 if await loop.run_in_executor(thread, self.settle) else failures + 1
                if failures:
                    pause = pause_seconds(failures - 1, first=1.0, longest=_LONGEST_PAUSE_SECONDS)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await stop.wait()
                    self._due.set()
            await loop.run_in_executor(thread, self.settle)
            await loop.run_in_executor(thread, connections.close_all)

    def settle(self) -> bool:
        """Book all that waits, and the real trades where they are due; return whether nothing is left to be done.

        Whatever goes wrong keeps no quote from being recorded: it is told, and tried again.
        """
        try:
            is_booked = self._book()
            return self._take_trades() and is_booked
        except Exception as error:
            _log.error("fills cannot be booked", error=repr(error), exc_info=True)
            return False

    def settle_or_fail(self) -> None:
        """Book all that waits. Raises: StoreUnavailable where the ledger cannot take it now."""
        if not self.settle():
            raise StoreUnavailable("The fills of the order updates could not be booked.", hint="Run it again.")

    def _book(self) -> bool:
        """Book the updates that wait, all together; one by one where they cannot be booked as a whole.

        One at which something goes wrong that nobody thought of waits on, and holds up no other.
        """
        updates, left = list(self.waiting), list[Mapping[str, JSON]]()
        fault = self._fault_of(updates) if updates else None
        if fault is None:
            del self.waiting[: len(updates)]
            return True
        if _is_of_the_ledger(fault):
            return self._wait_for(fault)
        for number, update in enumerate(updates):
            if len(updates) > 1:  # else it was tried by itself
                fault = self._fault_of([update])
            if _is_of_the_ledger(fault):
                self.waiting[:number] = left
                return self._wait_for(fault)
            if isinstance(fault, REFUSALS):
                self.refused += 1
                _log.error("an order update is refused", error=str(fault), order_id=update.get("order_id"))
            elif fault is not None:
                left.append(update)
                _log.error("an order update cannot be booked", error=repr(fault), exc_info=fault)
        self.waiting[: len(updates)] = left
        return not left

    def _fault_of(self, updates: Sequence[Mapping[str, JSON]]) -> Exception | None:
        """Book updates as a whole; return why that cannot be, else None."""
        try:
            self._book_updates(updates)
        except Exception as error:
            return error
        return None

    def _wait_for(self, fault: Exception) -> bool:
        """Tell that the updates wait, and return that they are not booked."""
        _log.warning("order updates wait", count=len(self.waiting), error=str(fault))
        return False

    def _book_updates(self, updates: Sequence[Mapping[str, JSON]]) -> None:
        statement = statement_of_updates(updates, self.tick_of)
        outcome = import_fills(self.account, statement, rules=self.rules, by=AUTHOR)
        self.booked += outcome.fills
        remarks = [*statement.rejected, *outcome.refused]
        self.refused += len(remarks)
        for text in (*(f"{each.reason}: {each.text}" for each in remarks), *outcome.findings):
            _log.warning("an order update is to be looked at", text=text)

    def _take_trades(self) -> bool:
        if self.fetch_trades is None or not self.are_trades_due:
            return True
        self.are_trades_due = False
        try:
            content = self.fetch_trades()
            if not has_objects(content):
                return True
            upload = BrokerUpload("trades of the day", lambda: content)
            (report,) = import_files(self.account, [upload], ImportOptions(rules=self.rules, by=AUTHOR))
        except StoreUnavailable as error:
            _log.warning("the real trades are not there", error=str(error))
            self.are_trades_due = True
            return False
        except VeloxError as error:
            _log.warning("the real trades wait", error=str(error))
            self.are_trades_due = True
            return False
        self.booked += report.fills
        if report.refusal is not None:
            _log.warning("the broker's trades are not taken", error=str(report.refusal))
        return True


def _is_of_the_ledger(fault: Exception | None) -> TypeGuard[VeloxError]:
    """Tell whether the ledger takes nothing now, whatever the update."""
    return isinstance(fault, VeloxError) and not isinstance(fault, REFUSALS)
