"""Small spools for tests: recorders with a fixed clock, and what stands on disk as plain rows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.recording.recorder import Recorder
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane, PendingSlice

INDIA = ZoneInfo("Asia/Kolkata")
NOW = 1_760_000_000 * 10**9  # 2025-10-09T08:53:20Z
OPEN = datetime(2025, 10, 9, 9, 15)
OPEN_NS = 1_759_981_500 * 10**9  # the same instant


def recorder(root: Path, **options: Any) -> Recorder:
    given = {"source": "desk", "account": "main", "zone": INDIA, "clock": lambda: NOW}
    return Recorder(root / "spool", **{**given, **options})


def lane(root: Path, measurement: str = "ticks", source: str = "desk") -> Lane:
    return Spool(root / "spool").lane(source, measurement)


def rows(part: PendingSlice) -> list[dict[str, Any]]:
    """Return the points as dicts without what is absent."""
    batch = part.batch
    found = []
    for row in range(len(batch)):
        values = {name: column[row] for name, column in batch.columns.items()}
        point = {
            **batch.series_table[int(batch.series[row])],
            "sequence": int(batch.sequences[row]),
            "time": int(batch.time[row]),
            "exchange_time": int(batch.exchange_time[row]),
            **{name: value for name, value in values.items() if not _absent(value)},
        }
        found.append(point)
    return found


def stored(root: Path, measurement: str = "ticks", source: str = "desk") -> list[dict[str, Any]]:
    return rows(lane(root, measurement, source).pending(after=0, limit=10**9))


def files(root: Path) -> dict[str, bytes]:
    """Return every file below the folder with its bytes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))
