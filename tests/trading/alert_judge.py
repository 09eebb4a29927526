"""A process that watches the desk under the lease and sees one fault: killed by tests between raised and sent."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import django

if __name__ == "__main__":
    django.setup()
    from django.conf import settings

    from timeseries.spool import lease
    from trading.alerts import day_work, judge, watch
    from trading.alerts.watch import FOLDER, DeskWatch, hold
    from trading.health.report import NO_POINTS, HealthReport
    from trading.health.state import iso

    def health(now) -> HealthReport:  # type: ignore[no-untyped-def]
        part = {
            "status": "degraded",
            "since": iso(now),
            "latency_ms": 1.0,
            "code": "disk_low",
            "detail": "1 GB free.",
            "cure": "Make room.",
        }
        return {"status": "degraded", "checked_at": iso(now), "parts": {"disk": part}, "points": NO_POINTS, "feeds": {}}  # type: ignore[typeddict-item]

    watch.TURNS["companion"] = (600.0, 0.0)
    watch.JUDGED_EVERY_SECONDS, judge.HELD = 0.5, timedelta(seconds=0.5)
    day_work.work = lambda now: None  # on some days of the week a note would be a second alert
    folder = Path(settings.DATA_DIR) / FOLDER
    folder.mkdir(exist_ok=True)
    with lease.hold(folder, owner="companion") as held:
        hold(DeskWatch(health), held, threading.Event(), "companion")
