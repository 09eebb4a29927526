"""The state of this machine's clock, against the server of the ledger and against the exchange times of live ticks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connections

from trading.health import faults
from trading.health.state import OFF, OK, FeedReport, State

LIVE_SECONDS = 3600.0  # ticks further off their own time are a replay's or a test's


def database_skew_seconds(now: datetime) -> float | None:
    """Return how far the server's clock is ahead of ``now``, less the way there; None where the ledger is a file."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return None
    connection.ensure_connection()
    with connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute("SELECT clock_timestamp()")
        (server,) = cursor.fetchone()
    half_way = (time.perf_counter() - started) / 2
    return float((server - now).total_seconds()) - half_way


def feed_skew_seconds(feeds: Mapping[str, FeedReport]) -> float | None:
    """Return how far the freshest live ticks' exchange times are ahead of their arrival; None without live ticks.

    Of several sources that one which agrees best with this machine: one delayed feed says nothing of the clock.
    """
    skews = [
        report["exchange_ahead_seconds"]
        for report in feeds.values()
        if report["age_seconds"] <= faults.QUIET_SECONDS and abs(report["exchange_ahead_seconds"]) <= LIVE_SECONDS
    ]
    return min(skews, key=abs, default=None)


def clock(of_database: float | None, feeds: Mapping[str, FeedReport]) -> State:
    """Return whether this machine's time agrees with the others'; off where there is none to ask.

    ``of_database`` is what `database_skew_seconds` says.
    """
    of_feed = feed_skew_seconds(feeds)
    details = []
    if of_database is not None:
        details.append(f"The database server's clock is {_apart(of_database)}.")
        if abs(of_database) > faults.CLOCK_SECONDS:
            return faults.CLOCK_DATABASE.state(details[0])
    if of_feed is not None:
        details.append(f"The newest ticks' exchange times are {_apart(of_feed)} of their arrival.")
        if of_feed > faults.FEED_AHEAD_SECONDS or of_feed < -faults.FEED_LATE_SECONDS:
            return faults.CLOCK_FEED.state(details[-1])
    return State(OK, "", " ".join(details)) if details else State(OFF, "", "No other clock is there to compare with.")


def _apart(seconds: float) -> str:
    return f"{abs(seconds):.1f} s {'ahead' if seconds >= 0 else 'behind'}"
