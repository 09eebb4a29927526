"""The state of Kafka's topics that are recorded here, as the consumers of their partitions tell it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from timeseries import wiring
from timeseries.bus.standing import LEFT_SECONDS, PartitionStanding, standings
from trading.domain import display
from trading.health import faults
from trading.health.state import State


def partitions() -> list[PartitionStanding]:
    """Return how each partition stood when its consumer told it last."""
    return list(standings(wiring.open_spool()))


def fault(rows: Sequence[PartitionStanding], now: datetime) -> State | None:
    """Return the worst fault that any partition is in, None where all are recorded in time."""
    now_ns = int(now.timestamp() * 10**9)
    for row in rows:
        age = (now_ns - row.at_ns) / 10**9
        if age > LEFT_SECONDS:
            why = f" It stood still: {row.stopped}" if row.stopped else ""
            return faults.PARTITION_LEFT.state(
                f"The consumer of {row.place} (process {row.pid}) told nothing for {age:.0f} s; "
                f"{display.count(row.lag)} messages waited then.{why}"
            )
    for row in rows:
        if row.stopped:
            return faults.PARTITION_STOPPED.state(f"{row.place} stands still: {row.stopped}")
    for row in rows:
        silence = (row.at_ns - row.answered_ns) / 10**9
        if silence > faults.KAFKA_SECONDS:
            return faults.KAFKA_UNREACHABLE.state(
                f"Kafka has not answered the consumer of {row.place} for {silence:.0f} s."
            )
    behind = max(rows, key=lambda row: row.behind_seconds, default=None)
    if behind is not None and behind.behind_seconds > faults.OLD_SECONDS:
        lag = f"{display.count(behind.lag)} messages wait"
        return faults.KAFKA_BEHIND.state(f"{behind.place} is {behind.behind_seconds:.0f} s behind: {lag}.")
    return None


def summary(rows: Sequence[PartitionStanding]) -> str:
    """Return what is told of partitions that are well, "" where there are none."""
    if not rows:
        return ""
    return f" Kafka: {len(rows)} partitions, {display.count(sum(row.lag for row in rows))} messages wait."
