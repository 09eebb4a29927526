"""`velox_site.serve` whose watch over the desk looks every half second and waits for nothing: what takes a minute in
earnest takes seconds. Its companion is as ever."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "velox_site.settings"
    import django

    django.setup()

    from timeseries import presence
    from trading.alerts import day_work, judge, watch
    from velox_site import serve

    watch.JUDGED_EVERY_SECONDS, watch.FIRST_AFTER_SECONDS, watch.HELD_AGAIN_SECONDS = 0.5, 0.2, 0.2
    watch.TURNS["web"] = (1.0, 2.0)
    watch.LAST_MESSAGES_SECONDS = 1.0
    day_work.EVERY_SECONDS = 0.5
    judge.HELD, judge.OVER = timedelta(seconds=0.5), timedelta(seconds=2)
    presence.ABSENT_SECONDS = 2.0
    sys.exit(serve.main([]))
