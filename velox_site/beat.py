"""The beat's scheduler: in memory, for a schedule that is the same at every start, and leaves word that it lives."""

from __future__ import annotations

from contextlib import ExitStack

from celery.beat import Scheduler
from django.conf import settings

from timeseries import presence
from trading.alerts.watch import watching


class MarkingScheduler(Scheduler):  # type: ignore[misc]  # (Celery has no types)
    """A scheduler that marks its presence in the data folder at every tick, and watches the desk where nobody does."""

    def setup_schedule(self) -> None:
        """Read the schedule, and begin to watch until this process ends."""
        super().setup_schedule()
        self._watch = ExitStack()
        self._watch.enter_context(watching("beat"))

    def close(self) -> None:
        """End the watch and the schedule."""
        self._watch.close()
        super().close()

    def tick(self) -> float:
        """Mark the beat as present, then do what is due; return the seconds until the next tick."""
        presence.mark(settings.DATA_DIR, "beat")
        return float(super().tick())
