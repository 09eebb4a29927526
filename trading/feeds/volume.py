"""What a file's `volume` means: a tick's own, or the day's so far. A bar's is its own; a tick's is told by evidence.

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

from trading.errors import InvalidValue
from trading.feeds.ticks import FloatArray, IntArray, Mask, Ticks
from trading.feeds.times import QUARTER, SECOND, distinct

CUMULATIVE, PER_TICK, AUTO = MODES = ("cumulative", "per_tick", "auto")
CHANCE_MAX = 1e-9
FALSE_PERCENT_MAX = 5
LATE_NS = 2 * SECOND
STEPS_MIN = 20  # fewer tell nothing


@dataclass(frozen=True, slots=True)
class VolumeReading:
    """How the volumes of one symbol of a file are read, and why; ``is_assumed``: nothing told."""

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
    """Return ticks, in the order of their lines, whose `volume` went to where it belongs: `volume` or `day_volume`.

    ``auto`` decides for each symbol and day of ``zone``; ``name`` is the file's. A `day_volume` that the file gave by
    name stays.

    Raises: InvalidValue, where both readings explain a day's volumes.
    """
    known = np.flatnonzero(~np.isnan(ticks.volume))
    if mode != AUTO:
        return _as(mode, ticks, known, f"as asked (--volume {mode})")
    if not np.isnan(ticks.open[known]).all():
        return _as(PER_TICK, ticks, known, "a bar's volume is its own")
    days = list(_days(ticks, known, zone))
    readings = _with_the_symbols_own([_read(day, ticks, name) for day in days])
    moved = [day.rows for day, reading in zip(days, readings, strict=True) if reading.mode == CUMULATIVE]
    return _moved(ticks, np.concatenate([*moved, known[:0]])), tuple(readings)


def _as(mode: str, ticks: Ticks, known: IntArray, evidence: str) -> tuple[Ticks, tuple[VolumeReading, ...]]:
    """Read all known volumes in one way."""
    readings = (
        VolumeReading(ticks.symbols[place], mode, evidence) for place in np.unique(ticks.symbol[known]).tolist()
    )
    return _moved(ticks, known if mode == CUMULATIVE else known[:0]), tuple(readings)


def _moved(ticks: Ticks, rows: IntArray) -> Ticks:
    """Return the ticks with the volume of these rows as the day's so far; one that the file gave by name stays."""
    volume, day_volume = ticks.volume.copy(), ticks.day_volume.copy()
    day_volume[rows] = np.where(np.isnan(day_volume[rows]), volume[rows], day_volume[rows])
    volume[rows] = np.nan
    return replace(ticks, volume=volume, day_volume=day_volume)


def days_of(times: IntArray, zone: ZoneInfo) -> IntArray:
    """Return the date in the zone of each instant (ns UTC), as its ordinal. Dates begin with a quarter of an hour."""
    quarters, which = distinct(times // QUARTER)
    dates = [datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).toordinal() for quarter in quarters.tolist()]
    return np.array(dates, dtype=np.int64)[which]


def _days(ticks: Ticks, known: IntArray, zone: ZoneInfo) -> Iterator[_Day]:
    if not len(known):
        return
    days, day = distinct(days_of(ticks.time[known], zone))
    groups, group = distinct(ticks.symbol[known] * len(days) + day)
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(groups) + 1))
    for place, number in enumerate(groups.tolist()):
        rows = known[order[bounds[place] : bounds[place + 1]]]
        symbol, on = ticks.symbols[number // len(days)], date.fromordinal(int(days[number % len(days)]))
        yield _Day(symbol, on, rows, ticks.time[rows], ticks.volume[rows])


def _read(day: _Day, ticks: Ticks, name: str) -> VolumeReading:
    """Return how a day is read. Raises: InvalidValue."""
    changes, falls = _changes(day.volume)
    words = f"{falls:,} of {changes:,} changes fall"
    if not np.isnan(ticks.day_volume[day.rows]).any():
        return VolumeReading(day.symbol, PER_TICK, "the day's so far has a column of its own")
    if len(day.rows) <= STEPS_MIN:
        return VolumeReading(day.symbol, PER_TICK, f"{len(day.rows)} volumes tell nothing", is_assumed=True)
    if not day.volume.any():
        return VolumeReading(day.symbol, CUMULATIVE, "every volume is 0: both readings agree")
    sinks = 100 * np.count_nonzero(_is_below(day)) > FALSE_PERCENT_MAX * len(day.rows)
    if _chance(changes, falls) <= CHANCE_MAX and (not sinks or 100 * falls <= FALSE_PERCENT_MAX * changes):
        return VolumeReading(day.symbol, CUMULATIVE, words)
    if sinks:
        return VolumeReading(day.symbol, PER_TICK, words)
    raise InvalidValue(
        f"{name}: the volumes of {day.symbol} on {day.day} may be each tick's own or the day's so far ({words}).",
        field="volume",
        hint=f"Say which: --volume {PER_TICK} or --volume {CUMULATIVE}.",
    )


def _changes(volume: FloatArray) -> tuple[int, int]:
    """Return how often the volume changes from row to row, and how often it falls."""
    steps = np.diff(volume)
    return int(np.count_nonzero(steps)), int(np.count_nonzero(steps < 0))


def _chance(changes: int, falls: int) -> float:
    """Return a bound of the chance that values in random order fall at most so often."""
    values = changes + 1
    return float(np.exp(min(0.0, values * log(falls + 1) - lgamma(values + 1))))


def _is_below(day: _Day) -> Mask:
    """Tell which rows lie below what the volume had reached `LATE_NS` before them."""
    order = np.argsort(day.time, kind="stable")
    reached = np.maximum.accumulate(day.volume[order])
    before = np.searchsorted(day.time[order], day.time - LATE_NS, side="right") - 1
    return np.asarray((before >= 0) & (day.volume < reached[before]))


def _with_the_symbols_own(readings: list[VolumeReading]) -> list[VolumeReading]:
    """Read a day that tells nothing as the symbol's other days in the file are, where those agree."""
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
