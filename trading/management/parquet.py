"""Rows as one Parquet file: money exact as decimals, times with their zone, objects as JSON, the rest as text."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trading.domain.display import json_text
from trading.domain.export import ColumnKind

# Wide enough for all that the ledger holds and narrow enough to be multiplied: price × quantity has 38 digits, which
# is what decimals of 128 bits hold. (pyarrow itself asks for one digit more: cast to decimal256 there.)
TYPES = {
    ColumnKind.AMOUNT: pa.decimal128(19, 8),
    ColumnKind.VALUE: pa.decimal128(28, 8),
    ColumnKind.TIME: pa.timestamp("us", "UTC"),
    ColumnKind.DAY: pa.date32(),
    ColumnKind.COUNT: pa.int64(),
}


def to_parquet(header: Sequence[str], rows: Iterable[Sequence[Any]], kinds: Mapping[str, ColumnKind]) -> bytes:
    """Return rows as the bytes of a Parquet file; columns of no kind are strings.

    A time that is known to the day only is null: the trading day has a column of its own.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    schema = pa.schema([(name, TYPES.get(kinds.get(name, ColumnKind.OBJECT), pa.string())) for name in header])
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


def _cell(value: Any, kind: ColumnKind | None) -> Any:
    if kind == ColumnKind.OBJECT:
        return json_text(value)
    return None if kind == ColumnKind.TIME and not isinstance(value, datetime) else value
