"""The audit: is what was settled as stored really in the store? Keys of kept segments against the store's rows.

The balance of `balance.points` believes the outcome of each lane; this believes nobody. It can look only as far back as
shipped segments are kept.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from timeseries.measurements import IntArray, PointBatch
from timeseries.shipping import clearing
from timeseries.shipping.kept import settled_points
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.stores.base import PointQuery, Store

HOUR = 3600 * 10**9
DAY = 24 * HOUR
EXAMPLES_MAX = 5


class LaneAudit(TypedDict):
    """How many settled points of a lane were looked for, how many the store lacks, and the first few of these.

    An example has the point's tags and its ``time``, in UTC to the nanosecond.
    """

    source: str
    measurement: str
    checked: int
    missing: int
    examples: list[dict[str, str]]


def audit(spool: Spool, store: Store, *, retention_days: int | None = None) -> list[LaneAudit]:
    """Look for every settled point of the kept segments in the store; return a row per lane.

    What was cleared, dead-lettered or is older than ``retention_days`` is not looked for. What is in a damaged file is
    missing.

    Raises:
        StoreUnavailable: the store cannot answer, or an account is being cleared for long.
    """
    oldest = None if retention_days is None else time.time_ns() - retention_days * DAY
    clearing.resume(spool, store)
    with clearing.shipping_allowed(spool.root):  # no account goes away meanwhile; others may ship
        return [_audit_lane(lane, store, oldest) for lane in spool.lanes()]


def _audit_lane(lane: Lane, store: Store, oldest: int | None) -> LaneAudit:
    checked = missing = 0
    examples: list[dict[str, str]] = []
    for settled in settled_points(lane, store.slice_rows):
        batch = settled if oldest is None else settled.take(settled.time >= oldest)
        hours = batch.time // HOUR
        for hour in np.unique(hours):  # each apart: a late point must not have days of the store read for it
            points = batch.take(hours == hour)
            lost = np.flatnonzero(_absent(points, store))
            checked, missing = checked + len(points), missing + len(lost)
            for row in lost[: EXAMPLES_MAX - len(examples)].tolist():
                seconds, nanoseconds = divmod(int(points.time[row]), 10**9)
                text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
                examples.append({**points.series_table[int(points.series[row])], "time": text})
    return {
        "source": lane.source,
        "measurement": lane.measurement.name,
        "checked": checked,
        "missing": missing,
        "examples": examples,
    }


def _absent(batch: PointBatch, store: Store) -> npt.NDArray[np.bool_]:
    """Tell of each point whether the store has none of its series and time."""
    tags = batch.measurement.series_tags
    query = PointQuery(batch.measurement, int(batch.time.min()), int(batch.time.max()) + 1, {"source": batch.source})
    rows = store.read_intact(query)
    stored: dict[tuple[str, ...], IntArray] = {}  # the times of each series, by its tags in their order
    if len(rows):
        grouped = rows.select([*tags, "time"]).group_by(list(tags)).aggregate([("time", "list")])
        keys = zip(*(grouped.column(tag).to_pylist() for tag in tags), strict=True)
        times = (np.asarray(series.values, dtype=np.int64) for series in grouped.column("time_list"))
        stored = dict(zip(keys, times, strict=True))
    none = np.zeros(0, dtype=np.int64)
    absent = np.zeros(len(batch), dtype=bool)
    for number in np.unique(batch.series):
        entry = batch.series_table[int(number)]
        of_series = batch.series == number
        absent[of_series] = ~np.isin(batch.time[of_series], stored.get(tuple(entry[tag] for tag in tags), none))
    return absent
