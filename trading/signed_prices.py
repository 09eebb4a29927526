"""Symbols whose prices may be 0 and below: futures and spreads, as the ledger's instruments tell."""

from __future__ import annotations

import time

from trading.errors import InvalidValue, LedgerBusy, LedgerNotReady
from trading.hot.breaker import Breaker
from trading.ledger_thread import at_the_ledger
from trading.queries.instruments import may_be_negative
from trading.transactions import ask

# An instrument may get its kind while its ticks are refused already.
ASK_AGAIN_SECONDS = 60.0
LEDGER_AWAY_SECONDS = 30.0


class SignedPrices:
    """A test of symbols: may their prices be 0 and below? The ledger is asked once for each symbol that may.

    The recorder asks only where such a price comes, so no other tick ever meets the ledger. A ledger that cannot answer
    means no, and is left alone for half a minute.
    """

    def __init__(self) -> None:
        self._signed: set[str] = set()
        self._asked_at: dict[str, float] = {}
        self._breaker = Breaker("the ledger", failures_max=1, away_seconds=LEDGER_AWAY_SECONDS)

    def __call__(self, symbol: str) -> bool:
        if symbol in self._signed:
            return True
        now = time.monotonic()
        if now - self._asked_at.get(symbol, -ASK_AGAIN_SECONDS) < ASK_AGAIN_SECONDS or self._breaker.is_open():
            return False
        try:
            signed = at_the_ledger(ask, may_be_negative, symbol)
        except InvalidValue:  # a name that no instrument can have
            signed = False
        except (LedgerBusy, LedgerNotReady) as error:
            self._breaker.failed(error)
            return False
        self._breaker.succeeded()
        self._asked_at[symbol] = now
        if signed:
            self._signed.add(symbol)
        return signed
