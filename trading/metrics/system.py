"""How every part of VELOX is, as series: the health report's states, the spool's counters, disk, backups."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection

from timeseries import presence, wiring
from trading import summon
from trading.health import database, integrity, topics
from trading.health.report import look
from trading.health.state import DEGRADED, DOWN, OFF, OK
from trading.metrics import series
from trading.metrics.series import MetricReading
from trading.queries.sessions import calendar_of

STATES = (OK, DEGRADED, DOWN, OFF)
FEEDS_MAX = 50


def parts(*, now: datetime) -> Iterator[MetricReading]:
    """Yield the state of each part, the counts of points, feeds, clocks and backups, all by one look of health."""
    health, kept, lags, ahead_seconds, facts_waiting = look(now=now)
    states, points = health["parts"], health["points"]
    yield MetricReading(
        series.PART_STATE,
        [((name, state), row["status"] == state) for name, row in states.items() for state in STATES],
    )
    yield MetricReading(series.PART_FAULT, [((name, row["code"]), 1) for name, row in states.items() if row["code"]])
    since = {name: datetime.fromisoformat(row["since"]).timestamp() for name, row in states.items()}
    yield MetricReading(series.PART_SINCE, [((name,), moment) for name, moment in since.items()])
    asked = {name: row["latency_ms"] for name, row in states.items()}
    yield MetricReading(series.PART_LATENCY, [((name,), ms / 1000) for name, ms in asked.items() if ms is not None])
    yield MetricReading(series.ACCEPTED, [((), points["accepted"])])
    places = {
        "stored": points["stored"],
        "spooled": points["spooled"],
        "dead_lettered": points["dead_lettered"],
        "expired": points["expired"],
        "damaged": points["damaged"],
        "cleared": points["cleared"],
    }
    yield MetricReading(series.POINTS, [((place,), count) for place, count in places.items()])
    yield MetricReading(series.BALANCE, [((), points["balance"])])
    yield MetricReading(series.OLDEST, [((), points["oldest_seconds"] or 0.0)])
    yield MetricReading(series.UNSYNCED, [((), points["unsynced_seconds"])])
    oldest = sorted(health["feeds"].items(), key=lambda feed: -feed[1]["age_seconds"])[:FEEDS_MAX]
    yield MetricReading(series.FEED_AGE, [((source,), feed["age_seconds"]) for source, feed in oldest])
    yield MetricReading(series.FEED_AHEAD, [((source,), feed["exchange_ahead_seconds"]) for source, feed in oldest])
    if kept is not None:
        yield _moment(series.BACKUP_NEWEST, kept.newest_at)
        yield _moment(series.BACKUP_WAITING, kept.waiting_since)
    yield MetricReading(series.FOLLOWER_ROWS, [((lag.account,), lag.rows) for lag in lags or ()])
    yield MetricReading(
        series.FOLLOWER_SECONDS,
        [((lag.account,), max(0.0, (now - lag.oldest_at).total_seconds())) for lag in lags or ()],
    )
    if facts_waiting is not None:
        yield MetricReading(series.FACTS_WAITING, [((), facts_waiting)])
    if ahead_seconds is not None:
        yield MetricReading(series.DATABASE_AHEAD, [((), ahead_seconds)])


def ledger(*, now: datetime) -> Iterator[MetricReading]:
    """Yield which database holds the ledger; of SQLite its log and the last check of its file, of PostgreSQL its
    standbys and its archive."""
    version = ".".join(map(str, connection.get_database_version()))
    yield MetricReading(series.LEDGER, [((connection.vendor, version), 1)])
    size, check = database.log_bytes(connection), integrity.last_check()
    if size is not None:
        yield MetricReading(series.LEDGER_LOG, [((), size)])
    if check is not None:
        yield MetricReading(series.LEDGER_WHOLE, [((), not check.findings)])
        yield _moment(series.LEDGER_CHECKED, datetime.fromisoformat(check.at))
    if (standbys := database.standbys(connection)) is not None:
        yield MetricReading(series.STANDBYS_NEEDED, [((), standbys.needed)])
        yield MetricReading(series.STANDBYS, [((), standbys.following + standbys.hidden)])
    yield _moment(series.ARCHIVED, database.archived_at(connection))


def spool(*, now: datetime) -> Iterator[MetricReading]:
    """Yield what storage faults cost, how far partitions of topics are behind, and the spool's room."""
    lanes = wiring.open_spool().lanes()
    counts = [lane.refused() for lane in lanes]
    lost = {
        "spool_full": sum(full for full, _, _ in counts),
        "spool_failed": sum(failed for _, failed, _ in counts),
        "spool_removed": sum(lane.removed() for lane in lanes),
    }
    yield MetricReading(series.REFUSED, [((reason,), count) for reason, count in lost.items()])
    partitions = {(row.topic, str(row.number)): row for row in topics.partitions()}
    yield MetricReading(series.KAFKA_LAG, [(place, row.lag) for place, row in partitions.items()])
    yield MetricReading(series.KAFKA_BEHIND, [(place, row.behind_seconds) for place, row in partitions.items()])
    space = wiring.spool_space()
    if space is not None:
        yield MetricReading(series.SPOOL_USED, [((), space.used)])
        yield MetricReading(series.SPOOL_LIMIT, [((), space.limit)])


def machine(*, now: datetime) -> Iterator[MetricReading]:
    """Yield the disk's room, who works behind the pages, and whether the exchange trades now."""
    folder = Path(settings.DATA_DIR)
    yield MetricReading(
        series.DISK_FREE, [((), shutil.disk_usage(folder if folder.is_dir() else settings.BASE_DIR).free)]
    )
    yield MetricReading(series.COMPANION, [((), bool(summon.companion_pid()))])
    if settings.CELERY_BROKER_URL:
        ages = {name: presence.seconds_since(settings.DATA_DIR, name) for name in ("worker", "beat", presence.TASK)}
        finished = ages.pop(presence.TASK)
        yield MetricReading(series.TASK_AGE, [((name,), age) for name, age in ages.items() if age is not None])
        yield MetricReading(series.TASK_FINISHED, [] if finished is None else [((), finished)])
    is_open = calendar_of(settings.VELOX_EXCHANGE).session_at(now) is not None
    yield MetricReading(series.SESSION_OPEN, [((settings.VELOX_EXCHANGE,), is_open)])


def _moment(of: series.MetricSeries, at: datetime | None) -> MetricReading:
    return MetricReading(of, [] if at is None else [((), at.timestamp())])
