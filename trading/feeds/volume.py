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

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import groupby
from math import lgamma, log
from operator import itemgetter
from typing import NamedTuple
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


class _DayTotals(NamedTuple):
    """What the volumes of one symbol and day tell; ``below`` are rows below what had been reached `LATE_NS` before."""

    rows: int
    changes: int
    falls: int
    below: int
    is_traded: bool
    has_own_column: bool


@dataclass(slots=True)
class _DayEvidence:
    """What the volumes of one symbol and day tell, stretch by stretch, each of which ends before the next begins."""

    rows: int = 0
    changes: int = 0
    falls: int = 0
    below: int = 0
    is_traded: bool = False
    has_own_column: bool = True
    last_volume: float = np.nan
    reached: float = -np.inf  # before what follows
    time: IntArray = field(default_factory=lambda: np.empty(0, np.int64))  # of the rows within `LATE_NS` of the last
    volume: FloatArray = field(default_factory=lambda: np.empty(0, np.float64))

    def add(self, time: IntArray, volume: FloatArray, day_volume: FloatArray) -> None:
        """Take the next rows, in the order of their lines."""
        steps = np.diff(volume, prepend=self.last_volume) if self.rows else np.diff(volume)
        self.rows += len(volume)
        self.changes += int(np.count_nonzero(steps))
        self.falls += int(np.count_nonzero(steps < 0))
        self.is_traded |= bool(volume.any())
        self.has_own_column &= not np.isnan(day_volume).any()
        self.last_volume = float(volume[-1])
        order = np.argsort(time, kind="stable")
        times, volumes = np.concatenate([self.time, time[order]]), np.concatenate([self.volume, volume[order]])
        reached = np.maximum.accumulate(np.concatenate([[self.reached], volumes]))
        before = np.searchsorted(times, time - LATE_NS, side="right")
        self.below += int(np.count_nonzero(volume < reached[before]))
        recent = int(np.searchsorted(times, times[-1] - LATE_NS, side="right"))
        # Copies: a view would hold all rows of a stretch for each symbol and day, which at 5 GB of file is half a GB.
        self.reached, self.time, self.volume = float(reached[recent]), times[recent:].copy(), volumes[recent:].copy()

    def totals(self) -> _DayTotals:
        """Return what all of it tells."""
        return _DayTotals(self.rows, self.changes, self.falls, self.below, self.is_traded, self.has_own_column)


@dataclass(frozen=True, slots=True)
class VolumeMeaning:
    """How the volumes of a file are read, and which of them are the day's so far.

    ``readings`` are the last of each symbol and mode, and each that is assumed; ``cumulative`` are symbols and days
    (ordinals), None for every row.
    """

    readings: tuple[VolumeReading, ...]
    cumulative: frozenset[tuple[str, int]] | None

    def applied(self, ticks: Ticks, zone: ZoneInfo) -> Ticks:
        """Return ticks of the file with each volume in its field; a `day_volume` that the file gave by name stays."""
        if self.cumulative is not None and not self.cumulative:
            return ticks
        rows = np.flatnonzero(~np.isnan(ticks.volume))
        if self.cumulative is not None:
            groups = _groups(ticks, rows, zone)
            is_cumulative = np.array([key in self.cumulative for key in groups.keys], dtype=bool)
            rows = rows[is_cumulative[groups.group]]
        volume, day_volume = ticks.volume.copy(), ticks.day_volume.copy()
        day_volume[rows] = np.where(np.isnan(day_volume[rows]), volume[rows], day_volume[rows])
        volume[rows] = np.nan
        return replace(ticks, volume=volume, day_volume=day_volume)


class VolumeEvidence:
    """The evidence for what the volumes of a file mean, taken stretch by stretch.

    ``auto`` decides for each symbol and day of ``zone``; ``name`` is the file's.
    """

    def __init__(self, *, mode: str, zone: ZoneInfo, name: str) -> None:
        self.mode, self.zone, self.name = mode, zone, name
        self._has_bars = False
        self._symbols: dict[str, int] = {}
        self._days: dict[tuple[str, int], _DayEvidence] = {}
        self._over: list[IntArray] = []  # of days of which nothing more comes, as numbers: of years they are many
        self._table: tuple[str, ...] = ()  # the file's symbols

    def add(self, ticks: Ticks) -> None:
        """Take the file's next ticks, in the order of their lines; all of them are later than those before."""
        rows = np.flatnonzero(~np.isnan(ticks.volume))
        self._has_bars |= not np.isnan(ticks.open[rows]).all()
        self._table = ticks.symbols
        for place in np.unique(ticks.symbol[rows]).tolist():
            self._symbols.setdefault(ticks.symbols[place], len(self._symbols))
        if self.mode != AUTO or not len(rows):
            return
        groups = _groups(ticks, rows, self.zone)
        first = min(day for _, day in groups.keys)
        self._over.append(self._numbers([key for key in self._days if key[1] < first]))
        self._days = {key: evidence for key, evidence in self._days.items() if key[1] >= first}
        order = np.argsort(groups.group, kind="stable")
        bounds = np.searchsorted(groups.group[order], np.arange(len(groups.keys) + 1))
        for place, key in enumerate(groups.keys):
            members = rows[order[bounds[place] : bounds[place + 1]]]
            day = self._days.setdefault(key, _DayEvidence())
            day.add(ticks.time[members], ticks.volume[members], ticks.day_volume[members])

    def meaning(self) -> VolumeMeaning:
        """Return how the volumes are read. Raises: InvalidValue, where both readings explain a day's volumes."""
        if self.mode != AUTO or self._has_bars:
            mode, evidence = (
                (PER_TICK, "a bar's volume is its own")
                if self.mode == AUTO
                else (self.mode, f"as asked (--volume {self.mode})")
            )
            readings = [VolumeReading(symbol, mode, evidence) for symbol in self._symbols]
            return VolumeMeaning(tuple(readings), None if mode == CUMULATIVE else frozenset())
        days = np.concatenate([*self._over, self._numbers(list(self._days))])
        places = {symbol: place for place, symbol in enumerate(self._table)}
        place_of = np.array([places[symbol] for symbol in self._symbols], dtype=np.int64)
        days = days[np.lexsort((days[:, 1], place_of[days[:, 0]]))]  # wherever the file was cut
        names, readings, cumulative = list(self._symbols), list[VolumeReading](), list[tuple[str, int]]()
        for number, of_symbol in groupby(map(np.ndarray.tolist, days), key=itemgetter(0)):
            by_day = {day: _read((names[number], day), _DayTotals(*rest), self.name) for _, day, *rest in of_symbol}
            of_days = _with_the_symbols_own(list(by_day.values()))
            readings += _last_ones(of_days)
            of_both = zip(by_day, of_days, strict=True)
            cumulative += [(names[number], day) for day, reading in of_both if reading.mode == CUMULATIVE]
        is_all = 0 < len(cumulative) == len(days)
        return VolumeMeaning(tuple(readings), None if is_all else frozenset(cumulative))

    def _numbers(self, keys: Sequence[tuple[str, int]]) -> IntArray:
        """Return a row for each of these symbols and days: the symbol's number, the day, and what its volumes tell."""
        rows = [(self._symbols[symbol], day, *self._days[symbol, day].totals()) for symbol, day in keys]
        return np.array(rows, dtype=np.int64).reshape(-1, 2 + len(_DayTotals._fields))


