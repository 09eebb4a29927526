"""The way from segment to store: one slice of a lane at a time, written, then settled.

A crash between the two repeats the slice, and the store takes a repeat as nothing new. What the store does not
acknowledge stays in the spool: a fault holds a lane, it never drops a point.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from timeseries.errors import StoreUnavailable
from timeseries.measurements import PointBatch
from timeseries.spool import dead_letters
from timeseries.spool.lane import Lane, Outcome, PendingSlice
from timeseries.spool.locks import FileLock
from timeseries.stores.base import Refusal, Store
from timeseries.stores.tables import accounts_of, uncleared

GATE = ".shipping"
GATE_SECONDS = 30.0

log = structlog.get_logger("system")


@dataclass(frozen=True)
class Shipment:
    """The outcome of shipping a slice: how many sequences were settled, and up to which one."""

    settled: int
    through: int


def ship_slice(lane: Lane, store: Store, *, owner: str, rows: int | None = None) -> Shipment:
    """Write the lane's next slice (``rows`` points; None: what the store takes fastest) to the store, then settle it.

    Raises:
        LeaseHeld: another process ships this lane now, or has taken it over meanwhile: nothing was settled.
        StoreUnavailable: nothing was settled; try again later.
    """
    with lane.lease(owner=owner) as lease:
        for silent in lease.overtaken:
            log.warning("a silent shipper's lease was taken over", measurement=lane.measurement.name, owner=silent)
        outcome = lane.outcome()
        pending = lane.pending(after=outcome.through, limit=rows or store.slice_rows)
        if pending.last_sequence <= outcome.through:
            return Shipment(0, outcome.through)
        keep = uncleared(pending.batch, outcome.cleared_through)
        refusals = store.write(keep) if len(keep) else ()
        lease.check()  # a letter that is appended twice counts once
        dead_letters.append(lane.folder, [refusal for refusal in refusals if not refusal.expired])
        # Only now: settled before written, a crash in between would lose the slice.
        lane.settle(settled(outcome, pending, keep, refusals, now_ns=time.time_ns()), lease)
        return Shipment(pending.last_sequence - outcome.through, pending.last_sequence)


def settled(
    outcome: Outcome, pending: PendingSlice, kept: PointBatch, refusals: Sequence[Refusal] = (), *, now_ns: int
) -> Outcome:
    """Return a lane's outcome after a slice: each record of the slice counted under exactly one word."""
    refused = Counter(refusal.account for refusal in refusals)
    stored = Counter(outcome.stored) + (Counter(accounts_of(kept)) - refused)
    letters = Counter(refusal.word for refusal in refusals if not refusal.expired)
    return replace(
        outcome,
        through=pending.last_sequence,
        stored=dict(stored),
        dead_lettered=dict(Counter(outcome.dead_lettered) + letters),
        expired=outcome.expired + sum(refusal.expired for refusal in refusals),
        damaged=outcome.damaged + pending.damaged,
        cleared=outcome.cleared + len(pending.batch) - len(kept),
        quarantined=outcome.quarantined + pending.quarantined,
        damaged_ns=now_ns if pending.damaged + pending.quarantined else outcome.damaged_ns,
    )


@contextmanager
def gate(root: Path, *, alone: bool = False) -> Iterator[None]:
    """Hold the spool's gate: shippers pass it together, the clearing of an account has it alone.

    Raises:
        StoreUnavailable: the others did not leave it within `GATE_SECONDS`.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock, deadline = FileLock(root / GATE), time.monotonic() + GATE_SECONDS
    try:
        while not lock.take(shared=not alone):
            if time.monotonic() > deadline:
                raise StoreUnavailable("Another process ships or clears for a long time.", hint="Try again.")
            time.sleep(0.002)
        yield
    finally:
        lock.free()
