"""What a file's `volume` means: a tick's own, or the day's so far."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from trading.feeds.ticks import IntArray, Mask, Ticks
from trading.feeds.times import QUARTER, distinct

CUMULATIVE, PER_TICK, AUTO = MODES = ("cumulative", "per_tick", "auto")
FALLS_PERCENT_MAX = 5  # of a symbol-day's steps: within one second, rows of a cumulative feed come out of order


def with_volumes(ticks: Ticks, *, mode: str, zone: ZoneInfo) -> Ticks:
    """Return ticks, in the order of their lines, whose `volume` went to where it belongs: `volume` or `day_volume`.

    ``auto`` decides for each symbol and day of ``zone``. A `day_volume` that the file gave by name stays.
    """
    if mode == PER_TICK or not len(ticks):
        return ticks
    given = ~np.isnan(ticks.volume)
    moved = given if mode == CUMULATIVE else given & _is_cumulative(ticks, zone)
    day_volume = np.where(moved & np.isnan(ticks.day_volume), ticks.volume, ticks.day_volume)
    return replace(ticks, volume=np.where(moved, np.nan, ticks.volume), day_volume=day_volume)


def days_of(times: IntArray, zone: ZoneInfo) -> IntArray:
    """Return the date in the zone of each instant (ns UTC), as its ordinal. Dates begin with a quarter of an hour."""
    quarters, which = distinct(times // QUARTER)
    dates = [datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).toordinal() for quarter in quarters.tolist()]
    return np.array(dates, dtype=np.int64)[which]


def _is_cumulative(ticks: Ticks, zone: ZoneInfo) -> Mask:
    known = np.flatnonzero(~np.isnan(ticks.volume))
    days, day = distinct(days_of(ticks.time[known], zone))
    _, group = distinct(ticks.symbol[known] * len(days) + day)
    order = np.argsort(group, kind="stable")
    ordered, volume = group[order], ticks.volume[known][order]
    is_step = ordered[1:] == ordered[:-1]
    falls = is_step & (volume[1:] < volume[:-1])
    size = int(group.max()) + 1 if len(group) else 0
    steps = np.bincount(ordered[1:][is_step], minlength=size)
    fallen = np.bincount(ordered[1:][falls], minlength=size)
    result = np.zeros(len(ticks), dtype=bool)
    result[known] = (100 * fallen <= FALLS_PERCENT_MAX * steps)[group]
    return result
