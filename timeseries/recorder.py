"""The write side in the strategy's process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from timeseries.measurements import Measurement

History = Callable[[Measurement, Mapping[str, str], int], int]


@dataclass(frozen=True)
class TickBatch:
    """How many rows were accepted; ``rejected`` has (index, code, hint) of each that was not."""

    accepted: int
    rejected: tuple[tuple[int, str, str], ...] = ()


class Recorder:
    """Records telemetry of one source and account; touches no disk until the first record."""

    faults: dict[str, int]  # reason to how many records were refused by a storage fault

    def __init__(
        self,
        root: Path,
        *,
        source: str,
        account: str,
        zone: ZoneInfo,
        volume: str = "per_tick",
        on_storage_fault: str = "count",
        max_bytes: int | None = None,
        clock: Callable[[], int] = time.time_ns,
        history: History | None = None,  # the next free n of a series at an instant, for removed segments
        on_first_record: Callable[[], None] | None = None,
        ordinals: str = "continue",
        projecting: bool = False,  # the follower's: may use the source `ledger`
    ) -> None:
        raise NotImplementedError

    def tick(self, symbol: str, tick: Mapping[str, Any], at: datetime | int | None = None) -> bool:
        raise NotImplementedError

    def ticks(self, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any], *, symbol: str | None = None) -> TickBatch:
        raise NotImplementedError

    def indicators(
        self, symbol: str, values: Mapping[str, Any], *, at: datetime | int | None = None, timeframe: str = ""
    ) -> bool:
        raise NotImplementedError

    def snapshot(
        self,
        strategy_id: str,
        symbol: str,
        price: Any,
        quantity: Any,
        pnl: Any,
        pnl_percent: Any,
        *,
        at: datetime | int | None = None,
    ) -> bool:
        raise NotImplementedError

    def project(
        self, measurement: Measurement, tags: Mapping[str, str], fields: Mapping[str, Any], *, time_ns: int
    ) -> None:
        """Write one point of the follower at its exact time; raises on storage faults; durable after `sync`.

        ``tags`` may name the account (default: the recorder's).
        """
        raise NotImplementedError

    def latest(self, symbol: str) -> dict[str, Any] | None:
        """Return this process's newest tick by exchange time: symbol, kind, the three times in ns, fields present."""
        raise NotImplementedError

    def issued(self) -> dict[str, int]:
        """Return measurement to the last sequence issued, of this source."""
        raise NotImplementedError

    def sync(self) -> None:
        raise NotImplementedError

    def close(self, timeout: float = 5.0) -> None:
        raise NotImplementedError
