"""The newest points of a table: asked of the files with the latest exchange times first, and of as few as can matter.

What is newest lies nearly always in the last few files, however long the day: those before are opened only for a symbol
that is not in them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from timeseries.stores.base import PointQuery
from timeseries.stores.delta.query import Engine, Selection, chosen, filled, holding, newest_rows
from timeseries.stores.delta.table import WRITTEN, MeasurementTable
from timeseries.stores.tables import point_schema

FIRST_FILES = 4
MORE_FILES = 4  # times as many in each further step
LATEST = "max.exchange_time"
Row = dict[str, Any]


def newest_points(engine: Engine, table: MeasurementTable, selection: Selection, query: PointQuery) -> pa.Table:
    """Return the newest point by exchange time, then by time: of each of the query's symbols, else of all together."""
    newest: dict[str, Row] = {}
    files, count = _latest_first(selection.files), FIRST_FILES
    while len(files):
        for row in _rows(engine, chosen(table, files[:count]), query):
            symbol = "" if query.symbols is None else row["symbol"]
            newest[symbol] = max(newest.get(symbol, row), row, key=_age)
        query, files = _undecided(query, files[count:], newest)
        count *= MORE_FILES
    schema = point_schema(query.measurement, query.fields)
    rows = [{name: row[name] for name in schema.names} for row in newest.values()]
    return pa.Table.from_pylist(rows, schema=schema)


def _latest_first(files: pa.Table) -> pa.Table:
    return files.sort_by([(LATEST, "descending")]) if LATEST in files.column_names else files


def _rows(engine: Engine, selection: Selection, query: PointQuery) -> list[Row]:
    question = newest_rows(selection, query)
    rows = engine.ask(question.sql, question.parameters)
    points = filled(rows, question, query).to_pylist()
    return [{**point, WRITTEN: written} for point, written in zip(points, rows[WRITTEN].to_pylist(), strict=True)]


def _age(row: Row) -> tuple[int, int, int]:
    # A point may stand in several files: of two of one time the one written last.
    return row["exchange_time"], row["time"], row[WRITTEN]


def _undecided(query: PointQuery, files: pa.Table, newest: dict[str, Row]) -> tuple[PointQuery, pa.Table]:
    """Return the query for those alone of which one of these files may hold something as new, and such files."""
    if not len(files):
        return query, files
    is_bounded = LATEST in files.column_names and not files[LATEST].null_count
    latest = files[LATEST][0].as_py() if is_bounded else float("inf")
    names = ("",) if query.symbols is None else query.symbols
    left = tuple(name for name in names if name not in newest or newest[name]["exchange_time"] <= latest)
    if query.symbols is None:
        return query, files if left else files[:0]
    return replace(query, symbols=left), holding(files, left)
