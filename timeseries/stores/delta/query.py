"""Questions to the files of one snapshot, answered by DuckDB in this process; it never fetches an extension.

Names in the SQL come from the measurements' schemas; whatever a caller said goes in as a parameter.
"""

# ruff: noqa: S608  (names in the SQL come from the schemas, whatever a caller said goes in as a parameter)
from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.stores.base import PointQuery
from timeseries.stores.delta.table import EMPTY, WRITTEN, MeasurementTable, Snapshot
from timeseries.stores.tables import point_schema

INT64 = np.iinfo(np.int64)
SqlParameters: TypeAlias = dict[str, str | int | list[str]]
Compare = Callable[[pa.ChunkedArray, str | int], pa.ChunkedArray]  # of pyarrow.compute


class Engine:
    """One DuckDB of this process; each question gets a cursor of its own, so threads may ask at once."""

    def __init__(self, scratch: Path, *, threads: int = 2, memory: str = "1GB") -> None:
        self.settings = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "temp_directory": str(scratch),
            "memory_limit": memory,
            "threads": str(threads),
        }
        self.lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a cursor of this process's one connection, which is made at the first call."""
        with self.lock:
            if self._connection is None:
                self._connection = duckdb.connect(":memory:", config=self.settings)
            return self._connection.cursor()

    def ask(self, sql: str, parameters: SqlParameters, **tables: pa.Table) -> pa.Table:
        """Return the answer to a question, which can name the ``tables``."""
        with self.cursor() as cursor:
            for name, table in tables.items():
                cursor.register(name, table)
            return cursor.sql(sql, params=parameters).to_arrow_table()

    def run(self, sql: str, parameters: SqlParameters, **tables: pa.Table) -> None:
        """Carry out a statement without an answer, which can name the ``tables``."""
        with self.cursor() as cursor:
            for name, table in tables.items():
                cursor.register(name, table)
            cursor.execute(sql, parameters)


@dataclass(frozen=True)
class FileSelection:
    """The files of a snapshot that can hold an answer. ``overlapping``: one point may stand in two of them."""

    table: MeasurementTable
    files: pa.Table
    overlapping: bool

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def paths(self) -> list[str]:
        """Where the files lie; those that are archived are fetched first. Raises as `ArchivedFiles.bring`."""
        self.table.archived.bring(self.files)
        return [str(self.table.folder / path) for path in self.files.column("path").to_pylist()]


def select(table: MeasurementTable, snapshot: Snapshot | None, query: PointQuery) -> FileSelection:
    """Return the files whose bounds admit the query's times and tags."""
    if snapshot is None or not len(snapshot.all_files):
        return FileSelection(table, EMPTY, False)
    files = snapshot.all_files
    keep = pc.and_(
        _bound(pc.less, files, "min.time", _int64(query.stop)),
        _bound(pc.greater_equal, files, "max.time", _int64(query.start)),
    )
    for tag, value in query.tags.items():
        keep = pc.and_(keep, _bound(pc.less_equal, files, f"min.{tag}", value))
        keep = pc.and_(keep, _bound(pc.greater_equal, files, f"max.{tag}", value))
    files = files.filter(keep)
    return selection_of(table, files if query.symbols is None else holding(files, query.symbols))


def holding(files: pa.Table, symbols: Sequence[str]) -> pa.Table:
    """Return the files whose bounds admit one of the symbols."""
    ascending = sorted(symbols)
    lows, highs = (
        files.column(name).to_pylist() if name in files.column_names else [None] * len(files)
        for name in ("min.symbol", "max.symbol")
    )
    keep = []
    for low, high in zip(lows, highs, strict=True):
        place = 0 if low is None else bisect_left(ascending, low)
        keep.append(place < len(ascending) and (high is None or ascending[place] <= high))
    return files.filter(pa.array(keep, pa.bool_()))


def _bound(compare: Compare, files: pa.Table, name: str, limit: str | int) -> pa.ChunkedArray:
    """Compare each file's bound with a limit; a file that does not tell its bound may hold anything."""
    if name not in files.column_names:
        return pa.chunked_array([pa.repeat(pa.scalar(True), len(files))])
    return pc.fill_null(compare(files.column(name), limit), True)


def selection_of(table: MeasurementTable, files: pa.Table) -> FileSelection:
    """Return the selection of exactly these files of the table."""
    if len(files) < 2:
        return FileSelection(table, files, overlapping=False)
    order = files.sort_by("min.time")
    least, greatest = order.column("min.time").to_numpy(), order.column("max.time").to_numpy()
    return FileSelection(table, files, overlapping=bool((np.maximum.accumulate(greatest)[:-1] >= least[1:]).any()))


def _int64(instant: int) -> int:
    return max(INT64.min, min(instant, INT64.max))


