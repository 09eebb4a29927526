"""A desk in a folder of its own: spool, store, reader, pump; and a store that can be out of order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.timeseries.batches import INDIA, SECOND
from timeseries.errors import StoreUnavailable
from timeseries.measurements import PointBatch
from timeseries.reader import Reader
from timeseries.recording.recorder import Recorder
from timeseries.shipping.pump import Pump
from timeseries.spool.folder import Spool
from timeseries.stores.base import Refusal
from timeseries.stores.delta.store import DeltaStore


class Switched(DeltaStore):
    """The embedded store with a switch; it remembers the batches that it was given."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, zone=INDIA)
        self.down = False
        self.batches: list[PointBatch] = []

    def write(self, batch: PointBatch) -> tuple[Refusal, ...]:
        if self.down:
            raise StoreUnavailable("The store is switched off.")
        self.batches.append(batch)
        return super().write(batch)

    def delete_account(self, account: str) -> None:
        if self.down:
            raise StoreUnavailable("The store is switched off.")
        super().delete_account(account)


class Clock:
    """Nanoseconds that move when they are told to."""

    def __init__(self) -> None:
        self.now = time.time_ns()

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclass
class Desk:
    folder: Path
    spool: Spool
    store: Switched
    reader: Reader
    pump: Pump
    clock: Clock

    def recorder(self, source: str = "default", account: str = "main", **more: Any) -> Recorder:
        return Recorder(self.spool.root, source=source, account=account, zone=INDIA, **more)

    def record(self, symbol: str, times: Sequence[int], closes: Sequence[float], **more: Any) -> None:
        """Record last prices and close the recorder."""
        recorder = self.recorder(**more)
        for instant, close in zip(times, closes, strict=True):
            assert recorder.tick(symbol, {"ltp": close, "timestamp": instant})
        recorder.close()

    def another_pump(self) -> Pump:
        return Pump(Spool(self.spool.root), DeltaStore(self.store.root, zone=INDIA), clock=self.clock)


def desk_in(folder: Path) -> Desk:
    spool, store, clock = Spool(folder / "spool"), Switched(folder / "delta"), Clock()
    return Desk(folder, spool, store, Reader(spool, store, zone=INDIA), Pump(spool, store, clock=clock), clock)
