"""The beat's scheduler: in memory, for a schedule that is the same at every start, and leaves word that it lives."""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler
from django.conf import settings

from timeseries import presence


class MarkingScheduler(Scheduler):  # type: ignore[misc]  # (Celery has no types)
    def tick(self, *arguments: Any, **more: Any) -> Any:
        presence.mark(settings.DATA_DIR, "beat")
        return super().tick(*arguments, **more)
