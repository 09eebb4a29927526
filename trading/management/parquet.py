"""Rows as one Parquet file: money exact as decimals, times with their zone, the rest as text."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DECIMAL = pa.decimal128(38, 8)


def to_parquet(
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    money: frozenset[str],
    times: frozenset[str],
    days: frozenset[str],
    counts: frozenset[str],
) -> bytes:
    """Return the file's bytes; columns that are in none of the sets are strings."""
    kinds = ((money, DECIMAL), (times, pa.timestamp("us", "UTC")), (days, pa.date32()), (counts, pa.int64()))
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    fields = [(name, next((kind for names, kind in kinds if name in names), pa.string())) for name in header]
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)]
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=pa.schema(fields)), sink, compression="zstd")
    return sink.getvalue()
