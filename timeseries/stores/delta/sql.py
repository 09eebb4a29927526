"""Free questions to the embedded store: one SELECT over a view per measurement, which reads those files alone."""

# ruff: noqa: S608  (names in the SQL come from the schemas and the table's own list of files)
from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from timeseries.errors import InvalidValue, QueryTimeout, StoreDamaged
from timeseries.measurements import Kind
from timeseries.stores.base import Parameter, PointQuery
from timeseries.stores.delta.query import FileSelection, newest_sql, select
from timeseries.stores.delta.table import MeasurementTable
from timeseries.stores.tables import TYPES, point_schema

INTERRUPT_SECONDS = 0.05
EVER = (-(2**63), 2**63 - 1)
TYPE_NAMES = {
    TYPES[Kind.FLOAT]: "DOUBLE",
    TYPES[Kind.INTEGER]: "BIGINT",
    TYPES[Kind.TEXT]: "VARCHAR",
    TYPES[Kind.NUMBERS]: "MAP(VARCHAR, DOUBLE)",
}
# Python's variables are no tables, no extension is fetched, and nothing is written to disk.
CONFIG = {
    "python_enable_replacements": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "temp_directory": "",
    "memory_limit": "1GB",
    "threads": "2",
}


def ask(
    tables: Iterable[MeasurementTable], text: str, parameters: Mapping[str, Parameter], *, timeout: float
) -> pa.Table:
    """Return the answer to one SELECT; ``$name`` in it stands for a parameter.

    Raises:
        InvalidValue: it is not one SELECT, or DuckDB refuses it.
        QueryTimeout: it took longer than ``timeout`` seconds.
    """
    with duckdb.connect(":memory:", config=CONFIG) as connection, _interrupted(connection, timeout):
        paths: list[str] = []
        for table in tables:
            query = PointQuery(table.measurement, *EVER)
            name = table.measurement.name
            try:
                snapshot = table.snapshot()
                if name not in text.lower() and snapshot is not None and snapshot.archived is not None:
                    continue  # nothing is fetched from the archive that is not asked for
                selection = select(table, snapshot, query)
                paths += selection.paths
                connection.execute(f'CREATE VIEW "{name}" AS {_view(table, selection)}')
            except (duckdb.Error, StoreDamaged):
                if name in text.lower():
                    raise
                # A damaged file of a table that is not asked for: what it is named in is refused for its absence.
        connection.execute(f"SET allowed_paths = {_list(paths)}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            statements = connection.extract_statements(text)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InvalidValue("A question is one SELECT.", field="text", hint="Nothing is written through it.")
            return connection.sql(text, params=dict(parameters)).to_arrow_table()
        except (duckdb.IOException, duckdb.InterruptException):
            raise
        except duckdb.Error as error:
            raise InvalidValue(f"DuckDB refuses the question: {error}", field="text") from error


@contextmanager
def _interrupted(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Break off what the connection does after ``seconds``. Raises: QueryTimeout."""
    done, late = threading.Event(), threading.Event()

    def watch() -> None:
        if not done.wait(seconds):
            late.set()
            while not done.is_set():  # one that comes between two statements would interrupt nothing
                connection.interrupt()
                done.wait(INTERRUPT_SECONDS)

    watcher = threading.Thread(target=watch, name="velox-query-limit", daemon=True)
    watcher.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if not late.is_set():
            raise
        raise QueryTimeout(seconds) from error
    finally:
        done.set()
        watcher.join()


def _view(table: MeasurementTable, selection: FileSelection) -> str:
    # Where no file counts the nulls of a field, it was added to the measurement later and is no column of theirs.
    later = {field.name for field in table.measurement.fields}
    later = {name for name in later if f"null_count.{name}" not in selection.files.column_names}
    columns = [
        f'CAST(NULL AS {TYPE_NAMES[field.type]}) AS "{field.name}"'
        if field.name in later or not len(selection)
        else f'"{field.name}"'
        for field in point_schema(table.measurement)
    ]
    if not len(selection):
        return f"SELECT {', '.join(columns)} WHERE false"
    files = f"read_parquet({_list(selection.paths)}, hive_partitioning = false, union_by_name = true)"
    return f"SELECT {', '.join(columns)} FROM {files}{newest_sql(table) if selection.overlapping else ''}"


def _list(paths: list[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
