"""From a cell to an instant: naive desk time, ISO with an offset, or a count since 1970 in s to ns, by magnitude."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.values import AHEAD_NS, EPOCH, FIRST_NS, MAGNITUDES, MICROSECOND, wall_offset_us
from trading.feeds.ticks import IntArray, Mask

SECOND = 10**9
QUARTER = 900 * SECOND  # no zone has changed its offset within a quarter of an hour since 2000
INT64 = 2**63
SPREAD_MAX = 2_000_000  # quarters of an hour in 57 years

_WALL = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,9})?"
_PLAIN_WALL = f"{_WALL}$"
_PLAIN_ZONED = f"{_WALL}(Z|[+-]\\d{{2}}:\\d{{2}})$"
_PLAIN_DATE = r"^\d{4}-\d{2}-\d{2}$"
_PLAIN_COUNT = r"^\d{1,18}$"
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[ Tt](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9})0*)?)?\s?([Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_COUNT = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?", re.ASCII)


class Instants:
    """One instant per cell: ``time`` in ns UTC where no mask is set but ``date``, a date without a time of day."""

    __slots__ = ("absent", "date", "future", "old", "repeated", "skipped", "time", "unreadable")

    def __init__(self, size: int) -> None:
        self.time: IntArray = np.zeros(size, dtype=np.int64)
        self.absent, self.date, self.unreadable, self.old, self.future, self.skipped, self.repeated = (
            np.zeros(size, dtype=bool) for _ in range(7)
        )


def read_times(texts: Any, *, zone: ZoneInfo, now_ns: int) -> Instants:
    """Return the instants of an Arrow array of text; naive ones are wall times of ``zone``."""
    found = Instants(len(texts))
    found.absent = _mask(pc.equal(texts, ""))
    walls, zoned, counts = (
        _mask(pc.match_substring_regex(texts, pattern)) for pattern in (_PLAIN_WALL, _PLAIN_ZONED, _PLAIN_COUNT)
    )
    found.date = _mask(pc.match_substring_regex(texts, _PLAIN_DATE))
    walls |= found.date
    rest = ~(walls | zoned | counts | found.absent)
    for which, kind in ((walls, pa.timestamp("ns")), (zoned, pa.timestamp("ns", "UTC")), (counts, pa.int64())):
        if which.any() and not _cast(found, texts, which, kind):
            rest |= which
            which[:] = False
    found.time[counts] = _scaled(found.time[counts])
    walls |= _read_rest(found, texts, rest)
    _leave_zone(found, np.flatnonzero(walls), zone)
    good = ~(found.absent | found.unreadable | found.old | found.future | found.skipped | found.repeated)
    found.old |= good & (found.time < FIRST_NS)
    found.future |= good & (found.time > now_ns + AHEAD_NS)
    return found


def _mask(booleans: Any) -> Mask:
    return np.asarray(booleans.to_numpy(zero_copy_only=False), dtype=bool)


def _cast(found: Instants, texts: Any, which: Mask, kind: Any) -> bool:
    """Read all the cells of one kind at once; False when one of them is no such date."""
    try:
        values = pc.cast(texts.filter(pa.array(which)), kind).cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    found.time[which] = values.to_numpy()
    return True


def _scaled(counts: IntArray) -> IntArray:
    """Return counts since 1970 in ns; what would not fit lies before 2000 or beyond any clock all the same."""
    scaled = counts.copy()
    below = 0
    for bound, power in MAGNITUDES:
        unit = (counts >= below) & (counts < min(bound, INT64 - 1))
        scaled[unit] = np.minimum(counts[unit], (INT64 - 1) // 10**power) * 10**power
        below = bound
    return scaled


def _read_rest(found: Instants, texts: Any, rest: Mask) -> Mask:
    """Read the cells that are of no plain kind one by one; return which are wall times of the desk."""
    walls = np.zeros(len(rest), dtype=bool)
    places = np.flatnonzero(rest)
    for index, text in zip(places, texts.take(pa.array(places)).to_pylist(), strict=True):
        try:
            instant, walls[index] = read_time(text)
        except ValueError:
            found.unreadable[index] = True
            continue
        found.old[index], found.future[index] = instant < 0, instant >= INT64
        found.time[index] = instant if 0 <= instant < INT64 else 0
        walls[index] &= 0 <= instant < INT64
    return walls


def read_time(text: str) -> tuple[int, bool]:
    """Return ns and whether they count a wall time of the desk (else UTC).

    Raises: ValueError, for what is no time.
    """
    count = _COUNT.fullmatch(text)
    if count:
        return _counted(*count.groups()), False
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time")
    date, time, fraction, offset = match.groups()
    wall = datetime.fromisoformat(f"{date}T{time or '00:00'}")
    instant = (wall - EPOCH) // MICROSECOND * 1000 + int((fraction or "").ljust(9, "0"))
    if offset is None:
        return instant, True
    return instant - _offset_ns(offset), False


def _counted(sign: str, whole: str, fraction: str | None) -> int:
    if len(whole) > 40:  # no count of any unit; int() would take its time
        return INT64
    number = int(whole)
    power: int = next((power for bound, power in MAGNITUDES if number < bound), 0)
    finer = int((fraction or "").ljust(power, "0")[:power] or 0)
    instant: int = number * 10**power + finer
    return -instant if sign == "-" else instant


def _offset_ns(text: str) -> int:
    if text in {"Z", "z"}:
        return 0
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(f"{text} is no offset")
    return (hours * 60 + minutes) * 60 * SECOND * (-1 if text[0] == "-" else 1)


def _leave_zone(found: Instants, places: Sequence[int] | IntArray, zone: ZoneInfo) -> None:
    """Turn wall times into UTC: one look-up per quarter of an hour, and one per row where the zone changes."""
    walls = found.time[places]
    quarters, which = distinct(walls // QUARTER)
    starts = [EPOCH + timedelta(seconds=int(quarter) * 900) for quarter in quarters]
    offsets = [_steady_offset(start, zone) for start in starts]
    known = np.array([0 if offset is None else offset for offset in offsets], dtype=np.int64)
    found.time[places] = walls - known[which]
    unsteady = np.array([offset is None for offset in offsets], dtype=bool)
    for index in np.asarray(places)[unsteady[which]] if len(quarters) else ():
        _leave_zone_slowly(found, int(index), zone)


def distinct(values: IntArray) -> tuple[IntArray, IntArray]:
    """Return the values that occur, ascending, and for each value its place among them."""
    if not len(values) or int(values.max()) - int(values.min()) >= SPREAD_MAX:
        found, places = np.unique(values, return_inverse=True)
        return found, places
    shifted = values - values.min()
    occurs = np.bincount(shifted) > 0
    return np.flatnonzero(occurs) + values.min(), (np.cumsum(occurs) - 1)[shifted]


def _steady_offset(start: datetime, zone: ZoneInfo) -> int | None:
    """Return the offset in ns that holds throughout a quarter of an hour, None where there is none."""
    edges = {wall_offset_us(start + shift, zone) for shift in (timedelta(0), timedelta(seconds=900) - MICROSECOND)}
    offset = edges.pop()
    return None if edges or offset is None else offset * 1000


def _leave_zone_slowly(found: Instants, index: int, zone: ZoneInfo) -> None:
    wall = EPOCH + timedelta(microseconds=int(found.time[index]) // 1000)
    offset = wall_offset_us(wall, zone)
    if offset is not None:
        found.time[index] -= offset * 1000
        return
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    is_repeated = first is not None and second is not None and first > second
    found.repeated[index], found.skipped[index] = is_repeated, not is_repeated
