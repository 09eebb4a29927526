"""A table's log written anew from the files that lie beside it, where it is gone, cut or emptied.

Files are durable before a commit names them, so they are all there. What the old log, as far as it can be read, has as
removed stays out; a file that no entry names comes in: of rows that stand twice the ones written last count anyway.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TypedDict

from deltalake.transaction import AddAction

from timeseries.errors import StoreDamaged
from timeseries.spool import durable
from timeseries.stores.delta.care import REWRITE, statistics_of
from timeseries.stores.delta.damage import FOLDER
from timeseries.stores.delta.file import is_whole, partition_day
from timeseries.stores.delta.query import Engine
from timeseries.stores.delta.table import LOG, FileStatistics, MeasurementTable, listing

DaySpan = Callable[[date], tuple[int, int]]  # the first and the last instant of a day, ns UTC


class Addition(TypedDict, total=False):
    """How an entry of Delta's log adds a file; ``stats`` is JSON, as `FileStatistics`."""

    path: str
    size: int
    stats: str


def relist(engine: Engine, table: MeasurementTable, span: DaySpan) -> None:
    """Put a log that names every file in the place of the damaged one, which is kept aside; leave a sound log alone.

    It is made beside the old one and renamed: killed in between there is no log, which is damage, too.
    """
    with table.lock:
        table.forget()
        try:
            table.snapshot()
            return
        except StoreDamaged:
            pass
        scratch = MeasurementTable(table.folder / f"_relisted-{os.getpid()}", table.measurement)
        shutil.rmtree(scratch.folder, ignore_errors=True)
        snapshot = scratch.complete()
        scratch.commit(
            snapshot,
            added=list(_files(engine, table, span)),
            transaction=(REWRITE, snapshot.version + 1),
            # One that no commit had named yet lists files that are here, too: of rows that stand twice one counts.
            index=table.archived.newest_number() or None,
        )
        aside = table.folder / FOLDER
        aside.mkdir(mode=0o700, exist_ok=True)
        if (table.folder / LOG).exists():
            os.rename(table.folder / LOG, aside / f"log-{time.time_ns()}")
        os.rename(scratch.folder / LOG, table.folder / LOG)
        durable.sync_path(table.folder)
        shutil.rmtree(scratch.folder, ignore_errors=True)
        table.forget()


def _files(engine: Engine, table: MeasurementTable, span: DaySpan) -> Iterator[AddAction]:
    """Yield what names each file that lies there or that the old log has: as the log has it, else as it can be read."""
    entries = _entries(table.folder / LOG)
    lying = {f"{file.parent.name}/{file.name}" for file in table.folder.glob("day=*/*.parquet")}
    for path in sorted(lying | entries.keys()):
        entry = entries.get(path, Addition())
        if entry is None:
            continue
        day = partition_day(path)
        file = table.folder / path
        if "stats" in entry:
            statistics: FileStatistics = json.loads(entry["stats"])
            yield listing(path, entry["size"], day, statistics)
        elif is_whole(file):
            yield listing(path, file.stat().st_size, day, statistics_of(engine, table, path))
        else:
            first, last = span(day)
            unknown = FileStatistics(numRecords=0, minValues={"time": first}, maxValues={"time": last}, nullCount={})
            yield listing(path, file.stat().st_size, day, unknown)


def _entries(log: Path) -> dict[str, Addition | None]:
    """Read which files the readable entries of a log add, and how; None stands for a file that they remove."""
    entries: dict[str, Addition | None] = {}
    for file in sorted(log.glob("*.json")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                action = json.loads(line)
            except ValueError:
                continue
            if "add" in action:
                entries[action["add"]["path"]] = action["add"]
            elif "remove" in action:
                entries[action["remove"]["path"]] = None
    return entries
