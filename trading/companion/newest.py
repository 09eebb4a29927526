"""The newest values of the spool, as entries of the hot state."""

from __future__ import annotations

import math

import numpy as np

from timeseries.measurements import INDICATORS, TICKS, TIMES, PointBatch
from timeseries.spool.folder import Spool
from timeseries.stores.tables import uncleared
from trading.hot import cache
from trading.hot.cache import HotEntry

ROWS_MAX = 50_000  # of a lane in one step: points older than an entry's lifetime are no news
TRIES = 3


def copy_newest(spool: Spool) -> dict[str, int]:
    """Put the newest values that the spool still has into the hot state; return how many entries of each measurement.

    Raises: ConnectionError where the cache did not take them.
    """
    copied = {TICKS.name: 0, INDICATORS.name: 0}
    for lane in spool.lanes():
        if lane.measurement in (TICKS, INDICATORS) and lane.issued():
            pending = lane.pending(after=max(0, lane.issued() - ROWS_MAX), limit=ROWS_MAX)
            kind, entries = newest_of(uncleared(pending.batch, lane.outcome().cleared_through))
            # Putting again changes nothing, and an answer that came too late once is no fault of the cache.
            if not any(cache.put_newest(kind, entries) for _ in range(TRIES)):
                raise ConnectionError("the cache took nothing")
            copied[lane.measurement.name] += len(entries)
    return copied


def newest_of(batch: PointBatch) -> tuple[str, dict[str, HotEntry]]:
    """Return the kind of the hot state's entries, and each series' newest point by the entry's key.

    The newest by exchange time; of equal ones the last to arrive.
    """
    kind = "tick" if batch.measurement == TICKS else "indicators"
    order = np.lexsort((np.arange(len(batch)), batch.exchange_time, batch.series))
    series = batch.series[order]
    is_last = np.append(series[1:] != series[:-1], True) if len(series) else np.zeros(0, dtype=bool)
    entries: dict[str, HotEntry] = {}
    for row in order[is_last].tolist():
        tags = batch.series_table[int(batch.series[row])]
        times = {field: int(getattr(batch, field)[row]) for field in TIMES}
        fields = {field: _plain(column[row]) for field, column in batch.columns.items()}
        name = cache.key(kind, *(tags[tag] for tag in ("account", *batch.measurement.tags)))
        entries[name] = {**tags, "source": batch.source, **times, **fields}
    return kind, entries


def _plain(cell: np.generic | str | dict[str, float] | None) -> str | float | dict[str, float] | None:
    """Return a cell of a column as JSON tells it: NaN, an absent number, is None."""
    plain = cell.item() if isinstance(cell, np.generic) else cell
    return None if isinstance(plain, float) and math.isnan(plain) else plain
