"""Excursions of closed trades, walked over the archive's ticks: those of `manage.py excursions`.

The trades are the fills of `manage.py trade_export --fills --format parquet`. A trade's path is walked session by
session; its two ends are the furthest of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypedDict

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql

from ops.spark.ticks import SESSION, Spans, as_read, in_sessions
from timeseries.measurements import IntArray
from timeseries.spool.hand_overs import SourceLines
from trading.domain.excursions import PricePath, TickPrices, TickTimes, path_prices
from trading.domain.money import from_units, to_units
from trading.domain.position import SPLIT, Execution

END = ("", "_price", "_at")  # of the columns of each end: P&L, price, when
MONEY, INSTANT = pa.decimal128(38, 8), pa.timestamp("us", "UTC")
PARTS = pa.schema(
    [
        ("symbol", pa.string()),
        ("trade_id", pa.string()),
        *((f"{end}{part}", INSTANT if part == "_at" else MONEY) for end in ("mae", "mfe") for part in END),
        ("ticks", pa.int64()),
    ]
)
PARTS_OF_SPARK = (
    "symbol string, trade_id string, mae decimal(38,8), mae_price decimal(38,8), mae_at timestamp, "
    "mfe decimal(38,8), mfe_price decimal(38,8), mfe_at timestamp, ticks bigint"
)


class FillRow(TypedDict):
    """A fill of `closed_trades`; ``micros`` is when it was, in microseconds UTC."""

    sequence: int
    micros: int
    side: str
    price: Decimal
    quantity: Decimal
    role: str


class TradeOfFills(TypedDict):
    """A row of `closed_trades`."""

    symbol: str
    trade_id: str
    trade_side: str
    multiplier: Decimal
    fills: list[FillRow]


def closed_trades(fills: DataFrame) -> DataFrame:
    """Return a row per closed trade with its fills in order, without those of which a time of day is unknown."""
    fill = sql.struct("sequence", sql.unix_micros("at").alias("micros"), "side", "price", "quantity", "role")
    in_order = sql.sort_array(sql.collect_list(fill)).alias("fills")
    trades = fills.where(sql.col("state") == "CLOSED").groupBy("symbol", "trade_id", "trade_side", "multiplier")
    return trades.agg(in_order, sql.bool_and(sql.col("at").isNotNull()).alias("is_timed")).where("is_timed")


def excursions(trades: DataFrame, ticks: DataFrame, spans: Mapping[str, Spans], lines: SourceLines) -> DataFrame:
    """Return `PARTS` of each trade: its lowest and highest P&L, before charges, the price there and when it was."""
    held = _by_session(trades, spans)
    placed = in_sessions(ticks, spans, lines, tick_times)
    placed = placed.join(held.select("symbol", SESSION).distinct(), ["symbol", SESSION], "left_semi")

    def walked(of_session: pa.Table, of_trades: pa.Table) -> pa.Table:
        prices = path_prices(as_read(of_session, lines))
        return pa.Table.from_pylist([_walked(trade, *prices) for trade in of_trades.to_pylist()], schema=PARTS)

    parts = placed.groupBy("symbol", SESSION).cogroup(held.groupBy("symbol", SESSION))
    ends = parts.applyInArrow(walked, PARTS_OF_SPARK).groupBy("symbol", "trade_id")
    lowest = sql.min(sql.struct("mae", "mae_at", "mae_price")).alias("lowest")
    highest = sql.min(sql.struct((-sql.col("mfe")).alias("loss"), "mfe_at", "mfe_price", "mfe")).alias("highest")
    columns = [*(f"lowest.mae{part}" for part in END), *(f"highest.mfe{part}" for part in END), "ticks"]
    return ends.agg(lowest, highest, sql.sum("ticks").alias("ticks")).select("symbol", "trade_id", *columns)


def tick_times(ticks: pa.RecordBatch) -> IntArray:
    """Return the times of ticks, ns UTC."""
    times: IntArray = ticks.column("time").to_numpy()
    return times


def _by_session(trades: DataFrame, spans: Mapping[str, Spans]) -> DataFrame:
    """Return each trade once for each session that it was open in."""

    def opened_in(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows, starts = [], []
            for row, trade in enumerate(batch.to_pylist()):
                first, last = (fill["micros"] * 1000 for fill in (trade["fills"][0], trade["fills"][-1]))
                within = spans[trade["symbol"]].between(first, last)
                rows += [row] * len(within)
                starts += within
            chosen = batch.take(pa.array(rows, pa.int64()))
            names = [*batch.schema.names, SESSION]
            yield pa.RecordBatch.from_arrays([*chosen.columns, pa.array(starts, pa.int64())], names=names)

    return trades.mapInArrow(opened_in, trades.withColumn(SESSION, sql.lit(0).cast("bigint")).schema)


def _walked(
    trade: TradeOfFills, times: TickTimes, lows: TickPrices, highs: TickPrices
) -> dict[str, str | int | Decimal]:
    """Return `PARTS` of a trade by the ticks of one session."""
    fills = _fills(trade["fills"])
    path = PricePath(trade["trade_side"], to_units(trade["multiplier"]), fills)
    open_until = np.searchsorted(times, fills[-1][0], side="right")
    path.add(times[:open_until], lows[:open_until], highs[:open_until])
    result = path.result()
    row: dict[str, str | int | Decimal] = {
        "symbol": trade["symbol"],
        "trade_id": trade["trade_id"],
        "ticks": result.ticks,
    }
    for end, extreme in (("mae", result.mae), ("mfe", result.mfe)):
        row |= {
            end: from_units(extreme.pnl),
            f"{end}_price": from_units(extreme.price),
            f"{end}_at": extreme.at // 1000,
        }
    return row


def _fills(rows: Sequence[FillRow]) -> list[tuple[int, Execution]]:
    return [
        (
            row["micros"] * 1000,
            Execution(row["side"], to_units(row["price"]), to_units(row["quantity"]), is_split=row["role"] == SPLIT),
        )
        for row in rows
    ]
