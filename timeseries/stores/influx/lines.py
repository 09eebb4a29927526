"""Points as InfluxDB's line protocol, column by column: no Python object per point."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import Field, IntArray, Kind, Measurement, PointBatch
from timeseries.stores.influx.names import coded, coded_key, coded_text, escaped
from timeseries.stores.tables import ColumnArray

NO_SEPARATOR = pa.scalar("", pa.string())


@dataclass(frozen=True, slots=True)
class EncodedLines:
    """Encoded points, those of one series and time in order of arrival: the server keeps the last.

    Shapes: ``sequences``, ``times`` and ``series`` (which index ``series_table``) have one entry per line; line i is
    ``data[starts[i]:starts[i + 1]]`` with its line break.
    """

    sequences: IntArray
    times: IntArray
    series: IntArray
    series_table: tuple[dict[str, str], ...]
    starts: npt.NDArray[np.int32]
    data: memoryview

    def __len__(self) -> int:
        return len(self.sequences)

    def body(self, first: int, stop: int) -> bytes:
        """Return the lines ``first <= i < stop`` as one body."""
        return bytes(self.data[self.starts[first] : self.starts[stop]])

    def account(self, number: int) -> str:
        """Return the account of one line."""
        return self.series_table[int(self.series[number])]["account"]

    def line(self, number: int) -> bytes:
        """Return one line without its line break."""
        return self.body(number, number + 1)[:-1]


def encode(batch: PointBatch) -> EncodedLines:
    """Encode every point of the batch as a line.

    ``present`` says which fields a point has: the server joins two points of one time field by field, and of these the
    last one alone shall stand.
    """
    # Series by series, ascending: the server's cache takes such a body fastest. Stable: the last to arrive stays last.
    names = [tuple(sorted(entry.items())) for entry in batch.series_table]
    rank = {name: number for number, name in enumerate(dict.fromkeys(names))}
    ranks = np.array([rank[name] for name in names], dtype=np.int64)
    batch = batch.take(np.lexsort((batch.time, ranks[batch.series])))
    heads = []
    for tags in batch.series_table:
        series = ",".join(f"{tag}={escaped(coded(tags[tag]))}" for tag in sorted(batch.measurement.series_tags))
        heads.append(f"{batch.measurement.name},{series} exchange_time=")
    pieces: list[pa.Array | str] = [pa.array(heads, pa.string()).take(pa.array(batch.series.astype(np.int32)))]
    pieces += [_text(batch.exchange_time), "i,received_time=", _text(batch.received_time)]
    if masked(batch.measurement):
        pieces += ["i,present=", _text(_presence(batch))]
    pieces.append("i")
    for field in batch.measurement.fields:
        pieces += _pieces(field, batch.columns[field.name])
    pieces += [" ", _text(batch.time), "\n"]
    lines = pc.binary_join_element_wise(*pieces, NO_SEPARATOR, null_handling="skip")
    starts, data = np.zeros(1, np.int32), memoryview(b"")
    if len(lines):
        _, offsets, values = lines.buffers()
        starts = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
        data = memoryview(values)
    return EncodedLines(batch.sequences, batch.time, batch.series, batch.series_table, starts, data)


def masked(measurement: Measurement) -> bool:
    """Tell whether points of a measurement carry ``present``; of named numbers the names are no fixed set."""
    return all(field.kind is not Kind.NUMBERS for field in measurement.fields)


def _text(numbers: ColumnArray) -> pa.StringArray:
    return pc.cast(pa.array(numbers), pa.string())


def _presence(batch: PointBatch) -> IntArray:
    bits = np.zeros(len(batch), dtype=np.int64)
    for number, field in enumerate(batch.measurement.fields):
        column = batch.columns[field.name]
        if field.kind is Kind.FLOAT:
            has = ~np.isnan(column)
        elif field.kind is Kind.TEXT:
            has = pa.array(column, pa.string()).is_valid().to_numpy(zero_copy_only=False)
        else:
            has = np.ones(len(batch), dtype=bool)
        bits |= has.astype(np.int64) << number
    return bits


def _pieces(field: Field, column: ColumnArray) -> list[pa.Array | str]:
    """Return the texts that a field adds to each line; null adds nothing."""
    if field.kind is Kind.NUMBERS:
        lengths = np.fromiter((len(entry) for entry in column), dtype=np.int32, count=len(column))
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        names = pa.array(chain.from_iterable(entry.keys() for entry in column), pa.string()).dictionary_encode()
        keys = pa.array([f",{escaped(coded_key(name))}=" for name in names.dictionary.to_pylist()], pa.string())
        numbers = pa.array(chain.from_iterable(entry.values() for entry in column), pa.float64())
        pieces = pc.binary_join_element_wise(keys.take(names.indices), pc.cast(numbers, pa.string()), NO_SEPARATOR)
        return [pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), pieces), NO_SEPARATOR)]
    name = f",{field.name}="
    if field.kind is Kind.INTEGER:
        return [name, _text(column), "i"]
    if field.kind is Kind.TEXT:
        encoded = pa.array(column, pa.string()).dictionary_encode()
        texts = [
            name + '"' + coded_text(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
            for text in encoded.dictionary.to_pylist()
        ]
        return [pa.array(texts, pa.string()).take(encoded.indices)]
    absent = np.isnan(column)
    if absent.all():
        return []
    values = pc.cast(pa.array(column, mask=absent), pa.string())
    return [pc.binary_join_element_wise(name, values, NO_SEPARATOR)] if absent.any() else [name, values]