def with_volumes(ticks: Ticks, *, mode: str, zone: ZoneInfo, name: str) -> tuple[Ticks, tuple[VolumeReading, ...]]:
    """Return all ticks of a file, in the order of their lines, with each volume in its field, and why.

    Raises: InvalidValue, where both readings explain a day's volumes.
    """
    evidence = VolumeEvidence(mode=mode, zone=zone, name=name)
    evidence.add(ticks)
    meaning = evidence.meaning()
    return meaning.applied(ticks, zone), meaning.readings


def days_of(times: IntArray, zone: ZoneInfo) -> IntArray:
    """Return the date in the zone of each instant (ns UTC), as its ordinal. Dates begin with a quarter of an hour."""
    quarters, which = distinct(times // QUARTER)
    dates = [datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).toordinal() for quarter in quarters.tolist()]
    return np.array(dates, dtype=np.int64)[which]


class _Groups(NamedTuple):
    """Rows by symbol and day: the ``keys`` that occur, and the place of each row's among them."""

    keys: list[tuple[str, int]]
    group: IntArray


def _groups(ticks: Ticks, rows: IntArray, zone: ZoneInfo) -> _Groups:
    """Return the rows by symbol and day (ordinal) of the zone."""
    if not len(rows):
        return _Groups([], rows)
    days, day = distinct(days_of(ticks.time[rows], zone))
    groups, group = distinct(ticks.symbol[rows] * len(days) + day)
    return _Groups([(ticks.symbols[n // len(days)], int(days[n % len(days)])) for n in groups.tolist()], group)


def _read(key: tuple[str, int], day: _DayTotals, name: str) -> VolumeReading:
    """Return how the volumes of a symbol's day are read, and why. Raises: InvalidValue."""
    symbol, changes, falls = key[0], day.changes, day.falls
    words = f"{falls:,} of {changes:,} changes fall"
    if day.has_own_column:
        return VolumeReading(symbol, PER_TICK, "the day's so far has a column of its own")
    if day.rows <= STEPS_MIN:
        return VolumeReading(symbol, PER_TICK, f"{day.rows} volumes tell nothing", is_assumed=True)
    if not day.is_traded:
        return VolumeReading(symbol, CUMULATIVE, "every volume is 0: both readings agree")
    sinks = 100 * day.below > FALSE_PERCENT_MAX * day.rows
    if _chance(changes, falls) <= CHANCE_MAX and (not sinks or 100 * falls <= FALSE_PERCENT_MAX * changes):
        return VolumeReading(symbol, CUMULATIVE, words)
    if sinks:
        return VolumeReading(symbol, PER_TICK, words)
    raise InvalidValue(
        f"{name}: the volumes of {symbol} on {date.fromordinal(key[1])} may be each tick's own or the day's so far "
        f"({words}).",
        field="volume",
        hint=f"Say which: --volume {PER_TICK} or --volume {CUMULATIVE}.",
    )


def _chance(changes: int, falls: int) -> float:
    """Return a bound of the chance that values in random order fall at most so often."""
    values = changes + 1
    return float(np.exp(min(0.0, values * log(falls + 1) - lgamma(values + 1))))


def _with_the_symbols_own(readings: Sequence[VolumeReading]) -> list[VolumeReading]:
    """Read a day of a symbol without evidence as its other days in the file are, where those agree."""
    modes = {reading.mode for reading in readings if not reading.is_assumed}
    if len(modes) != 1:
        return list(readings)
    [mode] = modes
    return [
        replace(reading, mode=mode, evidence="as on its other days", is_assumed=False)
        if reading.is_assumed
        else reading
        for reading in readings
    ]


def _last_ones(readings: Sequence[VolumeReading]) -> list[VolumeReading]:
    """Return the last of a symbol's readings of each mode, and each that is assumed once, in their order."""
    last: dict[tuple[str, str], VolumeReading] = {}
    for reading in readings:
        key = reading.mode, reading.evidence if reading.is_assumed else ""
        last.pop(key, None)
        last[key] = reading
    return list(last.values())
