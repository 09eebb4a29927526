"""The review of a day's feeds once its session is over: the gaps of every symbol that ticked, traded or not, and its
trades once more, since ticks that came late count too. Only changed rows are written."""

from __future__ import annotations

from datetime import date, datetime
from time import monotonic
from typing import Protocol

from django.conf import settings

from timeseries import wiring
from trading.operations.measure_excursions import measure_excursions
from trading.queries.accounts import all_accounts
from trading.queries.excursion_report import SymbolReader
from trading.queries.excursions import TickReader, closed_within, ns
from trading.queries.sessions import calendar_of, last_completed_session
from trading.transactions import reading

SECONDS_MAX = 2.0  # of one pass: the companion's other jobs wait for it


class FeedReader(TickReader, SymbolReader, Protocol):
    """What the review asks of `timeseries.reader.Reader`."""


class FeedReview:
    """The review of the default exchange's newest completed session: once, a few symbols in a pass."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._waiting: list[tuple[str, str]] = []

    def run_once(self, now: datetime) -> int:
        """Review the next symbols of the session; return how many.

        Raises: StoreUnavailable, LedgerBusy, LedgerNotReady; the symbols not reviewed still wait.
        """
        reader: FeedReader = wiring.open_reader()
        with reading():
            day = last_completed_session(now).day
            start, stop = calendar_of(settings.VELOX_EXCHANGE).bounds(day)
            if day != self._day:
                self._waiting = [
                    (account.code, symbol)
                    for account in all_accounts()
                    for symbol in reader.symbols(ns(start), ns(stop), account=account.code)
                ]
                self._day = day
        began, reviewed = monotonic(), 0
        while self._waiting and (not reviewed or monotonic() - began < SECONDS_MAX):
            account, symbol = self._waiting[0]
            with reading():
                trades = list(closed_within(account, symbol, start, stop))
            measure_excursions(account, reader, trades=trades, days=[(symbol, day)], rebuild=True)
            self._waiting.pop(0)
            reviewed += 1
        return reviewed
