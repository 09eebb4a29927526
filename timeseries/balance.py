"""The points of a spool counted, each term from its own files, so that the sum can fail (FACE §6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from timeseries.measurements import PointBatch
from timeseries.spool import Lane, Outcome, Spool

SLICE = 100_000
ATTEMPTS = 8
TERMS = ("stored", "spooled", "dead_lettered", "expired", "damaged", "cleared")


@dataclass(frozen=True)
class Count:
    """One lane at one moment; ``spooled`` counts the records that stand after what was settled."""

    lane: Lane
    issued: int
    spooled: int
    quarantined: int
    oldest_ns: int | None
    outcome: Outcome


def points(spool: Spool, *, now: int) -> dict[str, Any]:
    """Return accepted, its six parts, their balance, and the age of the oldest waiting point (None: nothing waits)."""
    counts = [count(lane) for lane in spool.lanes()]
    terms = {
        "accepted": sum(one.issued for one in counts),
        "stored": sum(sum(one.outcome.stored.values()) for one in counts),
        "spooled": sum(one.spooled for one in counts),
        "dead_lettered": sum(sum(one.outcome.dead_lettered.values()) for one in counts),
        "expired": sum(one.outcome.expired for one in counts),
        "damaged": sum(one.outcome.damaged for one in counts),
        "cleared": sum(one.outcome.cleared for one in counts),
    }
    oldest = min((one.oldest_ns for one in counts if one.oldest_ns is not None), default=None)
    return {
        **terms,
        "balance": terms["accepted"] - sum(terms[name] for name in TERMS),
        "oldest_seconds": None if oldest is None else max(0.0, (now - oldest) / 10**9),
    }


def sources(spool: Spool) -> list[dict[str, Any]]:
    """Return one row per source and measurement, as `manage.py spool` shows them."""
    return [_row(count(lane)) for lane in spool.lanes()]


def _row(one: Count) -> dict[str, Any]:
    return {
        "source": one.lane.source,
        "measurement": one.lane.measurement.name,
        "spooled": one.spooled,
        "oldest_at": None if one.oldest_ns is None else _iso(one.oldest_ns),
        "quarantined": one.quarantined,
        "dead_lettered": dict(one.outcome.dead_lettered),
    }


def count(lane: Lane) -> Count:
    """Count a lane that may be recorded and shipped meanwhile."""
    for _ in range(ATTEMPTS):
        # The outcome before the counter: what is settled in between is still found among the frames.
        outcome = lane.outcome()
        issued = lane.issued()
        found = _frames(lane, outcome, issued)
        if lane.outcome().through == outcome.through:
            break
    return found


def of_account(spool: Spool, account: str) -> int:
    """Count the account's points that are stored or waiting."""
    stored = sum(lane.outcome().stored.get(account, 0) for lane in spool.lanes())
    return stored + sum(_waiting(lane, account) for lane in spool.lanes())


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 10**9, UTC).isoformat().replace("+00:00", "Z")
