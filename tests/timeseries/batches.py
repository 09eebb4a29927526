"""Batches of points for the tests of stores and readings: small, exact, easy to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.measurements import INDICATORS, TICKS, Kind, Measurement, PointBatch
from timeseries.stores.base import Session

INDIA = ZoneInfo("Asia/Kolkata")
SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


def at(text: str) -> int:
    """Return the instant of a desk time such as '2021-04-12 09:15', ns UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=INDIA).timestamp() * 1_000_000) * 1000


def session(day: str, opening: str = "09:15") -> Session:
    start = at(f"{day} 00:00")
    return Session(start, start + DAY, at(f"{day} {opening}"))


Point = tuple[Mapping[str, str], int, Mapping[str, Any]]  # tags without source, time, fields


def batch(
    points: Sequence[Point],
    *,
    measurement: Measurement = TICKS,
    source: str = "default",
    first: int = 1,
    exchange_times: Sequence[int] | None = None,
    received: int = 7,
) -> PointBatch:
    """Return the points as the spool hands them on, with sequences from ``first``."""
    table: list[dict[str, str]] = []
    series = [_index(table, {"account": "main", "source": source, "timeframe": "", **tags}) for tags, _, _ in points]
    named = tuple({tag: entry[tag] for tag in measurement.series_tags} for entry in table)
    time = np.array([instant for _, instant, _ in points], dtype=np.int64)
    columns = {
        field.name: _column(field.kind, [fields.get(field.name) for _, _, fields in points])
        for field in measurement.fields
    }
    return PointBatch(
        measurement, source, np.arange(first, first + len(points)), time,
        time if exchange_times is None else np.array(exchange_times, dtype=np.int64),
        np.full(len(points), received, dtype=np.int64), np.array(series, dtype=np.int64), named, columns,
    )  # fmt: skip


def _index(table: list[dict[str, str]], tags: dict[str, str]) -> int:
    if tags not in table:
        table.append(tags)
    return table.index(tags)


def _column(kind: Kind, values: list[Any]) -> Any:
    if kind is Kind.FLOAT:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    if kind is Kind.INTEGER:
        return np.array([value or 0 for value in values], dtype=np.int64)
    column = np.empty(len(values), dtype=object)
    column[:] = [({} if value is None else value) if kind is Kind.NUMBERS else value for value in values]
    return column


def prices(
    symbol: str, times: Sequence[int], closes: Sequence[float], *, account: str = "main", **more: Sequence[float]
) -> list[Point]:
    """Return last prices of one symbol; ``more`` has other fields, one value per price."""
    rows = zip(times, closes, *more.values(), strict=True)
    return [
        (
            {"account": account, "symbol": symbol},
            instant,
            {"kind": "price", "close": close, **dict(zip(more, rest, strict=True))},
        )
        for instant, close, *rest in rows
    ]


def indicators(
    symbol: str, times: Sequence[int], values: Sequence[dict[str, float]], timeframe: str = ""
) -> PointBatch:
    points = [
        ({"symbol": symbol, "timeframe": timeframe}, t, {"values": v}) for t, v in zip(times, values, strict=True)
    ]
    return batch(points, measurement=INDICATORS)
