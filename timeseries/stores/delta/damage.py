"""Files of a table that are past reading: gone, cut or altered. An answer that needs one names it, and is never short.

One whose bytes are not those that were written is moved to `_damaged/`: from then on it is simply not there, which
every process sees at once and no engine reads wrongly.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from timeseries.measurements import TIMES
from timeseries.spool import durable
from timeseries.stores.base import Bounds, Damage
from timeseries.stores.delta.archived import is_archived
from timeseries.stores.delta.file import is_whole
from timeseries.stores.delta.table import MeasurementTable

LOSSES = "losses"  # in the folder of the store
FOLDER = "_damaged"  # vacuum leaves folders alone that begin with a line


class Inspector:
    """The check of one table's files; it remembers which it has read, and reads them again when they change."""

    def __init__(self, table: MeasurementTable) -> None:
        self.table = table
        self._sound: dict[str, tuple[int, int, int]] = {}

    def absent(self, files: pa.Table) -> pa.Table:
        """Return those of the newest version's files that are gone or of another size; it costs a look at each.

        Archived files are no part of this: their copies are checked when they are fetched.
        """
        files = _lying_here(files)
        rows = [number for number, (path, size) in enumerate(_listed(files)) if not self._is_there(path, size)]
        return self._still_listed(files, rows)

    def damaged(self, files: pa.Table, *, seconds: float = math.inf, anew: bool = False) -> pa.Table:
        """Read the files, for at most ``seconds``, and return those past reading.

        A file that was sound when it was last read, and has not changed since, is read only ``anew``; of a file that
        there is no time for counts whether it is there.
        """
        files = _lying_here(files)
        until = time.monotonic() + seconds
        rows = []
        for number, (path, size) in enumerate(_listed(files)):
            in_time = time.monotonic() < until
            if not (self._is_sound(path, size, anew) if in_time else self._is_there(path, size)):
                rows.append(number)
        return self._still_listed(files, rows)

    def without(self, files: pa.Table, damaged: pa.Table) -> pa.Table:
        """Return the files that are not among the damaged ones."""
        gone = set(_paths(damaged))
        return files.filter(pa.array([path not in gone for path in _paths(files)], pa.bool_()))

    def damages(self, damaged: pa.Table) -> list[Damage]:
        """Describe damaged files by what the table's version tells of them."""
        measurement = self.table.measurement
        return [
            Damage(
                measurement,
                row["path"],
                row["partition.day"],
                row["num_records"],
                {tag: Bounds(row.get(f"min.{tag}"), row.get(f"max.{tag}")) for tag in measurement.series_tags},
                {name: Bounds(row.get(f"min.{name}"), row.get(f"max.{name}")) for name in TIMES},
            )
            for row in damaged.to_pylist()
        ]

    def _still_listed(self, files: pa.Table, rows: list[int]) -> pa.Table:
        """Return those of these rows that the newest version has: vacuum may have removed one replaced meanwhile."""
        if not rows:
            return files.slice(0, 0)  # nearly always: taking none by number costs a page milliseconds
        files = files.take(pa.array(rows, pa.int64()))
        snapshot = self.table.snapshot()
        listed = set() if snapshot is None else set(_paths(snapshot.files))
        return files.filter(pa.array([path in listed for path in _paths(files)], pa.bool_()))

    def _is_there(self, path: str, size: int) -> bool:
        try:
            return os.stat(f"{self.table.folder}/{path}").st_size == size  # of a thousand files on one page
        except FileNotFoundError:
            return False

    def _is_sound(self, path: str, size: int, anew: bool) -> bool:
        file = self.table.folder / path
        try:
            status = file.stat()
        except FileNotFoundError:
            return False
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if not anew and self._sound.get(path) == stamp:
            return True
        if status.st_size == size and is_whole(file):
            self._sound[path] = stamp
            return True
        aside = self.table.folder / FOLDER
        aside.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):  # another process was here first
            os.rename(file, aside / file.name)
        return False


def _listed(files: pa.Table) -> Iterator[tuple[str, int]]:
    if len(files):
        yield from zip(_paths(files), files.column("size_bytes").to_pylist(), strict=True)


def _lying_here(files: pa.Table) -> pa.Table:
    """Return the files that are not archived."""
    is_here = [not is_archived(path) for path in _paths(files)]
    return files if all(is_here) else files.filter(pa.array(is_here, pa.bool_()))


def _paths(files: pa.Table) -> list[str]:
    return files.column("path").to_pylist() if len(files) else []


def note_loss(root: Path, damage: Damage, rows: int) -> None:
    """Write to the store's folder how many rows of a damaged file were given up. Raises OSError."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    entry = {"file": damage.name, "day": f"{damage.day}", "rows": rows, "at": time.time_ns()}
    descriptor = os.open(root / LOSSES, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # A line that a full disk cut must not swallow the next one.
        durable.write_all(descriptor, b"\n" + json.dumps(entry).encode() + b"\n")
        durable.sync(descriptor)
    finally:
        os.close(descriptor)


def losses(root: Path) -> int:
    """Count the rows of the store that were given up; a file that was given up twice counts once."""
    try:
        lines = (root / LOSSES).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    entries: dict[str, int] = {}
    for line in lines:
        with suppress(ValueError):
            entry = json.loads(line)
            entries[entry["file"]] = entry["rows"]
    return sum(entries.values())
