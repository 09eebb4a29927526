"""The beat's scheduler: in memory, for a schedule that is the same at every start, and leaves word that it lives."""

from __future__ import annotations

from celery.beat import Scheduler
from django.conf import settings

from timeseries import presence


class MarkingScheduler(Scheduler):  # type: ignore[misc]  # (Celery has no types)
    """A scheduler that marks its presence in the data folder at every tick."""

    def tick(self) -> float:
        """Mark the beat as present, then do what is due; return the seconds until the next tick."""
        presence.mark(settings.DATA_DIR, "beat")
        return float(super().tick())