@dataclass(frozen=True)
class Question:
    """SQL, the parameters that it names, and the columns that are the same in every row and so need no reading."""

    sql: str
    parameters: SqlParameters
    constants: dict[str, str | None]


def rows_of(table: MeasurementTable, selection: FileSelection, query: PointQuery) -> Question:
    """Ask for the query's points, each once, in no order."""
    return _rows(selection, query, (), newest_sql(table) if selection.overlapping else "")


def newest_rows(selection: FileSelection, query: PointQuery) -> Question:
    """Ask for the newest row by exchange time, then by time, with its `written`: of each symbol that is named."""
    order = f"ORDER BY exchange_time DESC, time DESC, {WRITTEN} DESC"
    each = f" QUALIFY row_number() OVER (PARTITION BY symbol {order}) = 1"
    return _rows(selection, query, (WRITTEN,), f" {order} LIMIT 1" if query.symbols is None else each)


def _rows(selection: FileSelection, query: PointQuery, extra: tuple[str, ...], choice: str) -> Question:
    names = point_schema(query.measurement, query.fields).names
    constants = {**query.tags, **_constants(selection.files, [f.name for f in query.measurement.fields])}
    columns = [*(name for name in names if name not in constants), *extra]
    where, parameters = conditions(selection, query)
    # Files written before a field was added lack it; looking into each file's columns costs, so only where one does.
    counts = {f"null_count.{name}" for name in columns} & set(selection.files.column_names)
    uneven = any(selection.files.column(name).null_count for name in counts)
    source = f"read_parquet($files, hive_partitioning=false, union_by_name={'true' if uneven else 'false'})"
    return Question(f"SELECT {', '.join(map(_quoted, columns))} FROM {source}{where}{choice}", parameters, constants)


def as_reading(rows: pa.Table, question: Question, query: PointQuery) -> pa.Table:
    """Return the rows of an answer with every column of a reading, also those that needed no reading."""
    columns = [
        pa.repeat(pa.scalar(question.constants[field.name], field.type), len(rows))
        if field.name in question.constants
        else rows.column(field.name).cast(field.type)
        for field in point_schema(query.measurement, query.fields)
    ]
    return pa.Table.from_arrays(columns, schema=point_schema(query.measurement, query.fields))


def _constants(files: pa.Table, names: list[str]) -> dict[str, str | None]:
    """Find the fields of which the files' statistics tell every row: absent in all (None), or one text in all."""
    constants: dict[str, str | None] = {}
    total = pc.sum(files.column("num_records")).as_py()
    for name in names:
        if f"null_count.{name}" not in files.column_names:
            constants[name] = None  # no file has it: it was added to the measurement later
            continue
        # A file without a count of its nulls has not the column: all its rows are without.
        nulls = pc.sum(pc.coalesce(files.column(f"null_count.{name}"), files.column("num_records"))).as_py()
        if nulls == total:
            constants[name] = None
        elif nulls == 0 and f"min.{name}" in files.column_names:
            bounds = pc.unique(
                pa.chunked_array([*files.column(f"min.{name}").chunks, *files.column(f"max.{name}").chunks])
            )
            if len(bounds) == 1 and bounds[0].is_valid:
                constants[name] = bounds[0].as_py()
    return constants


def conditions(selection: FileSelection, query: PointQuery) -> tuple[str, SqlParameters]:
    """Return the WHERE of the query with its parameters, without what the files' bounds say of every row."""
    files = selection.files
    parameters: SqlParameters = {"files": selection.paths}
    wheres = []
    for tag, value in query.tags.items():
        if not _all(files, pc.equal, f"min.{tag}", value) or not _all(files, pc.equal, f"max.{tag}", value):
            wheres.append(f"{_quoted(tag)} = ${tag}")
            parameters[tag] = value
    if query.symbols is not None:
        named = {f"symbol_{number}": symbol for number, symbol in enumerate(query.symbols)}
        wheres.append(f"symbol IN ({', '.join(f'${name}' for name in named)})")
        parameters |= named
    for compare, bound, sign, name in (
        (pc.greater_equal, "min.time", ">=", "start"),
        (pc.less, "max.time", "<", "stop"),
    ):
        instant = _int64(getattr(query, name))
        if not _all(files, compare, bound, instant):
            wheres.append(f"time {sign} ${name}")
            parameters[name] = instant
    return (f" WHERE {' AND '.join(wheres)}" if wheres else ""), parameters


def _all(files: pa.Table, compare: Compare, name: str, limit: str | int) -> bool:
    if name not in files.column_names:
        return False
    return bool(pc.all(pc.fill_null(compare(files.column(name), limit), False)).as_py())


def newest_sql(table: MeasurementTable) -> str:
    """Return the SQL that leaves of the rows of one series and time the one that was written last."""
    keys = ", ".join(_quoted(name) for name in (*table.measurement.series_tags, "time"))
    return f" QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {WRITTEN} DESC) = 1"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
