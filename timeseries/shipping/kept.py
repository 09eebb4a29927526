"""What the kept segments of a lane still hold of the points that were settled as stored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from timeseries.measurements import PointBatch
from timeseries.spool import dead_letters
from timeseries.spool.lane import Lane
from timeseries.stores.tables import uncleared


def settled_points(lane: Lane, rows: int, *, after: int = 0) -> Iterator[PointBatch]:
    """Yield the lane's kept points that were settled as stored, those beyond a sequence, ``rows`` at a time at most."""
    outcome = lane.outcome()
    dead = [letter.sequence for letter in dead_letters.read(lane.folder, but=outcome.retried)]
    while after < outcome.through:
        part = lane.pending(after=after, limit=min(rows, outcome.through - after))
        if part.last_sequence <= after:
            return
        after = part.last_sequence
        batch = uncleared(part.batch, outcome.cleared_through)
        yield batch.take((batch.sequences <= outcome.through) & ~np.isin(batch.sequences, dead))
