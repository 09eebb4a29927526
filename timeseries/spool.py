"""The crash-safe spool on local disk: which lanes there are, what waits in them, what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from timeseries.errors import VeloxError
from timeseries.measurements import Measurement, PointBatch


class LeaseHeld(VeloxError):
    """Another shipper holds this lane; look again later."""

    code = "lease_held"


@dataclass(frozen=True)
class Outcome:
    """What became of the sequences up to ``through``; the counts are disjoint."""

    through: int = 0
    stored: dict[str, int] = field(default_factory=dict)  # account to count
    dead_lettered: dict[str, int] = field(default_factory=dict)  # reason to count
    expired: int = 0
    damaged: int = 0
    cleared: int = 0
    cleared_through: dict[str, int] = field(default_factory=dict)  # account to sequence
    quarantined: int = 0  # frames of a kind or version that this code does not know: kept on disk, still waiting


@dataclass(frozen=True)
class PendingSlice:
    """Frames after a sequence; ``last_sequence`` may exceed the batch's last one when records were skipped."""

    batch: PointBatch
    last_sequence: int
    damaged: int
    quarantined: int


class Lane:
    """The records of one source and one measurement, numbered 1, 2, 3, ..."""

    source: str
    measurement: Measurement
    folder: Path

    def issued(self) -> int:
        """Return the last sequence issued; take it before counting frames."""
        raise NotImplementedError

    def outcome(self) -> Outcome:
        raise NotImplementedError

    def settle(self, outcome: Outcome) -> None:
        """Make the outcome durable: temporary file, fsync, rename, fsync of the folder."""
        raise NotImplementedError

    def pending(self, *, after: int, limit: int) -> PendingSlice:
        """Return at most ``limit`` records with a sequence above ``after``, decoded."""
        raise NotImplementedError

    def waiting(self, *, after: int) -> int:
        """Count the whole frames above ``after`` that are on disk (quarantined ones too)."""
        raise NotImplementedError

    def segments(self) -> list[Path]:
        raise NotImplementedError

    @contextmanager
    def lease(self, *, owner: str) -> Iterator[None]:
        """Keep two shippers apart. Raises LeaseHeld."""
        raise NotImplementedError
        yield

    def sync(self) -> None:
        """fsync what a power loss could still cost: segments, counter, folder."""
        raise NotImplementedError

    def remove_kept(self, *, before_ns: int, through: int) -> int:
        """Remove segments whose records are all settled (at most ``through``) and older than ``before_ns``."""
        raise NotImplementedError

    def removed_until(self) -> int:
        """Return the highest exchange_time of removed records, 0 for none."""
        raise NotImplementedError

    def oldest_pending_ns(self, after: int) -> int | None:
        """Return the received_time of the first record above ``after``."""
        raise NotImplementedError


class Spool:
    def __init__(self, root: Path, *, max_bytes: int | None = None, reserve_bytes: int | None = None) -> None:
        self.root = Path(root)

    def lanes(self) -> list[Lane]:
        """Return every lane on disk."""
        raise NotImplementedError

    def lane(self, source: str, measurement: str) -> Lane:
        raise NotImplementedError

    def holder(self, source: str) -> int | None:
        """Return the pid of the living process that records under this source."""
        raise NotImplementedError

    def adopt(self, source: str) -> bool:
        """Repair counters and seal segments of a source that nobody holds; False when somebody does."""
        raise NotImplementedError
