"""Bring fills of a file into the order in which they happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from trading.brokers.values import FillLine


def in_order_of_time(fills: Sequence[FillLine]) -> tuple[FillLine, ...]:
    """Return fills by day and time, those of one second by their ids' number: an id grows with the exchange's order
    even where the file's rows do not. Without ids, and without times, they stay as in the file, turned around where
    its days and times fall from row to row."""
    upwards = fills[::-1] if _falls(fills) else fills
    return tuple(sorted(upwards, key=_rank))


def _falls(fills: Sequence[FillLine]) -> bool:
    """Say whether the file has its newest row first."""
    moments = [(fill.day, _at(fill)) for fill in fills]
    return len(moments) > 1 and moments[0] > moments[-1]


def _at(fill: FillLine) -> datetime:
    return fill.at or datetime.min.replace(tzinfo=UTC)


def _rank(fill: FillLine) -> tuple[str, datetime, int, str]:
    """Return what fills are sorted by; fills without a time stay in their order, whatever their ids."""
    ordinal = fill.fill_id if fill.at is not None and fill.fill_id and fill.fill_id.isdecimal() else ""
    return fill.day.isoformat(), _at(fill), len(ordinal.lstrip("0")), ordinal.lstrip("0")
