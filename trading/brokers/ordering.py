"""Bring fills of a file into the order in which they happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import groupby, pairwise
from operator import attrgetter

from trading.brokers.packed import BLOCK_ROWS
from trading.brokers.packed_fills import packed_fills
from trading.brokers.values import FillLine

_NO_TIME = datetime.min.replace(tzinfo=UTC)


def in_order_of_time(fills: Sequence[FillLine]) -> Sequence[FillLine]:
    """Return fills by day and time, those of one second by their ids' number: an id grows with the exchange's order
    even where the file's rows do not. Without ids, and without times, they stay as in the file, turned around where
    its days and times fall from row to row. Many are sorted day by day, and stay packed."""
    has_newest_first = len(fills) > 1 and _moment(fills[0]) > _moment(fills[-1])
    ordered = reversed(fills) if has_newest_first else iter(fills)
    days = [fill.day for fill in (reversed(fills) if has_newest_first else fills)]
    if len(fills) < BLOCK_ROWS or any(later < earlier for earlier, later in pairwise(days)):
        return tuple(sorted(ordered, key=_rank))
    packed = packed_fills()
    for _, of_day in groupby(ordered, key=attrgetter("day")):
        packed.extend(sorted(of_day, key=_rank))
    return packed


def _moment(fill: FillLine) -> tuple[date, datetime]:
    return fill.day, fill.at or _NO_TIME


def _rank(fill: FillLine) -> tuple[str, datetime, int, str]:
    """Return what fills are sorted by; fills without a time stay in their order, whatever their ids."""
    ordinal = fill.fill_id if fill.at is not None and fill.fill_id and fill.fill_id.isdecimal() else ""
    return fill.day.isoformat(), fill.at or _NO_TIME, len(ordinal.lstrip("0")), ordinal.lstrip("0")
