"""The names that points may be recorded under: those whose exchange is known."""

from __future__ import annotations

import time
from typing import Any

from timeseries.values import parse_name
from trading.errors import InvalidValue, LedgerBusy, LedgerNotReady
from trading.hot.breaker import Breaker
from trading.ledger_thread import at_the_ledger
from trading.queries.instruments import split_symbol
from trading.transactions import ask

ASK_AGAIN_SECONDS = 60.0  # an exchange may become known while its ticks are refused already
LEDGER_AWAY_SECONDS = 30.0


class SymbolNames:
    """The parser of one recorder's symbols; the ledger is asked once for each prefix, never for a name without.

    A ledger that cannot answer keeps no point from being recorded, and is left alone for half a minute.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._refused: dict[str, tuple[float, InvalidValue]] = {}
        self._breaker = Breaker("the ledger", failures_max=1, away_seconds=LEDGER_AWAY_SECONDS)

    def __call__(self, symbol: Any) -> str:
        """Return the name. Raises: InvalidValue for what is no name, or begins with an exchange that nobody knows."""
        name = parse_name(symbol, "symbol")
        code, colon, rest = name.partition(":")
        if not colon or (code in self._known and rest):
            return name
        now = time.monotonic()
        at, error = self._refused.get(name, (0.0, None))
        if error is not None and now - at < ASK_AGAIN_SECONDS:
            raise error
        if self._breaker.is_open():
            return name
        try:
            at_the_ledger(ask, split_symbol, name)
        except (LedgerBusy, LedgerNotReady) as away:
            self._breaker.failed(away)
            return name
        except InvalidValue as unknown:
            self._refused[name] = (now, unknown)
            raise
        self._breaker.succeeded()
        self._known.add(code)
        return name
