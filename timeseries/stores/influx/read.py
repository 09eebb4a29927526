"""Questions to InfluxDB as parameterised Flux, and its raw CSV as tables.

The text of a question is made of the schemas' names alone; whatever a caller said goes in as a parameter. A table of
several types would come as several with headers of their own, so each kind of value is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from csv import reader
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from timeseries.errors import InvalidValue, StoreUnavailable
from timeseries.measurements import Kind
from timeseries.stores.base import Parameter, PointQuery
from timeseries.stores.influx.lines import masked
from timeseries.stores.influx.names import RESERVED, coded, decoded, decoded_key, decoded_text
from timeseries.stores.tables import TYPES, ColumnArray, point_schema

# The first and the last instant that the server knows.
FIRST, LAST = -(2**63) + 2, 2**63 - 2
MULTILINE = csv.ParseOptions(newlines_in_values=True)
KEY = "exchange_time"  # every point has it
FluxParameters: TypeAlias = dict[str, Parameter]
Ask = Callable[[str, FluxParameters], bytes]


@dataclass(frozen=True, slots=True)
class _Run:
    """The values of one field of one series, ascending by time."""

    field: str
    tags: tuple[str, ...]
    time: ColumnArray
    values: pa.Array


def read_points(ask: Ask, bucket: str, query: PointQuery) -> pa.Table:
    """Return the points as `tables.point_schema` orders the columns, ascending by time, then by their tags.

    Points that are written meanwhile are there whole or not at all: the first question decides which there are.
    """
    schema = point_schema(query.measurement, query.fields)
    free = [tag for tag in query.measurement.series_tags if tag not in query.tags]
    whole = _runs(ask, bucket, query, _integers(query), Kind.INTEGER)
    series = {run.tags: run for run in whole if run.field == KEY}
    if not series:
        return schema.empty_table()
    starts = dict(zip(series, np.cumsum([0, *(len(run.time) for run in series.values())]).tolist(), strict=False))
    builder = _Builder(series, starts, sum(len(run.time) for run in series.values()))
    columns: dict[str, pa.Array] = {"time": pa.array(np.concatenate([run.time for run in series.values()]))}
    for tag, name in query.tags.items():
        columns[tag] = pa.repeat(pa.scalar(name, pa.string()), builder.length)
    which = pa.array(np.repeat(np.arange(len(series)), [len(run.time) for run in series.values()]))
    for number, tag in enumerate(free):
        columns[tag] = pa.array([decoded(tags[number]) for tags in series], pa.string()).take(which)
    integers = {name: builder.column(whole, name, pa.int64()) for name in _integers(query)}
    columns |= {name: column for name, column in integers.items() if name in schema.names}
    bits = [field.name for field in query.measurement.fields]  # in `present`, from the lowest on
    for kind in (Kind.FLOAT, Kind.TEXT):
        names = _fields(query, kind)
        runs = _runs(ask, bucket, query, names, kind) if names else []
        for name in names:
            column = builder.column(runs, name, TYPES[kind])
            if "present" in integers:
                present = integers["present"].fill_null(0).to_numpy(zero_copy_only=False) >> bits.index(name) & 1
                column = pc.if_else(pa.array(present.astype(bool)), column, pa.scalar(None, column.type))
            columns[name] = column
    for name in _fields(query, Kind.TEXT):
        encoded = columns[name].dictionary_encode()
        texts = [decoded_text(text) for text in encoded.dictionary.to_pylist()]
        columns[name] = pa.array(texts, pa.string()).take(encoded.indices)
    for name in _fields(query, Kind.NUMBERS):
        columns[name] = builder.maps(_runs(ask, bucket, query, None, Kind.FLOAT))
    table = pa.table([columns[name] for name in schema.names], schema=schema)
    # Every point has all of these: of one that lacks some not everything was seen.
    if any(column.null_count for column in integers.values()):
        table = table.filter(reduce(pc.and_, (column.is_valid() for column in integers.values())))
    return table.take(pc.sort_indices(table, [(name, "ascending") for name in ("time", *free)]))


class _Builder:
    """The columns of an answer, built of runs: series after series, each ascending by time."""

    def __init__(self, series: dict[tuple[str, ...], _Run], starts: dict[tuple[str, ...], int], length: int) -> None:
        self.series, self.starts, self.length = series, starts, length

    def column(self, runs: list[_Run], name: str, kind: pa.DataType) -> pa.Array:
        """Build a field's column, null where a point has it not."""
        own = [self._placed(run) for run in runs if run.field == name and run.tags in self.series]
        if not own:
            return pa.nulls(self.length, kind)
        source = np.full(self.length, -1, dtype=np.int64)
        begin = 0
        for places, values in own:
            source[places] = np.arange(begin, begin + len(values))
            begin += len(values)
        values = pa.concat_arrays([values for _, values in own]).cast(kind)
        return values.take(pa.array(source, mask=source < 0))

    def maps(self, runs: list[_Run]) -> pa.Array:
        """Build the column of named numbers of all runs."""
        own = [(decoded_key(run.field), *self._placed(run)) for run in runs if run.tags in self.series]
        if not own:
            places, names, values = np.empty(0, np.int64), np.empty(0, object), np.empty(0)
        else:
            places = np.concatenate([each for _, each, _ in own])
            names = np.repeat(np.array([name for name, _, _ in own], dtype=object), [len(each) for _, each, _ in own])
            values = np.concatenate([each.to_numpy(zero_copy_only=False) for _, _, each in own])
        order = np.argsort(places, kind="stable")
        offsets = np.searchsorted(places[order], np.arange(self.length + 1)).astype(np.int32)
        return pa.MapArray.from_arrays(
            pa.array(offsets), pa.array(names[order], pa.string()), pa.array(values[order], pa.float64())
        )

    def _placed(self, run: _Run) -> tuple[ColumnArray, pa.Array]:
        """Return the places of the run's values, without those of points that came after the points were asked for."""
        times = self.series[run.tags].time
        places = np.searchsorted(times, run.time)
        asked = places < len(times)
        asked[asked] = times[places[asked]] == run.time[asked]
        return self.starts[run.tags] + places[asked], run.values.filter(pa.array(asked))


