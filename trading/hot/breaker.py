"""Breaker that keeps callers away after several faults in a row, for a while; then one of them tries again."""

from __future__ import annotations

import threading
import time

import structlog

FAILURES_MAX = 3
AWAY_SECONDS = 5.0

log = structlog.get_logger("system")


class Breaker:
    """A breaker of one resource; open after ``failures_max`` faults in a row, for ``away_seconds``."""

    def __init__(
        self, what: str = "the cache", *, failures_max: int = FAILURES_MAX, away_seconds: float | None = None
    ) -> None:
        self._lock = threading.Lock()
        self.what, self.failures_max, self._away_seconds = what, failures_max, away_seconds
        self.failures, self._until = 0, 0.0

    @property
    def away_seconds(self) -> float:
        """The pause after a fault, in seconds."""
        return AWAY_SECONDS if self._away_seconds is None else self._away_seconds

    def is_open(self) -> bool:
        """Tell whether to keep away; after the pause one caller at a time is let through to try."""
        with self._lock:
            if self.failures < self.failures_max:
                return False
            if time.monotonic() < self._until:
                return True
            self._until = time.monotonic() + self.away_seconds
            return False

    def succeeded(self) -> None:
        """Close the breaker: the resource has answered."""
        self.failures = 0

    def failed(self, error: Exception) -> None:
        """Count a fault, and log the one that opens the breaker."""
        with self._lock:
            self.failures += 1
            self._until = time.monotonic() + self.away_seconds
        if self.failures == self.failures_max:
            log.error(f"{self.what} is left alone for now", error=str(error), retry_seconds=self.away_seconds)
