"""The newest point of each series in each archived file, kept here: who asks what is newest fetches nothing.

A symbol that has not traded for years would be looked for file by file. These rows are of a file that nobody changes,
so they are written once, before the file is dropped here, and hold as long as it is archived. Of a file that this
folder has never had (`archive --adopt`) they are kept once it was fetched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from timeseries.spool import durable
from timeseries.stores.base import PointQuery
from timeseries.stores.delta.archived import is_archived
from timeseries.stores.delta.file import is_whole, seal
from timeseries.stores.delta.table import TROUBLE, MeasurementTable

if TYPE_CHECKING:
    from timeseries.stores.delta.query import Engine

FOLDER = "_newest"  # in the table's folder; vacuum leaves folders alone that begin with a line


def keep_newest(engine: Engine, table: MeasurementTable, paths: Iterable[str]) -> None:
    """Keep the newest rows of files that lie here, durably on return."""
    folder = table.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = _kept(folder)
    series = ", ".join(f'"{name}"' for name in table.measurement.series_tags)
    sql = (
        "COPY (FROM read_parquet($files, hive_partitioning=false) QUALIFY row_number() OVER (PARTITION BY "
        f"{series} ORDER BY exchange_time DESC, time DESC, written DESC) = 1) "
        "TO $target (FORMAT parquet, COMPRESSION zstd)"
    )
    with tempfile.TemporaryDirectory(prefix=".newest-", dir=table.folder) as scratch:
        for path in paths:
            if Path(path).stem in kept:
                continue
            target = Path(scratch) / Path(path).name
            engine.run(sql, {"files": [str(table.folder / path)], "target": str(target)})
            target = seal(target)
            durable.sync_path(target)
            target.rename(folder / target.name)
    durable.sync_path(folder)


def as_newest(table: MeasurementTable, files: pa.Table, query: PointQuery) -> pa.Table:
    """Return files with those that are archived replaced by their newest rows, where these can answer the query: its
    times take in all of the file's, and they are whole."""
    paths = files.column("path").to_pylist()
    if not any(map(is_archived, paths)):
        return files
    kept = _kept(table.folder / FOLDER)
    spans = zip(paths, files.column("min.time").to_pylist(), files.column("max.time").to_pylist(), strict=True)
    names = []
    for path, least, greatest in spans:
        newest = kept.get(Path(path).stem) if is_archived(path) else None
        is_within = least is not None and greatest is not None and query.start <= least and greatest < query.stop
        if newest is not None and is_within and not is_whole(newest):
            newest.unlink(missing_ok=True)  # it is kept anew
            newest = None
        names.append(f"{FOLDER}/{newest.name}" if newest is not None and is_within else path)
    place = files.column_names.index("path")
    return files.set_column(place, files.field(place), pa.array(names, files.field(place).type))


def keep_fetched(engine: Engine, table: MeasurementTable, files: pa.Table) -> None:
    """Keep the newest rows of those of these files that are archived, all of which were fetched; no disk that is full
    keeps an answer from who asked."""
    with suppress(*TROUBLE):
        if fetched := [path for path in files.column("path").to_pylist() if is_archived(path)]:
            keep_newest(engine, table, fetched)


def give_up_newest(table: MeasurementTable, listed: Iterable[str]) -> None:
    """Delete the rows of files that are archived no longer."""
    stems = {Path(path).stem for path in listed}
    for stem, file in _kept(table.folder / FOLDER).items():
        if stem not in stems:
            file.unlink(missing_ok=True)


def _kept(folder: Path) -> dict[str, Path]:
    """Return what is kept, by the stem of the file that it is of."""
    return {file.stem.rpartition("-")[0]: file for file in folder.glob("*.parquet")}
