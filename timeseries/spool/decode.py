"""Frames to points, many at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from timeseries.measurements import TICKS, IntArray, Kind, Measurement, PointBatch
from timeseries.spool.frames import (
    BAR,
    RECORD,
    RECORD_FIXED,
    TICK,
    TICK_BITS,
    TICK_FIELDS,
    TICK_FIXED,
    TICK_KNOWN,
    Scan,
)

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class Points:
    """Points of some frames, with the series numbers of their segment. Rows are in the order of the sequences."""

    sequences: IntArray
    exchange_time: IntArray
    received_time: IntArray
    ordinal: IntArray
    series: IntArray
    columns: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, keep: Any) -> Points:
        columns = {name: column[keep] for name, column in self.columns.items()}
        return Points(
            self.sequences[keep],
            self.exchange_time[keep],
            self.received_time[keep],
            self.ordinal[keep],
            self.series[keep],
            columns,
        )


def parse_definition(frame: bytes) -> tuple[int, dict[str, str]]:
    """Return a series' number and tags."""
    return int.from_bytes(frame[16:20], "little"), orjson.loads(frame[20:-4])


def decode(measurement: Measurement, data: bytes, frames: Scan) -> tuple[Points, int]:
    """Return the points of the frames and how many frames are of a kind, version or field that is not known here."""
    kinds = frames.prefixes >> 16 & 0xFFFF  # kind and version
    if measurement is TICKS:
        chosen = kinds == TICK
        points, unknown = _ticks(data, frames.offsets[chosen], frames.lengths[chosen])
    else:
        chosen = kinds == RECORD
        points, unknown = _records(measurement, data, frames.offsets[chosen], frames.lengths[chosen])
    return points, unknown + int(np.count_nonzero(~chosen))


def _ticks(data: bytes, offsets: IntArray, lengths: IntArray) -> tuple[Points, int]:
    points = _empty(TICKS, len(offsets))
    unknown = np.zeros(len(offsets), dtype=bool)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        if length < TICK_FIXED.itemsize + 4:
            unknown[rows] = True
            continue
        fixed = _gather(data, offsets[rows], int(length), TICK_FIXED)
        _place(points, rows, fixed)
        bitmaps = fixed["bitmap"]
        for bitmap in np.unique(bitmaps):
            names = [name for name in TICK_FIELDS if bitmap & TICK_BITS[name]]
            same = bitmaps == bitmap
            if bitmap & ~np.uint32(TICK_KNOWN) or TICK_FIXED.itemsize + 8 * len(names) + 4 != length:
                unknown[rows[same]] = True
                continue
            where = rows if same.all() else rows[same]
            values = fixed["values"][same]
            for number, name in enumerate(names):
                points.columns[name][where] = values[:, number]
            points.columns["kind"][where] = "bar" if bitmap & BAR else "price"
    if unknown.any():
        return points.take(~unknown), int(np.count_nonzero(unknown))
    return points, 0


def _records(measurement: Measurement, data: bytes, offsets: IntArray, lengths: IntArray) -> tuple[Points, int]:
    points = _empty(measurement, len(offsets))
    fixed = _gather(data, offsets, RECORD_FIXED.itemsize, RECORD_FIXED)
    _place(points, np.arange(len(offsets)), fixed)
    start = RECORD_FIXED.itemsize
    columns = [(item.name, points.columns[item.name]) for item in measurement.fields]
    unknown = np.zeros(len(offsets), dtype=bool)
    for row, (offset, length) in enumerate(zip(offsets.tolist(), lengths.tolist(), strict=True)):
        values = _json_object(data[offset + start : offset + length - 4])
        unknown[row] = values is None or not values.keys() <= points.columns.keys()
        if unknown[row] or values is None:
            continue
        for name, column in columns:
            if (value := values.get(name)) is not None:
                column[row] = value
    if unknown.any():
        return points.take(~unknown), int(np.count_nonzero(unknown))
    return points, 0


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return values if isinstance(values, dict) else None


def _gather(data: bytes, offsets: IntArray, length: int, fixed: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return rows of ``fixed`` fields, and as ``values`` the float64 between them and the CRC."""
    floats = (length - fixed.itemsize - 4) // 8 if fixed is TICK_FIXED else 0
    layout: list[Any] = [*fixed.descr, ("values", "<f8", (max(floats, 0),))]
    layout.append(("rest", f"V{length - np.dtype(layout).itemsize}"))
    row = np.dtype(layout)
    if len(offsets) and int(offsets[-1] - offsets[0]) == (len(offsets) - 1) * length and row.itemsize == length:
        rows: np.ndarray[Any, Any] = np.frombuffer(data, dtype=row, count=len(offsets), offset=int(offsets[0]))
        return rows
    octets = np.frombuffer(data, dtype=np.uint8)
    gathered: np.ndarray[Any, Any] = octets[offsets[:, None] + np.arange(length)].reshape(-1).view(row)
    return gathered


def _place(points: Points, rows: IntArray, fixed: np.ndarray[Any, Any]) -> None:
    points.sequences[rows] = fixed["sequence"]
    points.exchange_time[rows] = fixed["exchange_time"]
    points.received_time[rows] = fixed["received_time"]
    points.ordinal[rows] = fixed["ordinal"]
    points.series[rows] = fixed["series"]


def _empty(measurement: Measurement, count: int) -> Points:
    columns = {item.name: _column(item.kind, count) for item in measurement.fields}
    sequences, exchange, received, ordinal, series = np.zeros((5, count), dtype=np.int64)
    return Points(sequences, exchange, received, ordinal, series, columns)


def _column(kind: Kind, count: int) -> np.ndarray[Any, Any]:
    if kind is Kind.FLOAT:
        return np.full(count, np.nan)
    if kind is Kind.INTEGER:
        return np.zeros(count, dtype=np.int64)
    return np.full(count, None, dtype=object)


class Batching:
    """Collects the points of several segments into one batch with one table of series."""

    def __init__(self, measurement: Measurement, source: str) -> None:
        self.measurement, self.source = measurement, source
        self._parts: list[Points] = []
        self._table: dict[tuple[tuple[str, str], ...], int] = {}

    def add(self, points: Points, definitions: dict[int, dict[str, str]]) -> None:
        """Take the points whose series are all in ``definitions``."""
        if not len(points):
            return
        numbers, inverse = np.unique(points.series, return_inverse=True)
        indexes = [self._index(definitions[int(number)]) for number in numbers]
        points.series = np.array(indexes, dtype=np.int64)[inverse]
        self._parts.append(points)

    def _index(self, tags: dict[str, str]) -> int:
        key = tuple(sorted({**tags, "source": self.source}.items()))
        return self._table.setdefault(key, len(self._table))

    def batch(self) -> PointBatch:
        parts = self._parts or [_empty(self.measurement, 0)]
        sequences, exchange, received, ordinal, series = (
            _joined([getattr(part, name) for part in parts])
            for name in ("sequences", "exchange_time", "received_time", "ordinal", "series")
        )
        columns = {item.name: _joined([part.columns[item.name] for part in parts]) for item in self.measurement.fields}
        table = tuple(dict(key) for key in self._table)
        time = exchange + ordinal
        return PointBatch(self.measurement, self.source, sequences, time, exchange, received, series, table, columns)


def _joined(parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
