"""The companion's passes over the archive, in a thread of their own: shipping does not wait for an object store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from timeseries.errors import VeloxError
from timeseries.stores.delta.archive import ArchivedDay

EVERY_SECONDS = 600.0

log = structlog.get_logger("system")


class Archiver:
    """What begins a pass over the archive when one is due and none runs; None in its place: there is no archive."""

    def __init__(
        self, run: Callable[[], Sequence[ArchivedDay]] | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.run, self.clock = run, clock
        self.thread: threading.Thread | None = None
        self._due_at = 0.0

    def start_if_due(self) -> None:
        """Begin a pass where it is time for one and none runs."""
        if self.run is None or self.clock() < self._due_at or (self.thread is not None and self.thread.is_alive()):
            return
        self._due_at = self.clock() + EVERY_SECONDS
        self.thread = threading.Thread(target=self.run_once, name="archiving", daemon=True)
        self.thread.start()

    def run_once(self) -> None:
        """Make one pass; a fault is logged and leaves the rest for a later one."""
        try:
            if self.run is not None:
                self.run()
        except Exception as error:
            log.error("days are not archived now", error=str(error), exc_info=not isinstance(error, VeloxError))
