"""The numbers of `/metrics`, read by one thread at a time, so that a scrape never waits for a part that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from django.db import connections

from trading.metrics import desk, latencies, series, system
from trading.metrics.series import MetricReading

log = structlog.get_logger("system")

LIFETIME_SECONDS = 1.0  # those who scrape within it share one reading
PATIENCE_SECONDS = 1.0  # so long a scrape waits for a reading; then it takes the last one, which says how old it is

Readings = list[MetricReading]  # every series as it was at one moment

SOURCES = (system.parts, system.spool, system.machine, system.ledger, desk.journals, desk.desk, latencies.latencies)


def read(*, now: datetime) -> Readings:
    """Read every series. What cannot be read is left out and logged: the state of its part says why."""
    started, readings = time.perf_counter(), list[MetricReading]()
    for source in SOURCES:
        try:
            readings += source(now=now)
        except Exception as error:  # a disk or a database, each with errors of its own
            log.error("metrics cannot be read", error=str(error), exc_info=True)
    readings.append(MetricReading(series.SEEN, [((), now.timestamp())]))
    readings.append(MetricReading(series.READING, [((), time.perf_counter() - started)]))
    return readings


class RecentSnapshot:
    """The newest snapshot of this process. One thread reads, for all who ask meanwhile."""

    def __init__(self, read: Callable[..., Readings] = read, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._read, self._patience = read, patience_seconds
        self._changed = threading.Condition()
        self._newest: Readings | None = None
        self._read_at = -1.0
        self._is_reading = False

    def get(self) -> Readings | None:
        """Return a snapshot of the last second; after the patience the newest that there is, None before any."""
        with self._changed:
            if self._is_recent():
                return self._newest
            if not self._is_reading:
                self._is_reading = True
                threading.Thread(target=self._renew, name="metrics", daemon=True).start()
            self._changed.wait_for(lambda: not self._is_reading, timeout=self._patience)
            return self._newest

    def _is_recent(self) -> bool:
        return self._newest is not None and time.monotonic() - self._read_at < LIFETIME_SECONDS

    def _renew(self) -> None:
        newest, began = None, time.monotonic()
        try:
            newest = self._read(now=datetime.now(UTC))
        except Exception as error:
            log.error("metrics cannot be read", error=str(error), exc_info=True)
        finally:
            connections.close_all()  # of this thread, which ends
            with self._changed:
                self._is_reading = False
                if newest is not None:
                    self._newest, self._read_at = newest, began
                self._changed.notify_all()
