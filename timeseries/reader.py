"""Readings: the store and the spool's unshipped tail as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from timeseries.measurements import Measurement
from timeseries.stores.base import Session, Store

if TYPE_CHECKING:
    from timeseries.spool import Spool


class Reader:
    """Answers with every accepted point of this host. Instants are ns UTC; bounds are half-open and may be any integer.

    Raises `StoreUnavailable` from every method when the store cannot answer now.
    """

    def __init__(self, spool: Spool, store: Store, *, zone: ZoneInfo) -> None:
        self.spool, self.store, self.zone = spool, store, zone

    def ticks(self, symbol: str, start: int, stop: int, *, source: str | None = None, account: str) -> pa.Table:
        """Return FACE §4's columns, ascending; times are ``timestamp('ns', 'UTC')``, prices float64 with nulls."""
        raise NotImplementedError

    def candles(
        self,
        symbol: str,
        *,
        every: int,
        start: int,
        stop: int,
        source: str | None = None,
        account: str,
        sessions: Sequence[Session],
    ) -> pa.Table:
        """Return candles labelled ``start <= time < stop``; ``every`` in ns, ``sessions`` one per calendar day."""
        raise NotImplementedError

    def history(self, measurement: Measurement, start: int, stop: int, **tags: str) -> pa.Table:
        """Return the points whose tags (account=, symbol=, strategy=, ...) equal these: times, tags, fields.

        The column `values` of INDICATORS becomes one float column per name that occurs.
        """
        raise NotImplementedError

    def latest_tick(self, symbol: str, account: str) -> dict[str, Any] | None:
        """Return the newest tick by exchange time: its source, times (ns) and fields (None where absent)."""
        raise NotImplementedError

    def latest_indicators(self, symbol: str, account: str, *, timeframe: str = "") -> dict[str, Any] | None:
        """Return the newest indicators by exchange time: source, times (ns), and `values`."""
        raise NotImplementedError
