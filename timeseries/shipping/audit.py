"""The audit: is what was settled as stored really in the store? Keys of kept segments against the store's rows.

The balance of `balance.points` believes the outcome of each lane; this believes nobody. It can look only as far back as
shipped segments are kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from timeseries.measurements import PointBatch
from timeseries.shipping import clearing
from timeseries.shipping.kept import settled_points
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.stores.base import PointQuery, Store

HOUR = 3600 * 10**9
DAY = 24 * HOUR
EXAMPLES_MAX = 5

Key = tuple[str, ...]


def audit(spool: Spool, store: Store, *, retention_days: int | None = None) -> list[dict[str, Any]]:
    """Return a row per lane: how many settled points were looked for, and which of them the store does not have.

    Keys: source, measurement, checked, missing, examples (the first few: tags, time). What was cleared, dead-lettered
    or is older than ``retention_days`` is not looked for. What is in a damaged file is missing.

    Raises:
        StoreUnavailable: the store cannot answer, or an account is being cleared for long.
    """
    oldest = None if retention_days is None else time.time_ns() - retention_days * DAY
    clearing.resume(spool, store)
    with clearing.shipping_allowed(spool.root):  # no account goes away meanwhile; others may ship
        return [_audited(lane, store, oldest) for lane in spool.lanes()]


def _audited(lane: Lane, store: Store, oldest: int | None) -> dict[str, Any]:
    checked = missing = 0
    examples: list[dict[str, str]] = []
    for settled in settled_points(lane, store.slice_rows):
        batch = settled if oldest is None else settled.take(settled.time >= oldest)
        for part in _by_hour(batch):
            lost = np.flatnonzero(_absent(part, store))
            checked, missing = checked + len(part), missing + len(lost)
            examples += [_shown(part, int(row)) for row in lost[: EXAMPLES_MAX - len(examples)]]
    return {
        "source": lane.source,
        "measurement": lane.measurement.name,
        "checked": checked,
        "missing": missing,
        "examples": examples,
    }


def _by_hour(batch: PointBatch) -> Iterator[PointBatch]:
    """Give the points of each hour apart: a late one must not have days of the store read for it."""
    hours = batch.time // HOUR
    for hour in np.unique(hours):
        yield batch.take(hours == hour)


def _absent(batch: PointBatch, store: Store) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    tags = batch.measurement.series_tags
    query = PointQuery(batch.measurement, int(batch.time.min()), int(batch.time.max()) + 1, {"source": batch.source})
    there = _times_of(store.read_intact(query), tags)
    nothing = np.zeros(0, dtype=np.int64)
    absent = np.zeros(len(batch), dtype=bool)
    for number in np.unique(batch.series):
        entry = batch.series_table[int(number)]
        rows = batch.series == number
        absent[rows] = ~np.isin(batch.time[rows], there.get(tuple(entry[tag] for tag in tags), nothing))
    return absent


def _times_of(rows: pa.Table, tags: tuple[str, ...]) -> dict[Key, np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the times of each series, by its tags in their order."""
    if not len(rows):
        return {}
    grouped = rows.select([*tags, "time"]).group_by(list(tags)).aggregate([("time", "list")])
    keys = zip(*(grouped.column(tag).to_pylist() for tag in tags), strict=True)
    times = (np.asarray(one.values, dtype=np.int64) for one in grouped.column("time_list"))
    return dict(zip(keys, times, strict=True))


def _shown(batch: PointBatch, row: int) -> dict[str, str]:
    at = int(batch.time[row])
    moment = datetime.fromtimestamp(at // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {**batch.series_table[int(batch.series[row])], "time": f"{moment}.{at % 10**9:09d}Z"}
