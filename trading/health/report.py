"""How every part of VELOX is, in plain words, and what cures it (FACE §6). Parts that are not used answer `off`."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import OperationalError

from timeseries import wiring
from timeseries.errors import StoreUnavailable
from timeseries.measurements import TICKS
from timeseries.stores.base import damage_error
from trading import summon
from trading.health import messaging
from trading.health.backups import Backups, backups
from trading.hot import cache, comparisons
from trading.models import JournalHead
from trading.queries.sessions import calendar_of

OK, DEGRADED, DOWN, OFF = "ok", "degraded", "down", "off"
ESSENTIAL = ("ledger", "spool")
FREE_BYTES_LOW, FREE_BYTES_OUT = 1 << 30, 64 << 20
OLD_SECONDS = 60.0
QUIET_SECONDS = 60.0
REFUSED_SECONDS = (60.0, 3600.0)  # so long after a refusal the spool is down, and so long degraded
UNSYNCED_SECONDS, UNSYNCED_WINDOWS = 2.0, 10  # the later of both: a companion may be starting, a disk be slow once
# Milliseconds in which a part that is well has answered, on a busy machine too; and where to look when it has not.
SLOW = {
    "ledger": (2000, "Look at the disk and at who writes: a caller's patience ends at two seconds."),
    "spool": (2000, "Look at the disk: it is busy or failing."),
    "store": (5000, "Look at the disk, or at the server of INFLUXDB_V2_URL."),
    "hot": (250, "Look at the load of Redis and of this machine; pages and strategies do without it meanwhile."),
    "broker": (500, "Look at the broker's load and at the network; the companion ships by itself."),
}
MIGRATE = "Run `manage.py migrate`."
NO_POINTS: dict[str, Any] = {
    **dict.fromkeys(("accepted", "stored", "spooled", "dead_lettered", "expired", "damaged", "cleared", "balance"), 0),
    "oldest_seconds": None,
    "unsynced_seconds": 0.0,
}

log = structlog.get_logger("system")

_since: dict[str, tuple[str, datetime]] = {}


@dataclass(frozen=True, slots=True)
class State:
    status: str
    code: str = ""
    detail: str = ""
    cure: str = ""
    latency_ms: float | None = None  # of the part alone, where the check takes more time than that


def report(*, now: datetime) -> dict[str, Any]:
    """Return how each part of VELOX is. It reads, and never raises for what it finds.

    `{"status": "ok|degraded|down", "checked_at", "parts": {NAME: {"status": "ok|degraded|down|off", "since",
    "latency_ms", "code", "detail", "cure"}}, "points": {"accepted", "stored", "spooled", "dead_lettered", "expired",
    "damaged", "cleared", "balance", "oldest_seconds", ...}, "feeds": {SYMBOL: {"last_at", "age_seconds"}}}`.
    """
    points, feeds = _found(_points), _found(lambda: _feeds(now))
    checks: dict[str, Callable[[], State]] = {
        "ledger": lambda: _ledger(now),
        "spool": lambda: _spool(points, now),
        "store": _store,
        "shipper": lambda: _shipper(points),
        "hot": lambda: _hot(now),
        "broker": _messaging(messaging.broker, "The companion ships by itself."),
        "worker": _messaging(messaging.worker, "No work is handed to a worker."),
        "beat": _messaging(messaging.beat, "No work is scheduled by a broker."),
        "feed": lambda: _feed(feeds, now),
        "disk": _disk,
        "logs": _logs,
    }
    parts = {name: _checked(name, check, now) for name, check in checks.items()}
    return {
        "status": _overall(parts),
        "checked_at": _iso(now),
        "parts": parts,
        "points": points or NO_POINTS,
        "feeds": feeds or {},
    }


def _found(count: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return count()
    except Exception as error:
        log.error("the spool cannot be counted", error=str(error), exc_info=True)
        return None


def _checked(name: str, check: Callable[[], State], now: datetime) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        state = check()
    except Exception as error:
        state = State(DOWN if name in ESSENTIAL else DEGRADED, "check_failed", f"{type(error).__name__}: {error}")
    latency = _latency(state, (time.perf_counter() - started) * 1000)
    if state.status == OK and latency is not None and name in SLOW and latency > SLOW[name][0]:
        limit, cure = SLOW[name]
        state = State(DEGRADED, "slow", f"{state.detail} To ask it took {latency:.0f} ms, over {limit}.", cure)
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


def _latency(state: State, check_ms: float) -> float | None:
    if state.status == OFF:
        return None
    return round(check_ms if state.latency_ms is None else state.latency_ms, 3)


def _overall(parts: dict[str, dict[str, Any]]) -> str:
    if any(parts[name]["status"] == DOWN for name in ESSENTIAL):
        return DOWN
    return DEGRADED if any(part["status"] in (DEGRADED, DOWN) for part in parts.values()) else OK


def _ledger(now: datetime) -> State:
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite" and not Path(str(connection.settings_dict["NAME"])).exists():
        return State(DOWN, "ledger_not_ready", "There is no ledger yet.", MIGRATE)
    applied = set(MigrationRecorder(connection).applied_migrations())
    if _migrations() - applied:
        return State(DOWN, "ledger_not_ready", "The ledger's tables are older than the code.", MIGRATE)
    if newer := applied - _migrations():
        detail = f"The ledger is newer than the code ({max(newer)[1]})."
        return State(DOWN, "ledger_not_ready", detail, "Install the newer VELOX.")
    rows = sum(JournalHead.objects.values_list("sequence", flat=True))
    try:
        _begin_to_write(connection)
    except OperationalError as error:
        if "locked" in str(error):
            return State(DEGRADED, "ledger_busy", "Another writer holds the ledger for long.", "Look who writes to it.")
        return State(DOWN, "ledger_read_only", f"The ledger cannot be written: {error}.", "Check owner, mode and disk.")
    return _backed_up(f"{rows} operations in the journal.", backups(now=now), now)


@functools.cache
def _migrations() -> frozenset[tuple[str, str]]:
    """Return app and name of every migration of the code that runs here, which no process sees change."""
    return frozenset(MigrationLoader(None).disk_migrations)


def _backed_up(journal: str, kept: Backups, now: datetime) -> State:
    """Return how the ledger is by its backups: facts that wait for one too long would be lost with this disk."""
    last = "No backup was made yet"
    if kept.newest_at is not None:
        last = f"The last backup is {max(0.0, (now - kept.newest_at).total_seconds()) / 3600:.1f} h old"
    if kept.waiting_since is None or not kept.is_late(now):
        return State(OK, "", f"{journal} {last}.")
    waits = (now - kept.waiting_since).total_seconds() / 3600
    code = "no_backup" if kept.newest_at is None else "backup_old"
    cure = "Run `manage.py backup`, every day after the session, and copy the file to another machine."
    return State(DEGRADED, code, f"{journal} {last}, and facts wait for one since {waits:.0f} h.", cure)


def _begin_to_write(connection: BaseDatabaseWrapper) -> None:
    """Raise OperationalError where nothing can be written now; writes nothing."""
    if connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            if not os.access(str(connection.settings_dict["NAME"]), os.W_OK):
                raise OperationalError("it is read-only here")  # SQLite itself begins to read there
            cursor.execute("PRAGMA busy_timeout = 500")
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")
        else:
            cursor.execute("SHOW transaction_read_only")
            if cursor.fetchone() != ("off",):
                raise OperationalError("the server takes no writes")


def _points() -> dict[str, Any]:
    return {**wiring.count_points()}


def _spool(points: dict[str, Any] | None, now: datetime) -> State:
    if points is None:
        return State(DOWN, "spool_failed", "The spool cannot be counted.", "Look at the disk and at the log.")
    folder = Path(settings.SPOOL_DIR)
    if folder.is_dir():
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            return State(DOWN, "spool_failed", f"The spool cannot be written: {error}.", "Look at the disk.")
    for state in (_refused(now), _unsynced(points["unsynced_seconds"]), _filling()):
        if state is not None:
            return state
    if points["balance"]:
        return State(
            DEGRADED,
            "balance",
            f"{points['balance']} accepted points are neither stored nor waiting.",
            "`manage.py spool` names the source; look for segments that were removed by hand.",
        )
    return State(OK, "", f"{points['accepted']} points accepted, {points['spooled']} waiting.")


def _refused(now: datetime) -> State | None:
    """Return how it is when records were refused lately: nothing of them was kept, so somebody should know."""
    lanes = wiring.open_spool().lanes()
    counts, removed = [lane.refused() for lane in lanes], sum(lane.removed() for lane in lanes)
    full, failed = sum(count[0] for count in counts), sum(count[1] for count in counts)
    age = now.timestamp() - max((count[2] for count in counts), default=0) / 10**9
    if not full + failed + removed or age > REFUSED_SECONDS[1]:
        return None
    status = DOWN if age < REFUSED_SECONDS[0] else DEGRADED
    if removed and not full + failed:
        detail = (
            f"The spool was emptied or replaced under its recorder {age:.0f} s ago: {removed} records are not kept."
        )
        return State(
            status, "spool_removed", detail, "Look who emptied the data folder; recording goes on in a new one."
        )
    code = "spool_full" if full else "spool_failed"
    cure = "Make room on the disk; recording goes on by itself." if full else "Look at the disk."
    return State(status, code, f"{full + failed} records were refused, the last {age:.0f} s ago.", cure)


def _unsynced(age_seconds: float) -> State | None:
    window = settings.VELOX_SPOOL_SYNC_MS / 1000
    lanes = [f"{lane.measurement.name} of {lane.source}" for lane in wiring.open_spool().lanes() if lane.doubt()]
    if lanes:
        detail = f"The disk could not sync {', '.join(lanes)}: the newest records are not safe from a power loss yet."
        return State(DEGRADED, "sync_failed", detail, "Look at the disk; what it lost is written again by itself.")
    if age_seconds > max(UNSYNCED_SECONDS, UNSYNCED_WINDOWS * window):
        detail = f"A power loss would cost the last {age_seconds:.1f} s of records; the window is {window:g} s."
        cure = "Look at the disk and at `shipper`: the companion keeps a process that syncs."
        return State(DEGRADED, "unsynced", detail, cure)
    return None


def _filling() -> State | None:
    """Return how it is long before anything is refused."""
    space = wiring.spool_space()
    if space is None or not space.is_low:
        return None
    holds = f"it holds {space.used / 1e6:,.0f} of {space.limit / 1e6:,.0f} MB"
    detail = f"The spool has {space.left / 1e6:,.0f} MB left: {holds}."
    cure = "Make room on the disk, ship what waits, or keep shipped segments for fewer days."
    return State(DEGRADED, "spool_low", detail, cure)


def _store() -> State:
    try:
        store = wiring.open_store()
        latency = store.ping()
        damages, lost = store.damages(), store.lost()
    except StoreUnavailable as error:
        return State(DEGRADED, error.code, error.message, error.hint)
    if damages:
        damage = damage_error(damages)
        return State(DEGRADED, damage.code, damage.message, damage.hint)
    detail = f"{store.label}: a read takes {latency:.0f} ms."
    if lost:
        detail += f" {lost:,} rows were lost with damaged files that were given up."
    if store.name == "influx" and not store.keeps_minutes():
        detail += " One-minute candles are not kept: `manage.py setup_influx` makes their bucket."
    return State(OK, "", detail, latency_ms=latency)


def _shipper(points: dict[str, Any] | None) -> State:
    pid, waiting = summon.companion_pid(), points or {}
    is_old = (waiting.get("oldest_seconds") or 0) > OLD_SECONDS
    if pid is None and is_old:
        detail = f"{waiting['spooled']} points wait and nobody ships them."
        return State(DEGRADED, "nobody_ships", detail, "Run `manage.py ship`.")
    if is_old:
        detail = f"The oldest of {waiting['spooled']} waiting points is {waiting['oldest_seconds']:.0f} s old."
        return State(DEGRADED, "behind", detail, "The companion goes on trying; its log says why it waits.")
    if pid is None:
        return State(OK, "", "Nothing waits; the companion comes with the next recorder.")
    return State(OK, "", f"The companion works (process {pid})." if pid else "The companion is starting.")


def _hot(now: datetime) -> State:
    if not cache.is_shared():
        return State(OFF, "", "No CACHE_URL is set: each process keeps its own newest values.")
    try:
        latency = cache.ping()
    except Exception as error:
        return State(
            DEGRADED, "cache_unreachable", f"Redis does not answer: {error}.", "Start Redis or mend CACHE_URL."
        )
    detail, known = f"Redis answers in {latency:.1f} ms.", comparisons.last().values()
    if not known:
        return State(OK, "", f"{detail} It was not compared with the ledger yet.", latency_ms=latency)
    oldest = min(datetime.fromisoformat(one.at) for one in known)
    detail = f"{detail} Compared with the ledger {max(0.0, (now - oldest).total_seconds()):.0f} s ago"
    if wrong := sum(one.wrong for one in known):
        cure = "Nothing is to be mended; look who else writes into the Redis of CACHE_URL."
        return State(DEGRADED, "mended", f"{detail}: {wrong} entries were wrong and are mended.", cure)
    mended = sum(one.mended for one in known)
    last = f"; {mended} wrong entries were mended before" if mended else ""
    return State(OK, "", f"{detail}: nothing was wrong{last}.", latency_ms=latency)


def _messaging(look: Callable[[], messaging.Word], unused: str) -> Callable[[], State]:
    return lambda: State(*look()) if settings.CELERY_BROKER_URL else State(OFF, "", unused)


def _feeds(now: datetime) -> dict[str, Any]:
    """Return each source of ticks that is being recorded, with the time of its last tick."""
    spool = wiring.open_spool()
    feeds: dict[str, Any] = {}
    for lane in spool.lanes():
        if lane.measurement != TICKS or spool.holder(lane.source) is None:
            continue
        newest = lane.pending(after=lane.issued() - 1, limit=1).batch.received_time
        if len(newest):
            at = datetime.fromtimestamp(int(newest[-1]) / 10**9, UTC)
            feeds[lane.source] = {"last_at": _iso(at), "age_seconds": max(0.0, (now - at).total_seconds())}
    return feeds


def _unread() -> str:
    """Name the keys of feeds that may mean a time or a price and are not read, with how many ticks had them."""
    lanes = [lane for lane in wiring.open_spool().lanes() if lane.measurement == TICKS]
    keys = [(lane.source, key, count) for lane in lanes for key, count in lane.unread_keys().items()]
    return " Not read: " + ", ".join(f"{key} of {source} ({n:,})" for source, key, n in keys) + "." if keys else ""


def _feed(feeds: dict[str, Any] | None, now: datetime) -> State:
    unread = _unread()
    if not feeds:
        return State(OFF, "", f"Nobody records ticks now.{unread}")
    quiet = [source for source, feed in feeds.items() if feed["age_seconds"] > QUIET_SECONDS]
    if quiet and calendar_of(settings.VELOX_EXCHANGE).session_at(now) is not None:
        detail = f"No tick for a minute: {', '.join(quiet)}.{unread}"
        return State(DEGRADED, "quiet", detail, "Look at the broker's connection.")
    return State(OK, "", f"{len(feeds)} recording.{unread}")


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
    if folder.exists():
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            return State(DEGRADED, "logs_read_only", f"{folder} cannot be written: {error}.", "Check the folder.")
    return State(OK, "", f"Logs go to {folder.name}/.")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
