"""The points of a spool counted, each term from its own files, so that the sum can fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane, Outcome, PendingSlice
from timeseries.stores.tables import accounts_of, uncleared
from timeseries.values import instant_text

SLICE = 100_000
ATTEMPTS = 8


class PointCounts(TypedDict):
    """How many points were accepted and where they are now; ``balance``: how many are nowhere (0 when all is well)."""

    accepted: int
    stored: int
    spooled: int
    dead_lettered: int
    expired: int
    damaged: int
    cleared: int
    balance: int
    oldest_seconds: float | None
    """The age of the oldest waiting point; None: nothing waits."""
    unsynced_seconds: float
    """The age of the oldest record that is not synced to the disk yet."""


class LaneCounts(TypedDict):
    """What waits of one source and measurement, and what of it was quarantined or dead-lettered (by its word)."""

    source: str
    measurement: str
    spooled: int
    oldest_at: str | None
    quarantined: int
    dead_lettered: dict[str, int]


@dataclass(frozen=True)
class Count:
    """The counts of one lane at one moment.

    ``spooled`` counts whole records that wait, quarantined ones too; ``damaged`` those that are past reading, settled
    or not.
    """

    lane: Lane
    issued: int
    spooled: int
    damaged: int
    oldest_ns: int | None
    outcome: Outcome


def points(spool: Spool, *, now: int) -> PointCounts:
    """Count every point of the spool. ``now`` in ns UTC."""
    unsynced = unsynced_seconds(spool, now=now)  # at once: what is synced while the rest is counted was not by now
    counts = [count(lane) for lane in spool.lanes()]
    accepted = sum(lane.issued for lane in counts)
    stored = sum(sum(lane.outcome.stored.values()) for lane in counts)
    spooled = sum(lane.spooled for lane in counts)
    dead_lettered = sum(sum(lane.outcome.dead_lettered.values()) for lane in counts)
    expired = sum(lane.outcome.expired for lane in counts)
    damaged = sum(lane.damaged for lane in counts)
    cleared = sum(lane.outcome.cleared for lane in counts)
    oldest = min((lane.oldest_ns for lane in counts if lane.oldest_ns is not None), default=None)
    return {
        "accepted": accepted,
        "stored": stored,
        "spooled": spooled,
        "dead_lettered": dead_lettered,
        "expired": expired,
        "damaged": damaged,
        "cleared": cleared,
        "balance": accepted - (stored + spooled + dead_lettered + expired + damaged + cleared),
        "oldest_seconds": None if oldest is None else max(0.0, (now - oldest) / 10**9),
        "unsynced_seconds": unsynced,
    }


def unsynced_seconds(spool: Spool, *, now: int) -> float:
    """Return the age of the oldest record that a power loss would take, 0 where it would take none; ``now``: ns UTC."""
    oldest = (lane.oldest_unsynced_ns() for lane in spool.lanes())
    return max((max(0.0, (now - instant) / 10**9) for instant in oldest if instant is not None), default=0.0)


def sources(spool: Spool) -> list[LaneCounts]:
    """Return one row per source and measurement, as `manage.py spool` shows them."""
    rows: list[LaneCounts] = []
    for lane in spool.lanes():
        counted = count(lane)
        oldest = None if counted.oldest_ns is None else datetime.fromtimestamp(counted.oldest_ns / 10**9, UTC)
        waiting_quarantined = sum(pending.quarantined for pending in _slices(lane, counted.outcome))
        rows.append(
            {
                "source": lane.source,
                "measurement": lane.measurement.name,
                "spooled": counted.spooled,
                "oldest_at": None if oldest is None else instant_text(oldest),
                "quarantined": counted.outcome.quarantined + waiting_quarantined,
                "dead_lettered": dict(counted.outcome.dead_lettered),
            }
        )
    return rows


def count(lane: Lane) -> Count:
    """Count a lane that may be recorded and shipped meanwhile."""
    for _ in range(ATTEMPTS):
        # The outcome before the counter: what is settled in between is still found among the frames.
        outcome = lane.outcome()
        issued = lane.issued()
        tail = lane.tail(after=outcome.through)
        # Records that came after the counter was read are no part of the sum that is being struck.
        whole = min(tail.whole, max(issued - outcome.through - tail.damaged, 0))
        counted = Count(
            lane,
            issued,
            whole + outcome.quarantined,
            outcome.damaged + tail.damaged,
            lane.oldest_pending_ns(outcome.through) if whole else None,
            outcome,
        )
        if lane.outcome().through == outcome.through:
            break
    return counted


def of_account(spool: Spool, account: str) -> int:
    """Count the account's points that are stored or waiting."""
    total = sum(lane.outcome().stored.get(account, 0) for lane in spool.lanes())
    for lane in spool.lanes():
        outcome = lane.outcome()
        for pending in _slices(lane, outcome):
            total += accounts_of(uncleared(pending.batch, outcome.cleared_through)).get(account, 0)
    return total


def _slices(lane: Lane, outcome: Outcome) -> Iterator[PendingSlice]:
    """Read what waits in the lane, `SLICE` records at a time."""
    after = outcome.through
    while (pending := lane.pending(after=after, limit=SLICE)).last_sequence > after:
        yield pending
        after = pending.last_sequence
