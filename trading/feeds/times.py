"""From a cell to an instant: naive desk time, ISO with an offset, or a count since 1970 in s to ns, by magnitude."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import IntArray, Mask
from timeseries.values import AHEAD_NS, EPOCH, FIRST_NS, MAGNITUDES, MICROSECOND, wall_offset_us
from trading.feeds.texts import bytes_of, mask_of

SECOND = 10**9
QUARTER = 900 * SECOND  # no zone has changed its offset within a quarter of an hour since 2000
INT64 = 2**63
SPREAD_MAX = 2_000_000  # quarters of an hour in 57 years

_WALL_EXAMPLE = "2021-04-12 09:15:00"
_WALL = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,9})?"
_KINDS = (
    f"{_WALL}$",
    f"{_WALL}(Z|[+-]\\d{{2}}:\\d{{2}})$",
    r"^\d{1,18}$",  # a count since 1970
    r"^\d{4}-\d{2}-\d{2}$",
)
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[ Tt](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9})0*)?)?\s?([Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_COUNT = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?", re.ASCII)


class CellTimes:
    """One instant per cell: ``time`` in ns UTC where no mask is set but ``date``, a date without a time of day."""

    __slots__ = ("absent", "date", "future", "old", "repeated", "skipped", "time", "unreadable")

    def __init__(self, size: int) -> None:
        self.time: IntArray = np.zeros(size, dtype=np.int64)
        self.absent, self.date, self.unreadable, self.old, self.future, self.skipped, self.repeated = (
            np.zeros(size, dtype=bool) for _ in range(7)
        )


def read_times(texts: pa.Array, *, zone: ZoneInfo, now_ns: int) -> CellTimes:
    """Return the instants of an array of text; naive ones are wall times of ``zone``."""
    times = CellTimes(len(texts))
    alike = _all_walls(texts)
    rest = np.full(len(texts), alike is None)  # no cell is of two kinds, and those of a file are nearly always of one
    walls, zoned, counts, times.date = (_taken(texts, rest, kind) for kind in _KINDS)
    times.absent = _taken(texts, rest, "^$")
    walls |= times.date
    for rows, kind in ((walls, pa.timestamp("ns")), (zoned, pa.timestamp("ns", "UTC")), (counts, pa.int64())):
        if not rows.any():
            continue
        try:
            cells = texts if rows.all() else texts.filter(pa.array(rows))
            times.time[rows] = pc.cast(cells, kind).cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:  # one of them is no such date: read them one by one
            rest |= rows
            rows[:] = False
    times.time[counts] = _scaled(times.time[counts])
    walls |= _read_rest(times, texts, rest)
    if alike is not None:
        times.time, walls = alike, np.ones(len(texts), dtype=bool)
    _leave_zone(times, np.flatnonzero(walls), zone)
    good = ~(times.absent | times.unreadable | times.old | times.future | times.skipped | times.repeated)
    times.old |= good & (times.time < FIRST_NS)
    times.future |= good & (times.time > now_ns + AHEAD_NS)
    return times


def _all_walls(texts: pa.Array) -> IntArray | None:
    """Return the wall times (ns since 1970) of cells that are all as `_WALL_EXAMPLE`; None where one is not."""
    if (np.diff(bytes_of(texts)[0]) != len(_WALL_EXAMPLE)).any():
        return None
    try:
        return np.array(pc.cast(texts, pa.timestamp("ns")).cast(pa.int64()).to_numpy())
    except pa.ArrowInvalid:  # of this length Arrow knows no other kind without an offset
        return None


def _taken(texts: pa.Array, rest: Mask, pattern: str) -> Mask:
    """Return which of the cells that are left match a pattern, and take them off those."""
    rows = np.zeros(len(rest), dtype=bool)
    if rest.any():
        cells = texts if rest.all() else texts.filter(pa.array(rest))
        rows[rest] = mask_of(pc.match_substring_regex(cells, pattern))
        rest &= ~rows
    return rows


def _scaled(counts: IntArray) -> IntArray:
    """Return counts since 1970 in ns; what would not fit lies before 2000 or beyond any clock all the same."""
    scaled = counts.copy()
    below = 0
    for bound, power in MAGNITUDES:
        unit = (counts >= below) & (counts < min(bound, INT64 - 1))
        scaled[unit] = np.minimum(counts[unit], (INT64 - 1) // 10**power) * 10**power
        below = bound
    return scaled


def _read_rest(times: CellTimes, texts: pa.Array, rest: Mask) -> Mask:
    """Read the cells that are of no plain kind one by one; return which are wall times of the desk."""
    walls = np.zeros(len(rest), dtype=bool)
    places = np.flatnonzero(rest)
    for index, text in zip(places, texts.take(pa.array(places)).to_pylist(), strict=True):
        try:
            instant, walls[index] = read_time(text)
        except ValueError:
            times.unreadable[index] = True
            continue
        times.old[index], times.future[index] = instant < 0, instant >= INT64
        times.time[index] = instant if 0 <= instant < INT64 else 0
        walls[index] &= 0 <= instant < INT64
    return walls


def read_time(text: str) -> tuple[int, bool]:
    """Return an instant in ns, and whether it is a wall time of the desk (else UTC).

    A count since 1970 is of s, ms, µs or ns, told by its magnitude.

    Raises: ValueError, for what is no time.
    """
    count = _COUNT.fullmatch(text)
    if count:
        sign, whole, fraction = count.groups()
        if len(whole) > 40:  # no count of any unit; int() would take its time
            return INT64, False
        power: int = next((power for bound, power in MAGNITUDES if int(whole) < bound), 0)
        instant: int = int(whole) * 10**power + int((fraction or "").ljust(power, "0")[:power] or 0)
        return -instant if sign == "-" else instant, False
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time")
    date, time, fraction, offset = match.groups()
    wall = datetime.fromisoformat(f"{date}T{time or '00:00'}")
    instant = (wall - EPOCH) // MICROSECOND * 1000 + int((fraction or "").ljust(9, "0"))
    if offset is None or offset in {"Z", "z"}:
        return instant, offset is None
    hours, minutes = int(offset[1:3]), int(offset[3:].removeprefix(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(f"{offset} is no offset")
    ahead = (hours * 60 + minutes) * 60 * SECOND
    return instant + (ahead if offset[0] == "-" else -ahead), False


def _leave_zone(times: CellTimes, places: IntArray, zone: ZoneInfo) -> None:
    """Turn wall times into UTC: one look-up per quarter of an hour, and one per row where the zone changes."""
    walls = times.time[places]
    quarters, which = distinct(walls // QUARTER)
    offsets = np.zeros(len(quarters), dtype=np.int64)
    is_steady = np.zeros(len(quarters), dtype=bool)
    for place, quarter in enumerate(quarters.tolist()):
        start = EPOCH + timedelta(seconds=quarter * 900)
        edges = {wall_offset_us(start + shift, zone) for shift in (timedelta(0), timedelta(seconds=900) - MICROSECOND)}
        offset = edges.pop()
        if offset is not None and not edges:
            offsets[place], is_steady[place] = offset * 1000, True
    times.time[places] = walls - offsets[which]
    for index in places[~is_steady[which]].tolist() if len(quarters) else ():
        wall = EPOCH + timedelta(microseconds=int(times.time[index]) // 1000)
        offset = wall_offset_us(wall, zone)
        if offset is not None:
            times.time[index] -= offset * 1000
            continue
        first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
        is_repeated = first is not None and second is not None and first > second
        times.repeated[index], times.skipped[index] = is_repeated, not is_repeated


def distinct(numbers: IntArray) -> tuple[IntArray, IntArray]:
    """Return the numbers that occur, ascending, and for each number its place among them."""
    if not len(numbers) or int(numbers.max()) - int(numbers.min()) >= SPREAD_MAX:
        unique, places = np.unique(numbers, return_inverse=True)
        return unique, places
    shifted = numbers - numbers.min()
    occurs = np.bincount(shifted) > 0
    return np.flatnonzero(occurs) + numbers.min(), (np.cumsum(occurs) - 1)[shifted]
