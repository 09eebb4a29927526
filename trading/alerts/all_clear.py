"""The dead-man's switch: while the desk is judged and well, an address hears so every minute; its silence alarms."""

from __future__ import annotations

import structlog
from django.conf import settings

from timeseries import presence
from trading.alerts.messenger import Messenger
from trading.health import alerts

EVERY_SECONDS = 60.0

log = structlog.get_logger("system")


class AllClear:
    """The all-clear of one process, pushed to VELOX_DEADMAN_URL."""

    def __init__(self) -> None:
        self._messenger: Messenger | None = None
        self._due_at = 0.0

    def look(self, *, is_well: bool, clock_seconds: float) -> None:
        """Push an all-clear if one is due and the desk is well; it waits for nobody. Raises: OSError."""
        if self._messenger is not None:
            outcome = self._messenger.poll(clock_seconds=clock_seconds)
            if outcome is None:
                return
            self._messenger = None
            if not outcome.is_sent:
                log.warning("the all-clear was not taken", error=str(outcome))
                presence.mark(settings.DATA_DIR, alerts.ALL_CLEAR_REFUSED)
        if settings.VELOX_DEADMAN_URL and is_well and clock_seconds >= self._due_at:
            self._due_at = clock_seconds + EVERY_SECONDS
            self._messenger = Messenger({"ping": settings.VELOX_DEADMAN_URL}, clock_seconds=clock_seconds)

    def end(self) -> None:
        """Kill what is on its way."""
        if self._messenger is not None:
            self._messenger.end()
            self._messenger = None
