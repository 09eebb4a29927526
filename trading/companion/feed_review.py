"""The review of a day's feeds once its session is over: the gaps of every symbol that ticked, traded or not, and its
trades once more, since ticks that came late count too. What is as it was is not written again."""

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

SECONDS_MAX = 2.0  # of one pass: the companion's other parts wait for it


class FeedReader(TickReader, SymbolReader, Protocol):
    """`timeseries.reader.Reader`."""


class FeedReview:
    """Looks at the newest completed session of the default exchange, a few symbols in a pass, once."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._waiting: list[tuple[str, str]] = []

    def run_once(self, now: datetime) -> int:
        """Review what waits; return how many symbols were looked at.

        Raises: StoreUnavailable, LedgerBusy, LedgerNotReady; what waits is then still there.
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
