"""Bring fills of a file into the order in which they happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from trading.brokers.values import FillLine

_NO_TIME = datetime.min.replace(tzinfo=UTC)


def in_order_of_time(fills: Sequence[FillLine]) -> tuple[FillLine, ...]:
    """Return fills by day and time, those of one second by their ids' number: an id grows with the exchange's order
    even where the file's rows do not. Without ids, and without times, they stay as in the file, turned around where
    its days and times fall from row to row."""
    moments = [(fill.day, fill.at or _NO_TIME) for fill in fills]
    has_newest_first = len(moments) > 1 and moments[0] > moments[-1]
    return tuple(sorted(fills[::-1] if has_newest_first else fills, key=_rank))


def _rank(fill: FillLine) -> tuple[str, datetime, int, str]:
    """Return what fills are sorted by; fills without a time stay in their order, whatever their ids."""
    ordinal = fill.fill_id if fill.at is not None and fill.fill_id and fill.fill_id.isdecimal() else ""
    return fill.day.isoformat(), fill.at or _NO_TIME, len(ordinal.lstrip("0")), ordinal.lstrip("0")
