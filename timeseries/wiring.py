"""The composition of the rooms: the store and the folders that the settings name. Nothing else puts them together."""

from __future__ import annotations

import time
from functools import lru_cache, partial
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.module_loading import import_string

from timeseries.errors import StoreMisconfigured
from timeseries.reader import Reader
from timeseries.shipping import audit, balance
from timeseries.shipping.pump import Pump
from timeseries.spool import latencies
from timeseries.spool.disk_space import Room, Space
from timeseries.spool.folder import Spool
from timeseries.stores.base import Store
from timeseries.stores.delta.archive import Archive, ArchivedDay, Tell
from timeseries.stores.delta.store import DeltaStore

INFLUX_VARIABLES = ("INFLUXDB_V2_ORG", "INFLUXDB_V2_BUCKET", "INFLUXDB_V2_TOKEN")
_spool_at = lru_cache(maxsize=4)(Spool)
_counts: dict[Path, latencies.LatencyCounts] = {}


def open_spool() -> Spool:
    """Return this process's spool of the data folder, the same one each time: it remembers its way through segments."""
    return _spool_at(Path(settings.SPOOL_DIR))


def spool_space() -> Space | None:
    """Return the spool's space in bytes; None before it has a folder. Raises OSError."""
    root = open_spool().root
    return Room(root, max_bytes=settings.VELOX_SPOOL_MAX_BYTES).space() if root.is_dir() else None


def open_store(*, ask_seconds: float | None = None) -> Store:
    """Return the store of this data folder: InfluxDB 2 where its address is set, else Delta tables on local disk.

    ``ask_seconds``: how long a question to a server may take (None: as long as pieces of its answer come).

    Raises:
        StoreMisconfigured: INFLUXDB_V2_URL is set and another of the four variables is not.
    """
    if not settings.INFLUXDB_V2_URL:
        return embedded_store()
    if missing := [name for name in INFLUX_VARIABLES if not getattr(settings, name)]:
        raise StoreMisconfigured(
            f"INFLUXDB_V2_URL is set, but {' and '.join(missing)} not.",
            field=missing[0],
            hint="Set all four, or unset INFLUXDB_V2_URL to keep telemetry in the data folder.",
        )
    # By name: its client takes half a second to import, which a desk without InfluxDB should not pay.
    store: Store = import_string("timeseries.stores.influx.store.open_influx")(
        settings.INFLUXDB_V2_URL,
        settings.INFLUXDB_V2_ORG,
        settings.INFLUXDB_V2_TOKEN,
        bucket=settings.INFLUXDB_V2_BUCKET,
        zone=_zone(),
        retention_days=settings.VELOX_RETENTION_DAYS,
        ask_seconds=ask_seconds,
    )
    return store


def embedded_store() -> DeltaStore:
    """Return this process's embedded store of the data folder, whether or not it is the one in use."""
    return _embedded(
        settings.DELTA_DIR,
        _zone(),
        settings.VELOX_RETENTION_DAYS,
        settings.VELOX_ARCHIVE_URL,
        settings.VELOX_ARCHIVE_CACHE_BYTES,
    )


@lru_cache(maxsize=4)
def _embedded(root: Path, zone: ZoneInfo, retention_days: int | None, archive_url: str, cache_bytes: int) -> DeltaStore:
    """Return this process's store of a folder, the same one each time: no page or check opens every table anew."""
    bucket = None
    if archive_url:
        # By name: a desk without an archive need not have its client installed.
        try:
            bucket = import_string("timeseries.stores.delta.bucket.ObjectStore")(archive_url, settings.ARCHIVE_ACCESS)
        except ImportError as error:
            raise StoreMisconfigured(
                "VELOX_ARCHIVE_URL is set, and the archive's client is not installed.",
                field="VELOX_ARCHIVE_URL",
                hint="pip install --require-hashes -r requirements-archive.txt",
            ) from error
    return DeltaStore(root, zone=zone, retention_days=retention_days, bucket=bucket, cache_bytes=cache_bytes)


def open_archive() -> Archive | None:
    """Return the archive of the embedded store; None where none is set, or points are kept in InfluxDB."""
    return None if settings.INFLUXDB_V2_URL else embedded_store().archive


def archive_days(archive: Archive, *, tell: Tell | None = None) -> list[ArchivedDay]:
    """Make a pass over the archive as the settings have it; see `Archive.run`."""
    return archive.run(
        now=time.time_ns(),
        keep_local_days=settings.VELOX_KEEP_LOCAL_DAYS,
        retention_days=settings.VELOX_RETENTION_DAYS,
        tell=tell,
    )


def count_points(*, now_ns: int | None = None) -> balance.PointCounts:
    """Count every point of this folder as of ``now_ns`` (UTC; None: now), without a store; see `balance.points`."""
    return balance.points(open_spool(), now=time.time_ns() if now_ns is None else now_ns)


def audit_store() -> list[audit.LaneAudit]:
    """Look for each kept point in the store; see `audit.audit`."""
    return audit.audit(open_spool(), open_store(), retention_days=settings.VELOX_RETENTION_DAYS)


def open_reader(*, ask_seconds: float | None = None) -> Reader:
    """Return the reader of this data folder (`open_store`). One may serve all threads of a process."""
    return Reader(open_spool(), open_store(ask_seconds=ask_seconds), zone=_zone())


def open_pump() -> Pump:
    """Return a pump of this data folder."""
    archive = open_archive()
    return Pump(
        open_spool(),
        open_store(),
        keep_shipped_days=settings.VELOX_KEEP_SHIPPED_DAYS or 0,
        max_bytes=settings.VELOX_SPOOL_MAX_BYTES,
        observe=partial(observe, "shipping"),
        archive=None if archive is None else partial(archive_days, archive),
    )


def observe(kind: str, seconds: float) -> None:
    """Count a call of one of `latencies.KINDS` that took so long, for this process; it never raises for a disk."""
    folder = latency_folder()
    counts = _counts.get(folder)
    if counts is None:
        while _counts:  # a process works on one data folder at a time
            _counts.popitem()[1].free()
        counts = _counts.setdefault(folder, latencies.LatencyCounts(folder))
    counts.observe(kind, seconds)


def latency_counts() -> latencies.Counts:
    """Return how long calls of each kind took, in all processes of this data folder. Raises: OSError."""
    return latencies.total_counts(latency_folder())


def latency_folder() -> Path:
    """Return where the processes of this data folder count how long calls took."""
    return Path(settings.DATA_DIR) / "latencies"


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.TIME_ZONE)
