"""The health report of the last second, for all of a web process who ask: a look at every part takes a while."""

from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime

from trading.health.report import HealthReport, report

LIFETIME_SECONDS = 1.0


class RecentReport:
    """The report of the last second. Of all who ask at once, one has every part looked at and the rest wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._report: HealthReport | None = None
        self._looked_at = -math.inf

    def get(self) -> HealthReport:
        """Return the newest report, which is at most a second old."""
        with self._lock:
            if self._report is None or time.monotonic() - self._looked_at >= LIFETIME_SECONDS:
                self._report = report(now=datetime.now(UTC))
                self._looked_at = time.monotonic()
            return self._report


recent = RecentReport()