def _integers(query: PointQuery) -> tuple[str, ...]:
    times = (KEY,) if query.fields is not None else (KEY, "received_time")
    present = ("present",) if masked(query.measurement) else ()
    return (*times, *present, *_fields(query, Kind.INTEGER))


def _fields(query: PointQuery, kind: Kind) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in query.measurement.fields
        if field.kind is kind and (query.fields is None or field.name in query.fields)
    )


# -- questions -------------------------------------------------------------------------------------------------------


def newest_time(ask: Ask, bucket: str, query: PointQuery) -> int | None:
    """Ask for the highest time (ns UTC) of the query's points; None when there is none."""
    text = f'{_points(query, (KEY,))} |> last() |> keep(columns: ["_time"]) |> group() |> max(column: "_time")'
    table = _parse(ask(text, _parameters(bucket, query)), ("_time",))
    times = table.column("_time")
    return int(pc.max(times).as_py()) if len(times) else None


def newest_times(ask: Ask, bucket: str, query: PointQuery) -> dict[str, int]:
    """Ask for the highest time (ns UTC) of each of the query's symbols that has a point."""
    text = f'{_points(query, (KEY,))} |> last() |> keep(columns: ["_time", "symbol"]) |> group()'
    table = _parse(ask(text, _parameters(bucket, query)), ("_time", "symbol"))
    times: dict[str, int] = {}
    for symbol, instant in zip(table.column("symbol").to_pylist(), table.column("_time").to_pylist(), strict=True):
        name = decoded(symbol)  # of each of its sources and accounts comes a row
        times[name] = max(instant, times.get(name, instant))
    return times


def first_times(ask: Ask, bucket: str, query: PointQuery, *, every: str) -> list[tuple[str, int]]:
    """Ask for (source, time in ns UTC) of the first point of each source in each stretch of ``every`` (such as 15m)."""
    free = () if "source" in query.tags else ("source",)
    listed = ", ".join(f'"{name}"' for name in ("_time", *free))
    text = f"{_points(query, (KEY,))} |> window(every: {every}) |> first() |> keep(columns: [{listed}]) |> group()"
    table = _parse(ask(text, _parameters(bucket, query)), ("_time", *free))
    times = table.column("_time").to_pylist()
    if not free:
        return [(query.tags["source"], instant) for instant in times]
    sources = [decoded(source) for source in table.column("source").to_pylist()]
    return list(zip(sources, times, strict=True))


