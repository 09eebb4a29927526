"""How each partition stands, as its consumer tells it beside the lane every two seconds: for health and metrics.

A consumer that ends takes its words away. What a killed one leaves grows old, until whoever takes the partition next
writes its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import structlog

from timeseries.spool.folder import Spool

NAME = "partition"  # a file in a source's folder
LEFT_SECONDS = 15.0  # so old are the words of a consumer that was killed, or hangs
_log = structlog.get_logger("system")


@dataclass(frozen=True, slots=True)
class PartitionStanding:
    """A partition at an instant (ns UTC): ``lag`` messages of it are not recorded yet, and the newest that is recorded
    was written at ``reached_ns``. Kafka answered last at ``answered_ns``. ``stopped``: why it stands still, or ""."""

    topic: str
    number: int
    source: str
    pid: int
    at_ns: int
    answered_ns: int
    reached_ns: int
    lag: int
    stopped: str

    @property
    def place(self) -> str:
        """Return topic and number as people write them."""
        return f"{self.topic}/{self.number}"

    @property
    def behind_seconds(self) -> float:
        """Return how old the newest recorded message was while others waited; 0 where none did."""
        return max(0.0, (self.at_ns - self.reached_ns) / 10**9) if self.lag else 0.0


def tell(folder: Path, standing: PartitionStanding, *, is_recording: bool) -> None:
    """Write how a partition stands into its source's folder. A consumer that does not record it now, such as one that
    waits for another one's lock, leaves what that one tells; a disk that takes nothing is told of by the lane."""
    other = None if is_recording else standing_in(folder)
    if other is not None and other.pid != standing.pid and standing.at_ns - other.at_ns < LEFT_SECONDS * 10**9:
        return
    fresh = folder / f".{NAME}.{standing.pid}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_bytes(orjson.dumps(asdict(standing)))
        fresh.replace(folder / NAME)  # whole or not at all; what a power loss takes is told again
    except OSError as error:
        _log.warning("how a partition stands cannot be told", partition=standing.place, error=str(error))


def forget(folders: Iterable[Path | None]) -> None:
    """Take away what this process told of partitions that it gives up, by their sources' folders."""
    for folder in folders:
        own = None if folder is None else standing_in(folder)
        if folder is not None and own is not None and own.pid == os.getpid():
            with suppress(OSError):
                (folder / NAME).unlink()


def standings(spool: Spool) -> Iterator[PartitionStanding]:
    """Yield how each partition stood when its consumer told it last, by source."""
    for source in spool.sources():
        standing = standing_in(spool.folder(source))
        if standing is not None:
            yield standing


def standing_in(folder: Path) -> PartitionStanding | None:
    """Return how the partition of a source stood, None where nobody tells."""
    try:
        return PartitionStanding(**orjson.loads((folder / NAME).read_bytes()))
    except (OSError, ValueError, TypeError):  # it is not there, or of another version
        return None
