"""Rows as one Parquet file: money exact as decimals, times with their zone, objects as JSON, the rest as text.

A time that is known to the day only is null: the trading day has a column of its own.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trading.domain.display import json_text
from trading.domain.export import TYPES, ColumnKind, ExportBlock


def to_parquet(header: Sequence[str], rows: Iterable[Sequence[Any]], kinds: Mapping[str, ColumnKind]) -> bytes:
    """Return rows as the bytes of a Parquet file; columns of no kind are strings."""
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    schema = _schema(header, kinds)
    arrays = [
        pa.array(
            [_cell(value, kinds.get(field.name)) for value in column],
            field.type,
        )
        for column, field in zip(columns, schema, strict=True)
    ]
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def write_parquet(
    file: BinaryIO, header: Sequence[str], blocks: Iterable[ExportBlock], kinds: Mapping[str, ColumnKind]
) -> None:
    """Write a Parquet file, a group of rows for each block."""
    schema = _schema(header, kinds)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for block in blocks:
            arrays = [_timed(block, name).cast(schema.field(name).type) for name in header]
            writer.write_table(pa.table(arrays, schema=schema))


def _schema(header: Sequence[str], kinds: Mapping[str, ColumnKind]) -> pa.Schema:
    return pa.schema([(name, TYPES.get(kinds.get(name, ColumnKind.OBJECT), pa.string())) for name in header])


def _timed(block: ExportBlock, name: str) -> pa.Array:
    if block.kinds.get(name) != ColumnKind.TIME:
        return block.columns[name]
    times, untimed = block.times(name)
    return pc.if_else(untimed, pa.scalar(None, times.type), times)


def _cell(value: Any, kind: ColumnKind | None) -> Any:
    if kind == ColumnKind.OBJECT:
        return json_text(value)
    return None if kind == ColumnKind.TIME and not isinstance(value, datetime) else value
