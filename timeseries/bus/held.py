"""A partition as a member of a group holds it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from timeseries.bus.arrived import PartitionPlace
from timeseries.bus.partition import PartitionRecorder
from timeseries.bus.standing import PartitionStanding
from timeseries.bus.topics import PartitionEnd

SILENT_SECONDS = 6.0  # without an answer, which is asked for every two: Kafka may be away


@dataclass
class HeldPartition:
    """A partition: its recorder while it goes on, where its source's files are, the oldest offset that the topic had,
    the next one, when what is recorded was written, the end that is awaited."""

    place: PartitionPlace
    topic_id: str = ""
    recording: PartitionRecorder | None = None
    source: str = ""
    folder: Path | None = None
    oldest: int = 0
    asked_for: int | None = None  # the offset behind a gap that was read again
    position: int = 0
    still_since: float = field(default_factory=time.monotonic)
    reached_ns: int = 0
    end: int | None = None
    retry_at: float = 0.0

    def reach(self, position: int) -> None:
        """Note the next offset, now that those before it are recorded."""
        self.position, self.still_since = position, time.monotonic()

    @property
    def reads_gap(self) -> bool:
        """Tell whether messages behind a gap are awaited once more."""
        return self.asked_for is not None and self.recording is not None and self.recording.expected is not None

    def lag(self, end: PartitionEnd) -> int:
        """Return how many messages wait; 0 where it is not known yet where recording goes on."""
        return 0 if self.end is None else max(0, end.offset - self.position)

    def is_owed(self, end: PartitionEnd) -> bool:
        """Tell whether messages wait that would be recorded, while Kafka answers."""
        answers = time.time_ns() - end.at_ns <= SILENT_SECONDS * 10**9
        return answers and self.recording is not None and self.lag(end) > 0

    def standing(self, end: PartitionEnd, *, answered_ns: int, stopped: str) -> PartitionStanding:
        """Return how it stands now, by its end and by when Kafka answered this member last."""
        return PartitionStanding(
            *self.place,
            source=self.source,
            pid=os.getpid(),
            at_ns=time.time_ns(),
            answered_ns=min(answered_ns, end.at_ns),
            reached_ns=self.reached_ns,
            lag=self.lag(end),
            stopped=stopped,
        )
