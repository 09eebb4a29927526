"""The health report: the state of every part of VELOX in plain words, and its cure. Unused parts are `off`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple, TypedDict, TypeVar

import structlog
from django.conf import settings

from timeseries import wiring
from timeseries.shipping.balance import PointCounts
from trading import intake
from trading.health import alerts, clock, faults, hot_copy, ledger, messaging, on_duty, projecting, recording, site
from trading.health.backups import Backups
from trading.health.state import DEGRADED, DOWN, OFF, OK, FeedReport, PartReport, State, iso
from trading.queries.projection import Lag, projection_lags

# Milliseconds in which a part that is well has answered, on a busy machine too.
SLOW = {"ledger": 2000, "spool": 2000, "store": 5000, "hot": 250, "broker": 500}
NO_POINTS: PointCounts = {
    "accepted": 0,
    "stored": 0,
    "spooled": 0,
    "dead_lettered": 0,
    "expired": 0,
    "damaged": 0,
    "cleared": 0,
    "balance": 0,
    "oldest_seconds": None,
    "unsynced_seconds": 0.0,
}

# What only the host can tell that has the data folder.
OF_THE_RECORDER = ("spool", "shipper", "intake", "follower", "worker", "beat", "feed")
HELD = State(OFF, "", "Held by the recorder, which is another process.")
NOT_ASKED = State(OFF, "", "The ledger cannot be asked.")

Count = TypeVar("Count")

log = structlog.get_logger("system")

_since: dict[str, tuple[str, datetime]] = {}


class HealthReport(TypedDict):
    """The health report: the overall status, each part by name, counts of points, and the feeds by source."""

    status: str
    checked_at: str
    parts: dict[str, PartReport]
    points: PointCounts
    feeds: dict[str, FeedReport]


class HealthLook(NamedTuple):
    """The health report, and what its checks read on the way; None where it did not come to that.

    ``lags``: how far the points of each account that is behind are. ``database_ahead_seconds``: how far the clock of
    the ledger's server is ahead of this machine's; None also where the ledger is a file. ``facts_waiting``: those in
    the intake.
    """

    report: HealthReport
    backups: Backups | None
    lags: list[Lag] | None = None
    database_ahead_seconds: float | None = None
    facts_waiting: int | None = None


def may_pass(health: HealthReport, now: datetime) -> bool:
    """Tell whether a part has a fault that is younger than it is held before an alert."""
    return any(
        now - datetime.fromisoformat(row["since"]) < timedelta(seconds=faults.BY_KEY[key].hold_seconds)
        for name, row in health["parts"].items()
        if (key := f"{name}/{row['code']}") in faults.BY_KEY
    )


def report(*, now: datetime) -> HealthReport:
    """Return the state of each part of VELOX. It reads, and never raises for a fault that it meets.

    `{"status": "ok|degraded|down", "checked_at", "parts": {NAME: {"status": "ok|degraded|down|off", "since",
    "latency_ms", "code", "detail", "cure"}}, "points": {"accepted", "stored", "spooled", "dead_lettered", "expired",
    "damaged", "cleared", "balance", "oldest_seconds", ...}, "feeds": {SOURCE: {"last_at", "age_seconds", ...}}}`.
    """
    return look(now=now).report


def look(*, now: datetime) -> HealthLook:
    """Look at each part once; see `report`."""
    started = time.perf_counter()  # what is compared with other clocks is the time of then
    points, feeds = (
        _counted(lambda: wiring.count_points(now_ns=int(now.timestamp() * 10**9))),
        _counted(lambda: recording.feeds(now)),
    )
    compared: Backups | None = None
    lags: list[Lag] | None = None
    ahead_seconds: float | None = None
    facts_waiting: int | None = None
    is_writable = True

    def check_ledger() -> State:
        nonlocal compared, is_writable
        state, compared = ledger.ledger(now)
        is_writable = state.code not in (faults.LEDGER_BUSY.code, faults.LEDGER_READ_ONLY.code)
        return state

    def check_intake() -> State:
        nonlocal facts_waiting
        facts = intake.of_this_folder().facts()
        facts_waiting = sum(fact.state == intake.WAITING for fact in facts)
        return projecting.intake(facts, now)

    def check_follower() -> State:
        nonlocal lags
        lags = projection_lags()
        return projecting.follower(lags, now)

    def check_clock() -> State:
        nonlocal ahead_seconds
        at = now + timedelta(seconds=time.perf_counter() - started)
        ahead_seconds = clock.database_skew_seconds(at) if compared else None
        return clock.clock(ahead_seconds, feeds or {})

    checks: dict[str, Callable[[], State]] = {
        "ledger": check_ledger,
        "spool": lambda: recording.spool(points, now),
        "store": lambda: recording.store(now),
        "shipper": lambda: recording.shipper(points),
        "intake": check_intake,
        "follower": lambda: check_follower() if compared else NOT_ASKED,
        "hot": lambda: hot_copy.hot(now),
        "broker": messaging.broker,
        "worker": messaging.worker,
        "beat": messaging.beat,
        "feed": lambda: recording.feed(feeds, now),
        "clock": check_clock,
        "site": lambda: site.site(now),
        "disk": recording.disk,
        "logs": recording.logs,
        "alerts": lambda: alerts.alerts(now),
        # A ledger that cannot be written takes no holder's beat either: that is one fault, and not two.
        "duties": lambda: on_duty.duties() if compared and is_writable else NOT_ASKED,
    }
    if settings.VELOX_RECORDER_ELSEWHERE:
        checks |= dict.fromkeys(OF_THE_RECORDER, lambda: HELD)
    parts = {name: _checked(name, check, now) for name, check in checks.items()}
    statuses = {row["status"] for row in parts.values()}
    is_down = any(parts[name]["status"] == DOWN for name in faults.ESSENTIAL)
    health: HealthReport = {
        "status": DOWN if is_down else DEGRADED if statuses & {DEGRADED, DOWN} else OK,
        "checked_at": iso(now),
        "parts": parts,
        "points": points or NO_POINTS,
        "feeds": feeds or {},
    }
    return HealthLook(health, compared, lags, ahead_seconds, facts_waiting)


def _counted(count: Callable[[], Count]) -> Count | None:
    try:
        return count()
    except Exception as error:
        log.error("the spool cannot be counted", error=str(error), exc_info=True)
        return None


def _checked(name: str, check: Callable[[], State], now: datetime) -> PartReport:
    """Return a part's report: its state, or that its check failed or was slow."""
    started = time.perf_counter()
    try:
        state = check()
    except Exception as error:
        state = faults.UNCHECKED[name].state(f"{type(error).__name__}: {error}")
    check_ms = (time.perf_counter() - started) * 1000
    latency = round(check_ms if state.latency_ms is None else state.latency_ms, 3) if state.status != OFF else None
    if state.status == OK and latency is not None and name in SLOW and latency > SLOW[name]:
        slow = faults.BY_KEY[f"{name}/slow"]
        state = slow.state(f"{state.detail} To ask it took {latency:.0f} ms, over {SLOW[name]}.")
    before = _since.get(name)
    if before is None or before[0] != state.status:
        _since[name] = (state.status, now)
    return {
        "status": state.status,
        "since": iso(_since[name][1]),
        "latency_ms": latency,
        "code": state.code,
        "detail": state.detail,
        "cure": state.cure,
    }
