"""Candles of the archive's ticks: those of `DataManager.get_candles`, of many symbols and years."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from ops.spark.ticks import SESSION, Spans, as_read, in_sessions
from timeseries.measurements import IntArray
from timeseries.spool.hand_overs import SourceLines
from timeseries.stores.candles import candles_of

SCHEMA = (
    "symbol string, time timestamp, open double, high double, low double, close double, volume double, ticks bigint"
)


def candles(
    ticks: DataFrame, spans: Mapping[str, Spans], lines: SourceLines, *, every: int, start: int, stop: int
) -> DataFrame:
    """Return each symbol's candles of ``every`` ns, labelled ``start <= time < stop`` (ns UTC)."""

    def counted(key: tuple[pa.Scalar, ...], of_session: pa.Table) -> pa.Table:
        symbol, begins = (part.as_py() for part in key)
        session = spans[symbol].session(begins)
        rows = candles_of(as_read(of_session, lines), every=every, start=start, stop=stop, sessions=[session])
        rows = rows.set_column(0, "time", rows.column("time").cast(pa.timestamp("us", "UTC")))
        return rows.add_column(0, "symbol", pa.repeat(pa.scalar(symbol, pa.string()), len(rows)))

    placed = in_sessions(ticks, spans, lines, candle_instants)
    return placed.groupBy("symbol", SESSION).applyInArrow(counted, SCHEMA)


def candle_instants(ticks: pa.RecordBatch) -> IntArray:
    """Return the instants that ticks tell of: a bar, stamped at its end, tells of the nanosecond before."""
    instants: IntArray = ticks.column("exchange_time").to_numpy() - pc.equal(ticks.column("kind"), "bar").to_numpy(
        zero_copy_only=False
    )
    return instants
