"""Segments that are kept though all of their points are stored: what is in them, and when they make room."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import numpy as np

from timeseries.measurements import PointBatch
from timeseries.spool import dead_letters
from timeseries.spool.disk_space import Room
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


def scarce_before(room: Room, lanes: Iterable[tuple[Lane, int]]) -> int:
    """Return before which instant (ns) kept segments were written that make room now, the oldest first; 0: none.

    ``lanes`` come with the sequence up to which they are settled. A copy of what is stored never keeps a tick out.
    """
    wanting = room.space().wanting
    if not wanting:
        return 0
    files = [span.file for lane, through in lanes for span in lane.kept_spans(through=through)]
    before = 0
    for file in sorted(files, key=lambda file: file.identity[1]):
        if wanting <= 0:
            break
        before = file.identity[1] + 1
        with contextlib.suppress(FileNotFoundError):
            wanting -= file.path.stat().st_size
    return before