def _runs(ask: Ask, bucket: str, query: PointQuery, names: tuple[str, ...] | None, kind: Kind) -> list[_Run]:
    free = [tag for tag in query.measurement.series_tags if tag not in query.tags]
    columns = ("_time", "_value", "_field", *free)
    listed = ", ".join(f'"{name}"' for name in columns)
    text = f"{_points(query, names)} |> keep(columns: [{listed}])"
    table = _parse(ask(text, _parameters(bucket, query)), columns, TYPES[kind])
    if not len(table):
        return []
    number = table.column("table").to_numpy()
    starts = np.concatenate(([0], np.flatnonzero(np.diff(number)) + 1, [len(number)])).tolist()
    time, values = table.column("_time").to_numpy(), table.column("_value").combine_chunks()
    firsts = table.select(["_field", *free]).take(pa.array(starts[:-1])).to_pylist()
    return [
        _Run(first["_field"], tuple(first[tag] for tag in free), time[start:stop], values[start:stop])
        for first, start, stop in zip(firsts, starts, starts[1:], strict=False)
    ]


def _points(query: PointQuery, names: tuple[str, ...] | None) -> str:
    """Return the Flux of the query's points with these fields; ``names`` None: every field that no schema names."""
    tags = "".join(f" and r.{tag} == {tag}" for tag in query.tags)
    if query.symbols is not None:
        tags += f" and ({' or '.join(f'r.symbol == symbol_{number}' for number in range(len(query.symbols)))})"
    if names is None:
        fields = " and ".join(f'r._field != "{name}"' for name in sorted(RESERVED - {"time"}))
    else:
        fields = " or ".join(f'r._field == "{name}"' for name in names)
    return (
        "from(bucket: bucket) |> range(start: time(v: start), stop: time(v: stop)) "
        f"|> filter(fn: (r) => r._measurement == measurement{tags} and ({fields}))"
    )


def _parameters(bucket: str, query: PointQuery) -> FluxParameters:
    return {
        "bucket": bucket,
        "start": max(FIRST, min(query.start, LAST)),
        "stop": max(FIRST, min(query.stop, LAST)),
        "measurement": query.measurement.name,
        **{tag: coded(name) for tag, name in query.tags.items()},
        **{f"symbol_{number}": coded(symbol) for number, symbol in enumerate(query.symbols or ())},
    }


# -- answers ---------------------------------------------------------------------------------------------------------


def _parse(answer: bytes, columns: tuple[str, ...], kind: pa.DataType | None = None) -> pa.Table:
    """Read the answer's columns, `_time` as int64 ns, and ``table``, the number of the run that a row belongs to.

    ``kind`` is the type of `_value`.

    Raises:
        StoreUnavailable: the answer broke off, or an error stands in its place.
    """
    types = {"table": pa.int64(), "_time": pa.timestamp("ns", "UTC")}
    types |= {name: pa.string() for name in columns if name not in types}
    if kind is not None:
        types["_value"] = kind
    if not answer.strip():
        empty = {**types, "_time": pa.int64()}
        return pa.table({name: pa.array([], column_type) for name, column_type in empty.items()})
    try:
        table = csv.read_csv(
            pa.py_buffer(answer),
            read_options=csv.ReadOptions(block_size=8 << 20),
            convert_options=csv.ConvertOptions(
                column_types=types, include_columns=list(types), null_values=[], strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, KeyError) as error:
        raise StoreUnavailable("InfluxDB broke its answer off.", hint="It is asked again.") from error
    number = table.column_names.index("_time")
    return table.set_column(number, "_time", table.column("_time").cast(pa.int64()))


def free_table(answer: bytes) -> pa.Table:
    """Read an answer of any columns as one table, types as Arrow infers them; times are ns UTC.

    Raises:
        InvalidValue: it is several tables of differing columns.
    """
    if not answer.strip():
        return pa.table({})
    names = next(iter(reader(answer[:65536].decode("utf-8", "replace").splitlines())))
    times = {name: pa.timestamp("ns", "UTC") for name in ("_time", "_start", "_stop") if name in names}
    try:
        table = csv.read_csv(
            pa.py_buffer(answer), convert_options=csv.ConvertOptions(column_types=times), parse_options=MULTILINE
        )
    except pa.ArrowInvalid as error:
        raise InvalidValue(
            "The answer is several tables of differing columns.",
            hint="Bring them together: keep(), pivot() or group().",
        ) from error
    return table.drop_columns([name for name in ("", "result", "table") if name in table.column_names])
