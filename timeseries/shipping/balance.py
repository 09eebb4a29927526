"""The points of a spool counted, each term from its own files, so that the sum can fail (FACE §6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane, Outcome, PendingSlice
from timeseries.stores.tables import accounts_of, uncleared

SLICE = 100_000
ATTEMPTS = 8
TERMS = ("stored", "spooled", "dead_lettered", "expired", "damaged", "cleared")


@dataclass(frozen=True)
class Count:
    """One lane at one moment. ``spooled`` counts whole records that wait, quarantined ones too; ``damaged`` those that
    are past reading, settled or not."""

    lane: Lane
    issued: int
    spooled: int
    damaged: int
    oldest_ns: int | None
    outcome: Outcome


def points(spool: Spool, *, now: int) -> dict[str, Any]:
    """Return accepted, its six parts, their balance, the age of the oldest waiting point (None: nothing waits), and
    that of the oldest record that is not synced to the disk yet. ``now`` in ns UTC."""
    unsynced = unsynced_seconds(spool, now=now)  # at once: what is synced while the rest is counted was not by now
    counts = [count(lane) for lane in spool.lanes()]
    terms = {
        "accepted": sum(one.issued for one in counts),
        "stored": sum(sum(one.outcome.stored.values()) for one in counts),
        "spooled": sum(one.spooled for one in counts),
        "dead_lettered": sum(sum(one.outcome.dead_lettered.values()) for one in counts),
        "expired": sum(one.outcome.expired for one in counts),
        "damaged": sum(one.damaged for one in counts),
        "cleared": sum(one.outcome.cleared for one in counts),
    }
    oldest = min((one.oldest_ns for one in counts if one.oldest_ns is not None), default=None)
    return {
        **terms,
        "balance": terms["accepted"] - sum(terms[name] for name in TERMS),
        "oldest_seconds": None if oldest is None else max(0.0, (now - oldest) / 10**9),
        "unsynced_seconds": unsynced,
    }


def unsynced_seconds(spool: Spool, *, now: int) -> float:
    """Return the age of the oldest record that a power loss would take, 0 where it would take none; ``now``: ns UTC."""
    oldest = (lane.oldest_unsynced_ns() for lane in spool.lanes())
    return max((max(0.0, (now - instant) / 10**9) for instant in oldest if instant is not None), default=0.0)


def sources(spool: Spool) -> list[dict[str, Any]]:
    """Return one row per source and measurement, as `manage.py spool` shows them."""
    return [_row(count(lane)) for lane in spool.lanes()]


def _row(one: Count) -> dict[str, Any]:
    return {
        "source": one.lane.source,
        "measurement": one.lane.measurement.name,
        "spooled": one.spooled,
        "oldest_at": None if one.oldest_ns is None else _iso(one.oldest_ns),
        "quarantined": one.outcome.quarantined + _quarantined(one.lane, one.outcome),
        "dead_lettered": dict(one.outcome.dead_lettered),
    }


def count(lane: Lane) -> Count:
    """Count a lane that may be recorded and shipped meanwhile."""
    for _ in range(ATTEMPTS):
        # The outcome before the counter: what is settled in between is still found among the frames.
        outcome = lane.outcome()
        found = _counted(lane, outcome, lane.issued())
        if lane.outcome().through == outcome.through:
            break
    return found


def _counted(lane: Lane, outcome: Outcome, issued: int) -> Count:
    tail = lane.tail(after=outcome.through)
    # Records that came after the counter was read are no part of the sum that is being struck.
    whole = min(tail.whole, max(issued - outcome.through - tail.damaged, 0))
    return Count(
        lane,
        issued,
        whole + outcome.quarantined,
        outcome.damaged + tail.damaged,
        lane.oldest_pending_ns(outcome.through) if whole else None,
        outcome,
    )


def _quarantined(lane: Lane, outcome: Outcome) -> int:
    return sum(part.quarantined for part in _slices(lane, outcome))


def _slices(lane: Lane, outcome: Outcome) -> Iterator[PendingSlice]:
    after = outcome.through
    while True:
        part = lane.pending(after=after, limit=SLICE)
        if part.last_sequence <= after:
            return
        yield part
        after = part.last_sequence


def of_account(spool: Spool, account: str) -> int:
    """Count the account's points that are stored or waiting."""
    stored = sum(lane.outcome().stored.get(account, 0) for lane in spool.lanes())
    return stored + sum(_waiting(lane, account) for lane in spool.lanes())


def _waiting(lane: Lane, account: str) -> int:
    outcome = lane.outcome()
    waiting = (uncleared(part.batch, outcome.cleared_through) for part in _slices(lane, outcome))
    return sum(accounts_of(batch).get(account, 0) for batch in waiting)


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 10**9, UTC).isoformat().replace("+00:00", "Z")
