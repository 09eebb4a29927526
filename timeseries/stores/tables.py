"""Points as Arrow tables: one shape for what stores answer and for what still waits in the spool."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import TIMES, Kind, Measurement, PointBatch
from timeseries.stores.base import PointQuery
from timeseries.values import day_of, midnight

ColumnArray = npt.NDArray[Any]  # of floats, integers or texts, as its column's kind has it
INSTANT = pa.timestamp("ns", "UTC")
TYPES = {
    Kind.FLOAT: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.TEXT: pa.string(),
    Kind.NUMBERS: pa.map_(pa.string(), pa.float64()),
}


def point_schema(measurement: Measurement, fields: tuple[str, ...] | None = None) -> pa.Schema:
    """Return the columns of a reading: the series' tags, the times (int64 ns), the fields.

    Of a reading of some fields only, received_time is no column.
    """
    times = TIMES if fields is None else TIMES[:2]
    return pa.schema(
        [(tag, pa.string()) for tag in measurement.series_tags]
        + [(name, pa.int64()) for name in times]
        + [(f.name, TYPES[f.kind]) for f in measurement.fields if fields is None or f.name in fields]
    )


def in_series_order(batch: PointBatch) -> PointBatch:
    """Return the points sorted by their tags, then by time; of equal series and time the last to arrive stays alone."""
    names = [tuple(entry[tag] for tag in batch.measurement.series_tags) for entry in batch.series_table]
    rank_of = {name: rank for rank, name in enumerate(sorted(set(names)))}
    rank = np.array([rank_of[name] for name in names], dtype=np.int64)[batch.series]
    order = np.lexsort((batch.time, rank))  # stable: equal keys stay in order of arrival
    rank, time = rank[order], batch.time[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (rank[1:] != rank[:-1]) | (time[1:] != time[:-1])
    return batch.take(order[last])


def uncleared(batch: PointBatch, cleared_through: dict[str, int]) -> PointBatch:
    """Return the points without those of an account that was cleared after they were recorded."""
    if not cleared_through or not len(batch):
        return batch
    limit = np.array([cleared_through.get(entry["account"], 0) for entry in batch.series_table], dtype=np.int64)
    return batch.take(batch.sequences > limit[batch.series])


def accounts_of(batch: PointBatch) -> dict[str, int]:
    """Return how many points each account has in the batch."""
    counts: dict[str, int] = {}
    for entry, number in zip(
        batch.series_table, np.bincount(batch.series, minlength=len(batch.series_table)), strict=True
    ):
        if number:
            counts[entry["account"]] = counts.get(entry["account"], 0) + int(number)
    return counts


def table_of(batch: PointBatch, fields: tuple[str, ...] | None = None) -> pa.Table:
    """Return the points as a table in their order; tags are dictionary-encoded, absent floats null."""
    wanted = point_schema(batch.measurement, fields)
    series = pa.array(batch.series.astype(np.int32))
    columns: dict[str, pa.Array] = {
        tag: pa.DictionaryArray.from_arrays(series, pa.array([entry[tag] for entry in batch.series_table], pa.string()))
        for tag in batch.measurement.series_tags
    }
    columns |= {name: pa.array(getattr(batch, name)) for name in TIMES if name in wanted.names}
    for field in batch.measurement.fields:
        if field.name in wanted.names:
            columns[field.name] = _column(batch.columns[field.name], field.kind)
    return pa.table(columns)


def _column(values: ColumnArray, kind: Kind) -> pa.Array:
    if kind is Kind.FLOAT:
        return pa.array(values, pa.float64(), mask=np.isnan(values))
    if kind is not Kind.NUMBERS:
        return pa.array(values, TYPES[kind])
    lengths = np.fromiter((len(entry) for entry in values), dtype=np.int32, count=len(values))
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    names = pa.array(chain.from_iterable(entry.keys() for entry in values), pa.string())
    numbers = pa.array(chain.from_iterable(entry.values() for entry in values), pa.float64())
    return pa.MapArray.from_arrays(pa.array(offsets), names, numbers)


def merged(stored: pa.Table | None, tail: list[pa.Table], query: PointQuery) -> pa.Table:
    """Return the stored and the waiting points as one table, ascending by time and tags.

    Of points of equal series and time the one that was recorded last stays.
    """
    schema = point_schema(query.measurement, query.fields)
    waiting = [points.cast(schema) for points in tail if len(points)]
    if not waiting:
        return schema.empty_table() if stored is None else stored
    points = pa.concat_tables(waiting if stored is None else [stored, *waiting])
    keys = ["time", *(tag for tag in query.measurement.series_tags if tag not in query.tags)]
    points = points.append_column("arrival", pa.array(np.arange(len(points))))
    points = points.take(pc.sort_indices(points, [(name, "ascending") for name in (*keys, "arrival")]))
    is_last = np.zeros(len(points), dtype=bool)
    is_last[-1] = True
    for name in keys:
        column = points.column(name)
        is_last[:-1] |= pc.not_equal(column[1:], column[:-1]).to_numpy()
    return points.filter(pa.array(is_last)).drop_columns(["arrival"])


def with_instants(points: pa.Table) -> pa.Table:
    """Return the points with their times as timestamps in UTC."""
    for number, name in enumerate(points.column_names):
        if name in TIMES:
            points = points.set_column(number, name, points.column(name).cast(INSTANT))
    return points


def spread_numbers(table: pa.Table, name: str) -> pa.Table:
    """Replace a column of named numbers by one float column per name, ascending by name."""
    rows = table.column(name).to_pylist(maps_as_pydicts="strict")
    names = sorted({key for row in rows if row for key in row})
    table = table.drop_columns([name])
    for key in names:
        # A name may be that of a tag or a time; the indicator's column then says what it is.
        column = key if key not in table.column_names else f"{name}.{key}"
        table = table.append_column(column, pa.array([(row or {}).get(key) for row in rows], pa.float64()))
    return table


def newest_rows(points: pa.Table, origin: str) -> dict[str, dict[str, Any]]:
    """Return each symbol's newest row by exchange time, with its ``origin``."""
    order = pc.sort_indices(points, [("exchange_time", "descending"), ("time", "descending")])
    symbols = points.column("symbol").take(order)
    firsts = [pc.index(symbols, symbol).as_py() for symbol in pc.unique(symbols)]
    rows = points.take(order.take(pa.array(firsts, pa.uint64()))).to_pylist(maps_as_pydicts="strict")
    return {row["symbol"]: {**row, "origin": origin} for row in rows}


def by_day(rows: pa.Table, zone: ZoneInfo) -> Iterator[tuple[date, pa.Table]]:
    """Yield the rows of each day of the zone, with its date."""
    times = rows.column("time").to_numpy()
    first = day_of(int(times.min()), zone)
    days = (day_of(int(times.max()), zone) - first).days
    if days == 0:
        yield first, rows
        return
    midnights = [midnight(first + timedelta(days=n), zone) for n in range(1, days + 1)]
    number = np.searchsorted(np.array(midnights), times, side="right")
    for n in np.unique(number):
        yield first + timedelta(days=int(n)), rows.filter(pa.array(number == n))
