"""The state of recording: spool, store, shipper and feeds, and the disk and logs below them."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from timeseries import presence, wiring
from timeseries.errors import StoreUnavailable
from timeseries.measurements import TICKS
from timeseries.shipping.balance import PointCounts
from timeseries.spool.aging import AHEAD_DAYS_MAX
from timeseries.stores.base import Store, damage_error
from trading import summon
from trading.domain import display
from trading.health import faults, topics
from trading.health.state import DEGRADED, OFF, OK, FeedReport, State, iso
from trading.queries.sessions import calendar_of

NEWEST_TICKS = 50  # of each source, looked at for their times


def spool(points: PointCounts | None, now: datetime) -> State:
    """Return whether records are taken and kept; ``points`` are the counts of this data folder, None without any."""
    if points is None:
        return faults.SPOOL_FAILED.state("The spool cannot be counted.")
    folder = Path(settings.SPOOL_DIR)
    if folder.is_dir():
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            return faults.SPOOL_FAILED.state(f"The spool cannot be written: {error}.")
    if (refused := _refused(now)) is not None:
        return refused
    if points["balance"]:
        return faults.BALANCE.state(
            f"{display.count(points['balance'])} accepted points are neither stored nor waiting."
        )
    for state in (_unreadable(points, now), _unsynced(points["unsynced_seconds"]), _filling()):
        if state is not None:
            return state
    return State(
        OK, "", f"{display.count(points['accepted'])} points accepted, {display.count(points['spooled'])} waiting."
    )


def _refused(now: datetime) -> State | None:
    """Return the state where records were refused lately: nothing of them was kept, so somebody should know."""
    lanes = wiring.open_spool().lanes()
    counts, removed = [lane.refused() for lane in lanes], sum(lane.removed() for lane in lanes)
    full, failed = sum(count[0] for count in counts), sum(count[1] for count in counts)
    # The counts are read after `now` was, while records are refused.
    age = max(0.0, now.timestamp() - max((count[2] for count in counts), default=0) / 10**9)
    if not full + failed + removed or age > faults.REFUSED_SECONDS[1]:
        return None
    status = "" if age < faults.REFUSED_SECONDS[0] else DEGRADED
    if removed and not full + failed:
        place = f"The spool was emptied or replaced under its recorder {age:.0f} s ago"
        return faults.SPOOL_REMOVED.state(f"{place}: {display.count(removed)} records are not kept.", status=status)
    fault = faults.SPOOL_FULL if full else faults.SPOOL_FAILED
    return fault.state(f"{display.count(full + failed)} records were refused, the last {age:.0f} s ago.", status=status)


def _unreadable(points: PointCounts, now: datetime) -> State | None:
    """Return the state where records that wait cannot be read, or some were passed over within the last hour."""
    outcomes = [lane.outcome() for lane in wiring.open_spool().lanes()]
    if waiting := points["damaged"] - sum(outcome.damaged for outcome in outcomes):
        return faults.SEGMENT_UNREADABLE.state(f"{display.count(waiting)} records that wait cannot be read.")
    age = now.timestamp() - max((outcome.damaged_ns for outcome in outcomes), default=0) / 10**9
    if age > faults.REFUSED_SECONDS[1]:
        return None
    lost, kept = display.count(points["damaged"]), display.count(sum(outcome.quarantined for outcome in outcomes))
    return faults.SEGMENT_UNREADABLE.state(
        f"Records were unreadable {age:.0f} s ago: {lost} are lost, {kept} of another version are kept."
    )


def _unsynced(age_seconds: float) -> State | None:
    """Return the state where a power loss would cost more than the sync window."""
    window = settings.VELOX_SPOOL_SYNC_MS / 1000
    lanes = [f"{lane.measurement.name} of {lane.source}" for lane in wiring.open_spool().lanes() if lane.doubt()]
    if lanes:
        detail = f"The disk could not sync {', '.join(lanes)}: the newest records are not safe from a power loss yet."
        return faults.SYNC_FAILED.state(detail)
    if age_seconds > max(faults.UNSYNCED_SECONDS, faults.UNSYNCED_WINDOWS * window):
        detail = f"A power loss would cost the last {age_seconds:.1f} s of records; the window is {window:g} s."
        return faults.UNSYNCED.state(detail)
    return None


def _filling() -> State | None:
    """Return the state where room runs short, long before anything is refused."""
    space = wiring.spool_space()
    if space is None or not space.is_low:
        return None
    holds = f"it holds {space.used / 1e6:,.0f} of {space.limit / 1e6:,.0f} MB"
    return faults.SPOOL_LOW.state(f"The spool has {space.left / 1e6:,.0f} MB left: {holds}.")


def store(now: datetime) -> State:
    """Return whether the store answers, has lost nothing, and is archived where it shall be."""
    try:
        opened = wiring.open_store(ask_seconds=faults.ANSWER_SECONDS)
        latency = opened.ping()
        damages, lost = opened.damages(), opened.lost()
        is_without_minutes = opened.name == "influx" and not opened.keeps_minutes()
        behind = _unarchived(now) or _unremoved(opened, now)
    except StoreUnavailable as error:
        if (error.field or "").startswith("VELOX_ARCHIVE_"):
            return faults.ARCHIVE_REFUSED.state(str(error))
        return faults.BY_KEY[f"store/{error.code}"].state(str(error))
    if damages:
        return faults.STORE_DAMAGED.state(str(damage_error(damages)))
    if behind is not None:
        return behind
    detail = f"{opened.label}: a read takes {latency:.0f} ms."
    if lost:
        detail += f" {display.count(lost)} rows were lost with damaged files that were given up."
    if is_without_minutes:
        detail += " One-minute candles are not kept: `manage.py setup_influx` makes their bucket."
    return State(OK, "", detail, latency_ms=latency)


def _unarchived(now: datetime) -> State | None:
    """Return the state where passes over the archive are refused, or have failed for too long."""
    archive = wiring.open_archive()
    failing = None if archive is None else archive.failing()
    if failing is not None and failing.is_refused:
        return faults.ARCHIVE_REFUSED.state(f"No day is archived: {failing.error}")
    if failing is None or now.timestamp() - failing.since / 10**9 < faults.ARCHIVE_SECONDS:
        return None
    since = datetime.fromtimestamp(failing.since / 10**9, UTC)
    return faults.NOT_ARCHIVED.state(f"No day was archived since {iso(since)}: {failing.error}")


def _unremoved(opened: Store, now: datetime) -> State | None:
    """Return the state where the retention waits, because the clock is weeks ahead of all that is stored."""
    ahead = 0 if settings.VELOX_RETENTION_DAYS is None else opened.days_ahead(now=int(now.timestamp()) * 10**9)
    if ahead <= AHEAD_DAYS_MAX:
        return None
    return faults.RETENTION_WAITS.state(
        f"The clock says {now:%Y-%m-%d}, {ahead} days after the newest day of the store: what only the clock has older "
        "than VELOX_RETENTION_DAYS is not removed."
    )


def shipper(points: PointCounts | None) -> State:
    """Return whether a companion lives and works, and waiting points are shipped in time."""
    pid = summon.companion_pid()
    if (fault := _unattended(pid)) is not None:
        return fault
    if points is not None and points["oldest_seconds"] is not None and points["oldest_seconds"] > faults.OLD_SECONDS:
        if pid is None:
            return faults.NOBODY_SHIPS.state(f"{display.count(points['spooled'])} points wait and nobody ships them.")
        detail = (
            f"The oldest of {display.count(points['spooled'])} waiting points is {points['oldest_seconds']:.0f} s old."
        )
        return faults.BEHIND.state(detail)
    if points is not None and points["dead_lettered"]:
        return faults.DEAD_LETTERS.state(f"{display.count(points['dead_lettered'])} points are dead letters.")
    if pid is None:
        return State(OK, "", "Nothing waits; the companion comes with the next recorder.")
    return State(OK, "", f"The companion works (process {pid})." if pid else "The companion is starting.")


def _unattended(pid: int | None) -> State | None:
    """Return the state where a companion was killed under its recorders, or lives and does nothing."""
    age = presence.seconds_since(settings.DATA_DIR, summon.PRESENCE)
    if pid and age is not None and age > faults.STUCK_SECONDS:
        return faults.COMPANION_STUCK.state(f"Process {pid} has done nothing for {age:.0f} s.")
    if pid is None and age is not None and age > presence.ABSENT_SECONDS and summon.is_recorded(wiring.open_spool()):
        return faults.NO_COMPANION.state(f"The last one worked {age:.0f} s ago, and somebody records.")
    return None


def feeds(now: datetime) -> dict[str, FeedReport]:
    """Return each source of ticks that is being recorded, with the time of its last tick."""
    folder = wiring.open_spool()
    reports: dict[str, FeedReport] = {}
    for lane in folder.lanes():
        if lane.measurement != TICKS or folder.holder(lane.source) is None:
            continue
        ticks = lane.pending(after=max(0, lane.issued() - NEWEST_TICKS), limit=NEWEST_TICKS).batch
        if len(ticks):
            at = datetime.fromtimestamp(int(ticks.received_time[-1]) / 10**9, UTC)
            reports[lane.source] = {
                "last_at": iso(at),
                "age_seconds": max(0.0, (now - at).total_seconds()),
                # The freshest of many: a quiet symbol's last trade is old wherever the clocks stand.
                "exchange_ahead_seconds": float((ticks.exchange_time - ticks.received_time).max()) / 10**9,
            }
    return reports


def feed(reports: dict[str, FeedReport] | None, now: datetime) -> State:
    """Return whether ticks come, from Kafka in time, while the exchange is open, and which keys are not read."""
    lanes = [lane for lane in wiring.open_spool().lanes() if lane.measurement == TICKS]
    keys = [
        f"{key} of {lane.source} ({display.count(count)})"
        for lane in lanes
        for key, count in lane.unread_keys().items()
    ]
    unread = f" Not read: {', '.join(keys)}." if keys else ""
    partitions = topics.partitions()
    if (of_topics := topics.fault(partitions, now)) is not None:
        return of_topics
    if not reports:
        return State(OFF, "", f"Nobody records ticks now.{unread}")
    quiet = [source for source, report in reports.items() if report["age_seconds"] > faults.QUIET_SECONDS]
    session = calendar_of(settings.VELOX_EXCHANGE).session_at(now)
    # Before a session nobody ticks: a feed that begins with it is not late for a minute.
    if quiet and session is not None and (now - session.opens_at).total_seconds() > faults.QUIET_SECONDS:
        return faults.FEED_FROZEN.state(f"No tick for a minute: {', '.join(quiet)}.{unread}")
    return State(OK, "", f"{len(reports)} recording.{topics.summary(partitions)}{unread}")


def disk() -> State:
    """Return how much room the disk of the data folder has."""
    folder = Path(settings.DATA_DIR)
    usage = shutil.disk_usage(folder if folder.is_dir() else settings.BASE_DIR)
    detail = f"{usage.free / 1e9:.1f} GB free."
    if usage.free < faults.FREE_BYTES_OUT:
        return faults.DISK_FULL.state(detail)
    if usage.free < faults.FREE_BYTES_LOW:
        return faults.DISK_LOW.state(detail)
    return State(OK, "", detail)


def logs() -> State:
    """Return whether the log can be written."""
    folder = Path(settings.LOG_DIR)
    if folder.exists():
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            return faults.LOGS_READ_ONLY.state(f"{folder} cannot be written: {error}.")
    return State(OK, "", f"Logs go to {folder.name}/.")
