"""The decoding of frames into points, many at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from timeseries.measurements import TICKS, Column, IntArray, Kind, Mask, Measurement, PointBatch, Rows
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

Scalar = TypeVar("Scalar", bound=np.generic)
Frames = npt.NDArray[np.void]  # one structured row per frame


@dataclass
class DecodedPoints:
    """Points of some frames, with the series numbers of their segment, in the order of their sequences."""

    sequences: IntArray
    exchange_time: IntArray
    received_time: IntArray
    ordinal: IntArray
    series: IntArray
    columns: dict[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, keep: Rows) -> DecodedPoints:
        """Return the points that a boolean mask or an index array names."""
        columns = {name: column[keep] for name, column in self.columns.items()}
        return DecodedPoints(
            self.sequences[keep],
            self.exchange_time[keep],
            self.received_time[keep],
            self.ordinal[keep],
            self.series[keep],
            columns,
        )


def parse_definition(frame: bytes) -> tuple[int, dict[str, str]]:
    """Return the number and tags of the series that a frame defines."""
    return int.from_bytes(frame[16:20], "little"), orjson.loads(frame[20:-4])


def decode(measurement: Measurement, chunk: bytes, frames: Scan) -> tuple[DecodedPoints, int]:
    """Return the points of the frames and how many frames are of a kind, version or field that is not known here."""
    is_ticks = measurement is TICKS
    is_own = frames.prefixes >> 16 & 0xFFFF == (TICK if is_ticks else RECORD)  # kind and version
    offsets, lengths = frames.offsets[is_own], frames.lengths[is_own]
    points, unknown = _ticks(chunk, offsets, lengths) if is_ticks else _records(measurement, chunk, offsets, lengths)
    if unknown.any():
        points = points.take(~unknown)
    return points, int(np.count_nonzero(unknown)) + int(np.count_nonzero(~is_own))


def _ticks(chunk: bytes, offsets: IntArray, lengths: IntArray) -> tuple[DecodedPoints, Mask]:
    """Return a point per frame, and which of them are of a length or field that is not known here."""
    points = _empty(TICKS, len(offsets))
    unknown = np.zeros(len(offsets), dtype=bool)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        if length < TICK_FIXED.itemsize + 4:
            unknown[rows] = True
            continue
        frames = _place(points, rows, chunk, offsets[rows], int(length), TICK_FIXED)
        bitmaps = frames["bitmap"]
        for bitmap in np.unique(bitmaps):
            names = [name for name in TICK_FIELDS if bitmap & TICK_BITS[name]]
            same = bitmaps == bitmap
            if bitmap & ~np.uint32(TICK_KNOWN) or TICK_FIXED.itemsize + 8 * len(names) + 4 != length:
                unknown[rows[same]] = True
                continue
            alike = rows if same.all() else rows[same]
            values = frames["values"][same]
            for number, name in enumerate(names):
                points.columns[name][alike] = values[:, number]
            points.columns["kind"][alike] = "bar" if bitmap & BAR else "price"
    return points, unknown


def _records(
    measurement: Measurement, chunk: bytes, offsets: IntArray, lengths: IntArray
) -> tuple[DecodedPoints, Mask]:
    """Return a point per frame, and which of them hold no JSON object or a field that is not known here."""
    points = _empty(measurement, len(offsets))
    _place(points, np.arange(len(offsets)), chunk, offsets, RECORD_FIXED.itemsize, RECORD_FIXED)
    start = RECORD_FIXED.itemsize
    columns = list(points.columns.items())
    unknown = np.zeros(len(offsets), dtype=bool)
    for row, (offset, length) in enumerate(zip(offsets.tolist(), lengths.tolist(), strict=True)):
        try:
            record = orjson.loads(chunk[offset + start : offset + length - 4])
        except orjson.JSONDecodeError:
            record = None
        if not isinstance(record, dict) or not record.keys() <= points.columns.keys():
            unknown[row] = True
            continue
        for name, column in columns:
            if (figure := record.get(name)) is not None:
                column[row] = figure
    return points, unknown


def _place(
    points: DecodedPoints, rows: IntArray, chunk: bytes, offsets: IntArray, length: int, fixed: np.dtype[np.void]
) -> Frames:
    """Put the ``fixed`` fields of frames of one length in these rows of the points.

    Returns the frames, which have as ``values`` the float64 between those fields and the CRC.
    """
    floats = (length - fixed.itemsize - 4) // 8 if fixed is TICK_FIXED else 0
    layout = [*fixed.descr, ("values", "<f8", (max(floats, 0),))]
    layout.append(("rest", f"V{length - np.dtype(layout).itemsize}"))
    row = np.dtype(layout)
    frames: Frames
    if len(offsets) and int(offsets[-1] - offsets[0]) == (len(offsets) - 1) * length and row.itemsize == length:
        frames = np.frombuffer(chunk, dtype=row, count=len(offsets), offset=int(offsets[0]))
    else:
        octets = np.frombuffer(chunk, dtype=np.uint8)
        frames = octets[offsets[:, None] + np.arange(length)].reshape(-1).view(row)
    points.sequences[rows] = frames["sequence"]
    points.exchange_time[rows] = frames["exchange_time"]
    points.received_time[rows] = frames["received_time"]
    points.ordinal[rows] = frames["ordinal"]
    points.series[rows] = frames["series"]
    return frames


def _empty(measurement: Measurement, count: int) -> DecodedPoints:
    columns: dict[str, Column] = {}
    for spec in measurement.fields:
        if spec.kind is Kind.FLOAT:
            columns[spec.name] = np.full(count, np.nan)
        elif spec.kind is Kind.INTEGER:
            columns[spec.name] = np.zeros(count, dtype=np.int64)
        else:
            columns[spec.name] = np.full(count, None, dtype=object)
    sequences, exchange, received, ordinal, series = np.zeros((5, count), dtype=np.int64)
    return DecodedPoints(sequences, exchange, received, ordinal, series, columns)


class Batching:
    """The points of several segments on their way into one batch with one table of series."""

    def __init__(self, measurement: Measurement, source: str) -> None:
        self.measurement, self.source = measurement, source
        self._points: list[DecodedPoints] = []
        self._table: dict[tuple[tuple[str, str], ...], int] = {}

    def add(self, points: DecodedPoints, definitions: dict[int, dict[str, str]]) -> None:
        """Take the points whose series are all in ``definitions``."""
        if not len(points):
            return
        numbers, inverse = np.unique(points.series, return_inverse=True)
        indexes = []
        for number in numbers:
            key = tuple(sorted({**definitions[int(number)], "source": self.source}.items()))
            indexes.append(self._table.setdefault(key, len(self._table)))
        points.series = np.array(indexes, dtype=np.int64)[inverse]
        self._points.append(points)

    def batch(self) -> PointBatch:
        """Return all points that were added, as one batch."""
        pieces = self._points or [_empty(self.measurement, 0)]
        exchange = _joined([points.exchange_time for points in pieces])
        return PointBatch(
            self.measurement,
            self.source,
            sequences=_joined([points.sequences for points in pieces]),
            time=exchange + _joined([points.ordinal for points in pieces]),
            exchange_time=exchange,
            received_time=_joined([points.received_time for points in pieces]),
            series=_joined([points.series for points in pieces]),
            series_table=tuple(dict(key) for key in self._table),
            columns={name: _joined([points.columns[name] for points in pieces]) for name in pieces[0].columns},
        )


def _joined(columns: list[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)
