"""One schema per measurement: tags, fields, types, units; and the batch of points that rooms hand on.

Fields are only ever added, nullable, and never retyped: golden segments and old tables stay readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Kind(StrEnum):
    """The type of a field as every store keeps it."""

    FLOAT = "float"  # float64, NaN for absent in a batch, null in a table
    INTEGER = "integer"  # int64, never absent
    TEXT = "text"  # str or None
    NUMBERS = "numbers"  # dict of str to float: a set of named values that grows (indicators)


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a measurement, with its unit and its meaning."""

    name: str
    kind: Kind
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One kind of point: ``tags`` identify a series with source and account, series and time identify a point."""

    name: str
    tags: tuple[str, ...]
    fields: tuple[Field, ...]
    meaning: str
    version: int = 1

    @property
    def series_tags(self) -> tuple[str, ...]:
        """All tags of a series, in the order in which stores sort and partition."""
        return ("account", "source", *self.tags)


def _floats(*names: str, unit: str = "") -> tuple[Field, ...]:
    return tuple(Field(name, Kind.FLOAT, unit) for name in names)


def _texts(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, Kind.TEXT) for name in names)


# Every point has these three times, int64 nanoseconds since 1970 UTC: `time` (its key: exchange_time + n ns),
# `exchange_time` (exactly as given) and `received_time` (the recorder's clock).
TIMES = ("time", "exchange_time", "received_time")

TICKS = Measurement(
    "ticks",
    ("symbol",),
    (
        Field(
            "kind", Kind.TEXT, "", "price (a last price, in close) or bar (open, high, low, close; stamped at its end)"
        ),
        *_floats("close", "open", "high", "low", unit="price"),
        *_floats("volume", "day_volume", unit="quantity"),
        *_floats("bid", "ask", unit="price"),
        *_floats("last_quantity", "oi", unit="quantity"),
    ),
    "what the market did: last prices and bars, as received",
)
INDICATORS = Measurement(
    "indicators",
    ("symbol", "timeframe"),
    (Field("values", Kind.NUMBERS, "", "name to value, as the strategy computed them"),),
    "what a strategy computed from the ticks",
)
POSITION_SNAPSHOTS = Measurement(
    "position_snapshots",
    ("symbol", "strategy"),
    (
        *_floats("price", unit="price"),
        *_floats("quantity", unit="quantity"),
        *_floats("pnl", unit="money"),
        *_floats("pnl_percent", unit="%"),
    ),
    "how an open position stood",
)
EXECUTIONS = Measurement(
    "executions",
    ("symbol", "strategy"),
    (
        *_texts("trade_id", "fill_id", "order_id", "side", "role"),
        *_floats("price", unit="price"),
        *_floats("quantity", unit="quantity"),
        *_floats("charges", "pnl", unit="money"),
        Field("trade_pk", Kind.INTEGER, "", "the trade's row in the ledger"),
    ),
    "fills as they were recorded, projected from the ledger's journal; what was corrected since is in the ledger alone",
)
TRAILING_SL = Measurement(
    "trailing_sl",
    ("symbol", "strategy"),
    (
        *_texts("trade_id", "method"),
        *_floats("stop_price", "extreme_price", unit="price"),
        Field("trade_pk", Kind.INTEGER, "", "the trade's row in the ledger"),
    ),
    "stop changes, projected from the ledger's journal",
)
STRATEGY_METRICS = Measurement(
    "strategy_metrics",
    ("strategy",),
    (
        *_floats("realised_pnl", "charges", "day_pnl", unit="money"),
        *_floats("trades_closed", "wins", "losses", unit="count"),
    ),
    "a strategy's day so far, projected from the ledger's journal at each exit fill",
)

MEASUREMENTS = {m.name: m for m in (TICKS, INDICATORS, POSITION_SNAPSHOTS, EXECUTIONS, TRAILING_SL, STRATEGY_METRICS)}

# Nobody records these: they are counted from the ticks that a store took, and outlast them. A minute's `volume` is the
# sum of its ticks' own, its `day_volume` the highest; so it follows from the ticks of that minute alone.
MINUTES = Measurement(
    "candles_1m",
    ("symbol",),
    (
        *_floats("open", "high", "low", "close", unit="price"),
        *_floats("volume", "day_volume", unit="quantity"),
        Field("ticks", Kind.INTEGER, "", "how many ticks and bars are in it"),
        Field("first_time", Kind.INTEGER, "ns UTC", "the time of the first of them"),
    ),
    "what the ticks of a minute (UTC) come to, stamped at its start; in a bucket of InfluxDB's own beside the others",
)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Column = npt.NDArray[np.generic]  # of float64, int64, or objects: see `Kind`
Rows = Mask | npt.NDArray[np.intp] | IntArray  # a mask, or indexes


@dataclass(frozen=True, slots=True)
class PointBatch:
    """Points of one source and one measurement in order of arrival, columnar.

    Shapes: every array has one entry per point. ``series[i]`` indexes ``series_table``, whose entries map each of the
    measurement's ``series_tags`` to text. ``columns`` has one array per field of the measurement: float64 (NaN absent),
    int64, or object (text or None; dict for NUMBERS).
    """

    measurement: Measurement
    source: str
    sequences: IntArray  # ascending; the recorder issued each once per source and measurement
    time: IntArray
    exchange_time: IntArray
    received_time: IntArray
    series: IntArray
    series_table: tuple[dict[str, str], ...]
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.sequences)

    def newest(self) -> PointBatch:
        """Return the newest point of each series by exchange time, then by time; of equal ones the last."""
        order = np.lexsort((self.time, self.exchange_time, self.series))
        series = self.series[order]
        return self.take(order[np.append(series[1:] != series[:-1], True)[: len(order)]])

    def take(self, keep: Rows) -> PointBatch:
        """Return the points that a boolean mask or an index array names."""
        return PointBatch(
            self.measurement,
            self.source,
            self.sequences[keep],
            self.time[keep],
            self.exchange_time[keep],
            self.received_time[keep],
            self.series[keep],
            self.series_table,
            {name: column[keep] for name, column in self.columns.items()},
        )
