"""The sweeper: ships every lane, adopts those whose writer is gone, cares for the store, and counts the points."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timeseries.reader import Reader
from timeseries.stores.base import Store

if TYPE_CHECKING:
    from timeseries.spool import Spool

LaneKey = tuple[str, str]  # source, measurement's name


@dataclass(frozen=True)
class Sweep:
    """What one pass did: points settled, lanes that hold, and in how many seconds to look again."""

    settled: int = 0
    held: int = 0
    pause_seconds: float = 1.0


class Pump:
    """One per companion. Every method may be called while other processes record, ship and read."""

    def __init__(
        self, spool: Spool, store: Store, *, keep_shipped_days: int = 7, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.spool, self.store = spool, store

    def run_once(self, now: int | None = None) -> Sweep:
        """Ship what is due of every lane, then do the periodic work that is due. ``now`` in ns UTC."""
        raise NotImplementedError

    def drain(self, timeout: float) -> bool:
        """Ship until nothing waits; False when the time (seconds) was up first."""
        raise NotImplementedError

    def targets(self, *, source: str | None = None) -> dict[LaneKey, int]:
        """Return the last sequence of each lane of ``source`` and of every source that nobody holds."""
        raise NotImplementedError

    def wait_until_settled(self, targets: Mapping[LaneKey, int], timeout: float) -> None:
        """Return when every sequence up to the targets is settled; ships itself when no companion answers the bell.

        Raises:
            FlushTimeout: some still wait after ``timeout`` seconds; they stay in the spool.
        """
        raise NotImplementedError

    def points(self) -> dict[str, Any]:
        """Return the object ``points`` of FACE §6."""
        raise NotImplementedError

    def sources(self) -> list[dict[str, Any]]:
        """Return the rows of ``manage.py spool --format json``."""
        raise NotImplementedError

    def clear_account(self, account: str) -> int:
        """Remove the account's points from store and spool and count them as cleared; returns how many. Repeatable."""
        raise NotImplementedError


def open_spool() -> Spool:
    """Return the spool of this data folder."""
    raise NotImplementedError


def open_store() -> Store:
    """Return the store that the settings choose."""
    raise NotImplementedError


def open_reader() -> Reader:
    """Return the reader of this data folder."""
    raise NotImplementedError


def open_pump() -> Pump:
    """Return a pump of this data folder."""
    raise NotImplementedError
