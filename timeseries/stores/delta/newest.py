"""The newest points of a table: asked of the files with the latest exchange times first, and of as few as can matter.

What is newest lies nearly always in the last few files, however long the day: those before are opened only for a symbol
that is not in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from timeseries.stores.base import PointQuery
from timeseries.stores.delta.archived_newest import as_newest, keep_fetched
from timeseries.stores.delta.query import Engine, FileSelection, as_reading, holding, newest_rows, selection_of
from timeseries.stores.delta.table import WRITTEN, MeasurementTable
from timeseries.stores.tables import point_schema

FIRST_FILES = 4
MORE_FILES = 4  # times as many in each further step
LATEST = "max.exchange_time"
NewestRow = dict[str, Any]  # a point with its `written`, by column


def newest_points(engine: Engine, table: MeasurementTable, selection: FileSelection, query: PointQuery) -> pa.Table:
    """Return the newest point by exchange time, then by time: of each of the query's symbols, else of all together."""
    newest: dict[str, NewestRow] = {}
    files, count = selection.files, FIRST_FILES
    if LATEST in files.column_names:
        files = files.sort_by([(LATEST, "descending")])
    while len(files):
        asked = as_newest(table, files[:count], query)
        question = newest_rows(selection_of(table, asked), query)
        rows = engine.ask(question.sql, question.parameters)
        keep_fetched(engine, table, asked)
        for row, written in zip(as_reading(rows, question, query).to_pylist(), rows[WRITTEN].to_pylist(), strict=True):
            symbol = "" if query.symbols is None else row["symbol"]
            row[WRITTEN] = written  # a point may stand in several files: of two of one time the one written last
            newest[symbol] = max(
                newest.get(symbol, row), row, key=lambda point: (point["exchange_time"], point["time"], point[WRITTEN])
            )
        query, files = _undecided(query, files[count:], newest)
        count *= MORE_FILES
    schema = point_schema(query.measurement, query.fields)
    points = [{name: point[name] for name in schema.names} for point in newest.values()]
    return pa.Table.from_pylist(points, schema=schema)


def _undecided(query: PointQuery, files: pa.Table, newest: Mapping[str, NewestRow]) -> tuple[PointQuery, pa.Table]:
    """Narrow the query to the symbols of which these files may hold a point as new, and the files to those that may."""
    if not len(files):
        return query, files
    is_bounded = LATEST in files.column_names and not files[LATEST].null_count
    latest = files[LATEST][0].as_py() if is_bounded else float("inf")
    names = ("",) if query.symbols is None else query.symbols
    left = tuple(name for name in names if name not in newest or newest[name]["exchange_time"] <= latest)
    if query.symbols is None:
        return query, files if left else files[:0]
    return replace(query, symbols=left), holding(files, left)
