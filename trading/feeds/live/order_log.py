"""Order updates on disk before they are booked: what was received is booked after a kill, too.

One file a source and day, a JSON object a line. Booking is once for all (each fill has its key), so that every start
books the last days again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import orjson

from timeseries.spool import durable
from trading.domain.chain import JSON

KEPT_DAYS = 3
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class OrderLog:
    """The files of one source in a folder."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder, self.stem = folder, quote(source, safe="")

    def append(self, update: Mapping[str, JSON], now: datetime) -> None:
        """Keep an update, durable on return. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path(now), _APPEND, 0o600)
        try:
            # A kill may have cut the line before: it ends here, and is left out.
            durable.write_all(descriptor, b"\n" + orjson.dumps(update) + b"\n")
            durable.sync(descriptor)
        finally:
            os.close(descriptor)

    def recent(self) -> Iterator[dict[str, JSON]]:
        """Yield the updates of the last days that have any, oldest first; files before them are removed.

        It counts files, whatever the clock says: after a kill the newest updates are not booked yet. Raises OSError.
        """
        paths = sorted(self.folder.glob(f"{self.stem}.orders.*.jsonl"))
        for old in paths[:-KEPT_DAYS]:
            old.unlink()
        for path in paths[-KEPT_DAYS:]:
            for line in path.read_bytes().splitlines():
                try:
                    update = orjson.loads(line)
                except ValueError:
                    continue
                if isinstance(update, dict):
                    yield update

    def _path(self, now: datetime) -> Path:
        return self.folder / f"{self.stem}.orders.{now.astimezone(UTC).date().isoformat()}.jsonl"
