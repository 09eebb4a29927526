"""The meaning of a file's `volume`: a tick's own, or the day's so far. A bar's is its own; a tick's has evidence.

Two readings of a day's ticks can be refuted:

*Each tick's own.* Sizes that are a tick's own come in any order. Of n values in random order, neighbours that are equal
taken as one, the number of falls is the whole part of a sum of n uniform numbers (Tanny 1973, Stanley 1977), so at most
k falls have a chance below (k+1)^n / n!. The reading is refuted where that is below `CHANCE_MAX`, a thousandth of a
millionth: twelve changes without a fall, or twenty with one, cannot be chance.

*The day's so far.* Such a volume never falls below what it had reached; files only mix up rows of neighbouring seconds.
The reading is refuted where more than `FALSE_PERCENT_MAX` of the rows lie below what had been reached `LATE_NS` before.

What refutes the first is the day's so far, where it keeps to the second or hardly ever falls (a volume that starts anew
with a session falls once, and lies below what it was from then on). What refutes the second alone is each tick's own.
Where neither is refuted the caller is asked, unless nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from math import lgamma, log
from zoneinfo import ZoneInfo

import numpy as np

from timeseries.measurements import FloatArray, IntArray
from trading.errors import InvalidValue
from trading.feeds.ticks import Ticks
from trading.feeds.times import QUARTER, SECOND, distinct

CUMULATIVE, PER_TICK, AUTO = MODES = ("cumulative", "per_tick", "auto")
CHANCE_MAX = 1e-9
FALSE_PERCENT_MAX = 5
LATE_NS = 2 * SECOND
STEPS_MIN = 20  # fewer tell nothing


@dataclass(frozen=True, slots=True)
class VolumeReading:
    """How the volumes of one symbol of a file are read, and why; ``is_assumed``: without evidence."""

    symbol: str
    mode: str
    evidence: str
    is_assumed: bool = False


@dataclass(frozen=True, slots=True)
class _Day:
    """The volumes of one symbol and day: ``rows`` of the ticks, in the order of their lines."""

    symbol: str
    day: date
    rows: IntArray
    time: IntArray
    volume: FloatArray


def with_volumes(ticks: Ticks, *, mode: str, zone: ZoneInfo, name: str) -> tuple[Ticks, tuple[VolumeReading, ...]]:
    """Return ticks, in the order of their lines, with each volume in its field, `volume` or `day_volume`, and why.

    ``auto`` decides for each symbol and day of ``zone``; ``name`` is the file's. A `day_volume` that the file gave by
    name stays.

    Raises: InvalidValue, where both readings explain a day's volumes.
    """
    rows = np.flatnonzero(~np.isnan(ticks.volume))
    if mode != AUTO or not np.isnan(ticks.open[rows]).all():
        mode, evidence = (
            (PER_TICK, "a bar's volume is its own") if mode == AUTO else (mode, f"as asked (--volume {mode})")
        )
        readings = [
            VolumeReading(ticks.symbols[place], mode, evidence) for place in np.unique(ticks.symbol[rows]).tolist()
        ]
        cumulative = rows if mode == CUMULATIVE else rows[:0]
    else:
        days = list(_days(ticks, rows, zone))
        readings = _with_the_symbols_own([_read(day, ticks, name) for day in days])
        of_days = [day.rows for day, reading in zip(days, readings, strict=True) if reading.mode == CUMULATIVE]
        cumulative = np.concatenate([*of_days, rows[:0]])
    volume, day_volume = ticks.volume.copy(), ticks.day_volume.copy()
    day_volume[cumulative] = np.where(np.isnan(day_volume[cumulative]), volume[cumulative], day_volume[cumulative])
    volume[cumulative] = np.nan
    return replace(ticks, volume=volume, day_volume=day_volume), tuple(readings)


def days_of(times: IntArray, zone: ZoneInfo) -> IntArray:
    """Return the date in the zone of each instant (ns UTC), as its ordinal. Dates begin with a quarter of an hour."""
    quarters, which = distinct(times // QUARTER)
    dates = [datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).toordinal() for quarter in quarters.tolist()]
    return np.array(dates, dtype=np.int64)[which]


def _days(ticks: Ticks, rows: IntArray, zone: ZoneInfo) -> Iterator[_Day]:
    """Yield the rows by symbol and day of the zone."""
    if not len(rows):
        return
    days, day = distinct(days_of(ticks.time[rows], zone))
    groups, group = distinct(ticks.symbol[rows] * len(days) + day)
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(groups) + 1))
    for place, number in enumerate(groups.tolist()):
        members = rows[order[bounds[place] : bounds[place + 1]]]
        symbol, on = ticks.symbols[number // len(days)], date.fromordinal(int(days[number % len(days)]))
        yield _Day(symbol, on, members, ticks.time[members], ticks.volume[members])


def _read(day: _Day, ticks: Ticks, name: str) -> VolumeReading:
    """Return how the volumes of a day are read, and why. Raises: InvalidValue."""
    steps = np.diff(day.volume)
    changes, falls = int(np.count_nonzero(steps)), int(np.count_nonzero(steps < 0))
    words = f"{falls:,} of {changes:,} changes fall"
    if not np.isnan(ticks.day_volume[day.rows]).any():
        return VolumeReading(day.symbol, PER_TICK, "the day's so far has a column of its own")
    if len(day.rows) <= STEPS_MIN:
        return VolumeReading(day.symbol, PER_TICK, f"{len(day.rows)} volumes tell nothing", is_assumed=True)
    if not day.volume.any():
        return VolumeReading(day.symbol, CUMULATIVE, "every volume is 0: both readings agree")
    order = np.argsort(day.time, kind="stable")
    reached = np.maximum.accumulate(day.volume[order])
    before = np.searchsorted(day.time[order], day.time - LATE_NS, side="right") - 1
    is_below = (before >= 0) & (day.volume < reached[before])  # what the volume had reached `LATE_NS` before
    sinks = 100 * np.count_nonzero(is_below) > FALSE_PERCENT_MAX * len(day.rows)
    if _chance(changes, falls) <= CHANCE_MAX and (not sinks or 100 * falls <= FALSE_PERCENT_MAX * changes):
        return VolumeReading(day.symbol, CUMULATIVE, words)
    if sinks:
        return VolumeReading(day.symbol, PER_TICK, words)
    raise InvalidValue(
        f"{name}: the volumes of {day.symbol} on {day.day} may be each tick's own or the day's so far ({words}).",
        field="volume",
        hint=f"Say which: --volume {PER_TICK} or --volume {CUMULATIVE}.",
    )


def _chance(changes: int, falls: int) -> float:
    """Return a bound of the chance that values in random order fall at most so often."""
    values = changes + 1
    return float(np.exp(min(0.0, values * log(falls + 1) - lgamma(values + 1))))


def _with_the_symbols_own(readings: list[VolumeReading]) -> list[VolumeReading]:
    """Read a day without evidence as the symbol's other days in the file are, where those agree."""
    modes: dict[str, set[str]] = {}
    for reading in readings:
        if not reading.is_assumed:
            modes.setdefault(reading.symbol, set()).add(reading.mode)
    return [
        replace(reading, mode=next(iter(modes[reading.symbol])), evidence="as on its other days", is_assumed=False)
        if reading.is_assumed and len(modes.get(reading.symbol, ())) == 1
        else reading
        for reading in readings
    ]
