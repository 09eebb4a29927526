"""VELOX as its operator looks after it: every part, the spool by source, dead letters, tasks, backups, the hot copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from django.conf import settings

from timeseries import presence, wiring
from timeseries.shipping.balance import Count, count
from timeseries.shipping.resending import list_letters
from trading import summon
from trading.health.backups import Backups
from trading.health.report import HealthReport, look
from trading.hot import cache, comparisons

LETTERS_MAX = 50

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class SpooledLane:
    """What one source recorded of one measurement, and where it is; ``oldest_at`` is the oldest point that waits."""

    source: str
    measurement: str
    accepted: int
    stored: int
    spooled: int
    oldest_at: datetime | None
    dead_lettered: int
    damaged: int


@dataclass(frozen=True, slots=True)
class TaskPresence:
    """A process that works behind the pages, and how many seconds ago it showed itself; None: never."""

    name: str
    is_there: bool
    seconds_ago: float | None


@dataclass(frozen=True, slots=True)
class SystemState:
    """All of it at one moment.

    ``letters`` are dead letters of the account that is looked at, at most `LETTERS_MAX` of ``letter_count``;
    ``letters_elsewhere`` counts those of others. ``compared`` is the last comparison of that account's hot copy, None
    without any. What could not be read is empty, and ``faults`` says why.
    """

    health: HealthReport
    lanes: list[SpooledLane]
    letters: list[dict[str, str | int]]
    letter_count: int
    letters_elsewhere: int
    backups: Backups | None
    has_hot_copy: bool
    compared: comparisons.Compared | None
    companion_pid: int | None
    tasks: list[TaskPresence]
    faults: list[str]


def system_state(account: str, *, now: datetime) -> SystemState:
    """Return the state of VELOX, with what belongs to one account only of this one. It never raises for a fault."""
    faults: list[str] = []

    def read(place: str, ask: Callable[[], Answer]) -> Answer | None:
        try:
            return ask()
        except Exception as error:  # a disk, a store or a server, each with errors of its own
            faults.append(f"The {place} cannot be read: {error}")
            return None

    letters = read("dead letters", lambda: list_letters(wiring.open_spool())) or []
    own = [letter for letter in letters if letter["account"] == account]
    health, compared, *_ = look(now=now)
    return SystemState(
        health=health,
        lanes=read("spool", lambda: [_state(count(lane)) for lane in wiring.open_spool().lanes()]) or [],
        letters=own[:LETTERS_MAX],
        letter_count=len(own),
        letters_elsewhere=len(letters) - len(own),
        backups=compared,
        has_hot_copy=cache.is_shared(),
        compared=comparisons.last().get(account),
        companion_pid=summon.companion_pid(),
        tasks=[_presence(name) for name in ("worker", "beat")] if settings.CELERY_BROKER_URL else [],
        faults=faults,
    )


def _state(counted: Count) -> SpooledLane:
    lane, outcome = counted.lane, counted.outcome
    oldest = counted.oldest_ns
    return SpooledLane(
        source=lane.source,
        measurement=lane.measurement.name,
        accepted=counted.issued,
        stored=sum(outcome.stored.values()),
        spooled=counted.spooled,
        oldest_at=None if oldest is None else datetime.fromtimestamp(oldest / 10**9, UTC),
        dead_lettered=sum(outcome.dead_lettered.values()),
        damaged=counted.damaged,
    )


def _presence(name: str) -> TaskPresence:
    seconds = presence.seconds_since(settings.DATA_DIR, name)
    return TaskPresence(name, seconds is not None and seconds <= presence.ABSENT_SECONDS, seconds)
