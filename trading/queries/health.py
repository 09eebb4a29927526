"""How every part of VELOX is, in plain words, and what cures it (FACE §6). Parts that are not used answer `off`."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from timeseries import pump
from timeseries.measurements import TICKS
from timeseries.recorder import PROJECTING_SOURCE
from trading import hot, summon
from trading.models import JournalHead
from trading.queries.sessions import continuous_session, trading_day_of

OK, DEGRADED, DOWN, OFF = "ok", "degraded", "down", "off"
ESSENTIAL = ("ledger", "spool")
FREE_BYTES_LOW, FREE_BYTES_OUT = 1 << 30, 64 << 20
OLD_SECONDS = 60.0
QUIET_SECONDS = 60.0

_since: dict[str, tuple[str, datetime]] = {}


@dataclass(frozen=True, slots=True)
class State:
    status: str
    code: str = ""
    detail: str = ""
    cure: str = ""


def report(*, now: datetime) -> dict[str, Any]:
    """Return the object `health` of FACE §6. It reads, and never raises for what it finds."""
    points, feeds = _points(), _feeds(now)
    checks: dict[str, Callable[[], State]] = {
        "ledger": _ledger,
        "spool": lambda: _spool(points),
        "store": _store,
        "shipper": lambda: _shipper(points),
        "hot": _hot,
        "broker": _unused("No broker is set: the companion ships by itself."),
        "worker": _unused("No broker is set."),
        "beat": _unused("No broker is set."),
        "feed": lambda: _feed(feeds, now),
        "disk": _disk,
        "logs": _logs,
    }
    parts = {name: _checked(name, check, now) for name, check in checks.items()}
    return {"status": _overall(parts), "checked_at": _iso(now), "parts": parts, "points": points, "feeds": feeds}


def _checked(name: str, check: Callable[[], State], now: datetime) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        state = check()
    except Exception as error:
        state = State(DOWN if name in ESSENTIAL else DEGRADED, "check_failed", f"{type(error).__name__}: {error}")
    latency = None if state.status == OFF else round((time.perf_counter() - started) * 1000, 3)
    known = _since.get(name)
    if known is None or known[0] != state.status:
        _since[name] = (state.status, now)
    return {
        "status": state.status,
        "since": _iso(_since[name][1]),
        "latency_ms": latency,
        "code": state.code,
        "detail": state.detail,
        "cure": state.cure,
    }


def _overall(parts: dict[str, dict[str, Any]]) -> str:
    if any(parts[name]["status"] == DOWN for name in ESSENTIAL):
        return DOWN
    return DEGRADED if any(part["status"] in (DEGRADED, DOWN) for part in parts.values()) else OK


def _ledger() -> State:
    connection = connections[DEFAULT_DB_ALIAS]
    migrate = "Run `manage.py migrate`."
    if connection.vendor == "sqlite":
        ledger = Path(str(connection.settings_dict["NAME"]))
        if not ledger.exists():
            return State(DOWN, "ledger_not_ready", "There is no ledger yet.", migrate)
        if not os.access(ledger, os.W_OK) or not os.access(ledger.parent, os.W_OK):
            return State(DOWN, "ledger_read_only", f"{ledger} cannot be written.", "Check owner and mode of the file.")
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return State(DOWN, "ledger_not_ready", "The ledger's tables are older than the code.", migrate)
    rows = sum(JournalHead.objects.values_list("sequence", flat=True))
    return State(OK, "", f"{rows} operations in the journal.")


def _points() -> dict[str, Any]:
    return pump.open_pump().points()


def _spool(points: dict[str, Any]) -> State:
    if points["balance"]:
        return State(
            DEGRADED,
            "balance",
            f"{points['balance']} accepted points are neither stored nor waiting.",
            "`manage.py spool` names the source; look for segments that were removed by hand.",
        )
    folder = Path(settings.SPOOL_DIR)
    if folder.is_dir():
        with tempfile.TemporaryFile(dir=folder):
            pass
    return State(OK, "", f"{points['accepted']} points accepted, {points['spooled']} waiting.")


def _store() -> State:
    latency = pump.open_store().ping()
    return State(OK, "", f"Delta tables answer in {latency:.0f} ms.")


def _shipper(points: dict[str, Any]) -> State:
    pid = summon.companion_pid()
    if pid is not None:
        return State(OK, "", f"The companion works (process {pid}).")
    if points["spooled"] and (points["oldest_seconds"] or 0) > OLD_SECONDS:
        return State(
            DEGRADED, "nobody_ships", f"{points['spooled']} points wait and nobody ships them.", "Run `manage.py ship`."
        )
    return State(OK, "", "Nothing waits; the companion comes with the next recorder.")


def _hot() -> State:
    if not hot.is_shared():
        return State(OFF, "", "No CACHE_URL is set: each process keeps its own newest values.")
    try:
        latency = hot.ping()
    except Exception as error:
        return State(
            DEGRADED, "cache_unreachable", f"Redis does not answer: {error}.", "Start Redis or mend CACHE_URL."
        )
    return State(OK, "", f"Redis answers in {latency:.1f} ms.")


def _unused(detail: str) -> Callable[[], State]:
    return lambda: State(OFF, "", detail)


def _feeds(now: datetime) -> dict[str, Any]:
    """Return each source of ticks that is being recorded, with the time of its last tick."""
    spool, reader = pump.open_spool(), pump.open_reader()
    names = {lane.source for lane in spool.lanes() if lane.measurement == TICKS and lane.source != PROJECTING_SOURCE}
    feeds: dict[str, Any] = {}
    for source in sorted(name for name in names if spool.holder(name) is not None):
        newest = reader.latest_of_source(TICKS, source)
        if newest is not None:
            at = datetime.fromtimestamp(newest["received_time"] / 10**9, UTC)
            feeds[source] = {"last_at": _iso(at), "age_seconds": max(0.0, (now - at).total_seconds())}
    return feeds


def _feed(feeds: dict[str, Any], now: datetime) -> State:
    if not feeds:
        return State(OFF, "", "Nobody records ticks now.")
    quiet = [source for source, feed in feeds.items() if feed["age_seconds"] > QUIET_SECONDS]
    session = continuous_session(settings.VELOX_EXCHANGE, trading_day_of(now))
    if quiet and session is not None and session[0] <= now < session[1]:
        return State(
            DEGRADED, "quiet", f"No tick for a minute: {', '.join(quiet)}.", "Look at the broker's connection."
        )
    return State(OK, "", f"{len(feeds)} recording.")


def _disk() -> State:
    folder = Path(settings.DATA_DIR)
    usage = shutil.disk_usage(folder if folder.is_dir() else settings.BASE_DIR)
    detail = f"{usage.free / 1e9:.1f} GB free."
    if usage.free < FREE_BYTES_OUT:
        return State(DOWN, "disk_full", detail, "Make room now: ticks are refused, the ledger is next.")
    if usage.free < FREE_BYTES_LOW:
        return State(DEGRADED, "disk_low", detail, "Make room, or move VELOX_DATA_DIR to a larger disk.")
    return State(OK, "", detail)


def _logs() -> State:
    folder = Path(settings.LOG_DIR)
    if folder.is_dir() and not os.access(folder, os.W_OK):
        return State(DEGRADED, "logs_read_only", f"{folder} cannot be written.", "Check owner and mode of the folder.")
    return State(OK, "", f"Logs go to {folder.name}/.")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
