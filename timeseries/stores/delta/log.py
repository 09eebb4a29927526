"""A table's log made anew from the files that lie beside it, where it is gone, cut or emptied.

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
from typing import Any

from deltalake.transaction import AddAction

from timeseries.errors import StoreDamaged
from timeseries.spool import durable
from timeseries.stores.delta.care import REWRITE, statistics_of
from timeseries.stores.delta.damage import FOLDER
from timeseries.stores.delta.file import is_whole
from timeseries.stores.delta.query import Engine
from timeseries.stores.delta.table import LOG, MeasurementTable, listing

Span = Callable[[date], tuple[int, int]]  # the first and the last instant of a day, ns UTC


def relist(engine: Engine, table: MeasurementTable, span: Span) -> None:
    """Put a log that names every file in the place of the damaged one, which is kept aside; one that is sound stays.

    Made beside it and renamed: killed in between there is no log, which is damage, too.
    """
    with table.lock:
        if not _is_damaged(table):
            return
        scratch = MeasurementTable(table.folder / f"_relisted-{os.getpid()}", table.measurement)
        shutil.rmtree(scratch.folder, ignore_errors=True)
        snapshot = scratch.made()
        scratch.commit(snapshot, added=list(_files(engine, table, span)), transaction=(REWRITE, snapshot.version + 1))
        _put_in_place(table.folder, scratch.folder)
        table.forget()


def _is_damaged(table: MeasurementTable) -> bool:
    try:
        table.forget()
        table.snapshot()
    except StoreDamaged:
        return True
    return False


def _put_in_place(folder: Path, scratch: Path) -> None:
    aside = folder / FOLDER
    aside.mkdir(mode=0o700, exist_ok=True)
    if (folder / LOG).exists():
        os.rename(folder / LOG, aside / f"log-{time.time_ns()}")
    os.rename(scratch / LOG, folder / LOG)
    durable.sync_path(folder)
    shutil.rmtree(scratch, ignore_errors=True)


def _files(engine: Engine, table: MeasurementTable, span: Span) -> Iterator[AddAction]:
    entries = _entries(table.folder / LOG)
    lying = {f"{file.parent.name}/{file.name}" for file in table.folder.glob("day=*/*.parquet")}
    for path in sorted(lying | entries.keys()):
        entry = entries.get(path, {})
        if entry is not None:
            yield _action(engine, table, path, entry, span)


def _entries(log: Path) -> dict[str, dict[str, Any] | None]:
    """Return what the entries that can be read tell of each file: how it was added, None where it was removed."""
    entries: dict[str, dict[str, Any] | None] = {}
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


def _action(engine: Engine, table: MeasurementTable, path: str, entry: dict[str, Any], span: Span) -> AddAction:
    day = date.fromisoformat(path.partition("/")[0].removeprefix("day="))
    if "stats" in entry:
        return listing(path, entry["size"], day, json.loads(entry["stats"]))
    file = table.folder / path
    if is_whole(file):
        return listing(path, file.stat().st_size, day, statistics_of(engine, table, path))
    first, last = span(day)
    unknown = {"numRecords": 0, "minValues": {"time": first}, "maxValues": {"time": last}, "nullCount": {}}
    return listing(path, file.stat().st_size, day, unknown)
