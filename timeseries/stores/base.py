"""The interface of a time-series store: every store answers the same questions with the same results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from timeseries.measurements import Measurement, PointBatch


@dataclass(frozen=True, slots=True)
class Session:
    """One day as candles see it, in ns UTC: the day's bounds, and the instant from which its candles are counted."""

    start: int
    stop: int
    anchor: int


@dataclass(frozen=True, slots=True)
class PointQuery:
    """Points of one measurement with ``start <= time < stop`` (ns UTC) whose tags equal ``tags`` (absent = any)."""

    measurement: Measurement
    start: int
    stop: int
    tags: dict[str, str] = field(default_factory=dict)  # account, source, symbol, strategy, timeframe


class Store(Protocol):
    """Raises `StoreUnavailable` from every method when the store cannot answer now."""

    name: str

    def write(self, batch: PointBatch) -> None:
        """Keep the points; durable on return. Writing the same sequences of a source and measurement again, or a point
        whose series and time are there already, changes nothing but the point's fields (the newest write wins)."""

    def read(self, query: PointQuery) -> pa.Table:
        """Return the points ascending by time: the tags in ``series_tags`` order, the three times, then the fields."""

    def candles(self, query: PointQuery, *, every: int, sessions: Sequence[Session]) -> pa.Table:
        """Return candles (FACE §4) of one series of ticks: ``every`` in ns, labelled by their start, empty ones absent.

        Day volume needs the ticks of the day before ``query.start``: the store reads from the session's start.
        """

    def first_source(self, query: PointQuery) -> str | None:
        """Return the source that holds the first point of the query, None where there is none."""

    def delete_account(self, account: str) -> None:
        """Remove every point of the account, in all measurements; repeating it changes nothing."""

    def care(self, *, now: int) -> None:
        """Do what keeps the store fast and small: compaction, vacuum, retention."""

    def ping(self) -> float:
        """Return the milliseconds of a small real read."""
