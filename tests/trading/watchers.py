"""Processes that watch the desk as companion, web and beat do, over faults that a file plants: for kills at random.

Each line of stdin is a role for which a process is forked, whose pid is answered. What takes a minute in earnest takes
seconds here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path

import django

PLANTED = "planted.json"

if __name__ == "__main__":
    django.setup()
    from django.conf import settings
    from django.db import connections

    from trading import summon
    from trading.alerts import day_work, judge, outbox, watch
    from trading.health.faults import BY_KEY
    from trading.health.report import NO_POINTS, HealthReport
    from trading.health.state import OK, PartReport, iso
    from trading.operations import deliver_alerts

    watch.JUDGED_EVERY_SECONDS, watch.FIRST_AFTER_SECONDS, watch.HELD_AGAIN_SECONDS = 0.3, 0.0, 0.2
    watch.SENT_EVERY_SECONDS = 0.2
    watch.TURNS.update({"web": (1.0, 0.5), "beat": (1.0, 0.5)})
    judge.HELD, judge.OVER, judge.OVER_FLAPPING = (timedelta(seconds=seconds) for seconds in (0.3, 1, 1))
    deliver_alerts.TAKEN_SECONDS, deliver_alerts.RETRY_SECONDS = 3.0, (0.2, 1.0)
    deliver_alerts.TRIES_MAX = 10**6  # a series of kills is no channel that is gone
    vars(outbox)["WITHIN"] = timedelta(seconds=1)  # twenty messages in ten minutes would be one kill a minute
    day_work.work = lambda now: None  # no note is due to any process but one

    def planted(now: datetime) -> HealthReport:
        keys = json.loads((Path(settings.DATA_DIR) / PLANTED).read_text())
        parts: dict[str, PartReport] = {
            fault.part: {
                "status": fault.status, "since": iso(now), "latency_ms": 1.0, "code": fault.code,
                "detail": "It was planted.", "cure": fault.cure,
            }
            for fault in (BY_KEY[key] for key in keys)
        }  # fmt: skip
        return {"status": OK, "checked_at": iso(now), "parts": parts, "points": NO_POINTS, "feeds": {}}

    vars(watch)["report"] = lambda *, now: planted(now)
    connections.close_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who is killed leaves no zombie
    for line in sys.stdin:
        if pid := os.fork():
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # senders are waited for
        is_companion = line.strip() == "companion"  # whose lock the others look at
        with summon.being_the_companion() if is_companion else nullcontext(), watch.watching(line.strip()):
            threading.Event().wait()
