"""The points that were settled as stored and are still in a lane's kept segments."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from timeseries.measurements import PointBatch
from timeseries.spool import dead_letters
from timeseries.spool.lane import Lane
from timeseries.stores.tables import uncleared


def settled_points(lane: Lane, rows: int, *, after: int = 0) -> Iterator[PointBatch]:
    """Yield the lane's kept points beyond the sequence ``after`` that were settled as stored, ``rows`` at a time."""
    outcome = lane.outcome()
    dead = [letter.sequence for letter in dead_letters.read(lane.folder, but=outcome.retried)]
    while after < outcome.through:
        settled = lane.pending(after=after, limit=min(rows, outcome.through - after))
        if settled.last_sequence <= after:
            return
        after = settled.last_sequence
        batch = uncleared(settled.batch, outcome.cleared_through)
        yield batch.take((batch.sequences <= outcome.through) & ~np.isin(batch.sequences, dead))
