"""Exit fills of a period as columns, and the same figures of them as `figures` computes from rows. Pure.

Money is whole units of 10^-8 in 64 bits, in Python's own integers where a number does not fit; every sum is exact, also
where it is larger than 64 bits hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, overload
from zoneinfo import ZoneInfo

import numpy as np

from trading.domain import cuts, exit_runs
from trading.domain.cuts import NONE
from trading.domain.exit_runs import Flags, Floats, Integers, Whole, distinct
from trading.domain.exit_sums import ExitSums
from trading.domain.figures import Capital, EquityPath, Sample, sampled_returns
from trading.domain.intervals import Sums
from trading.domain.statistics import Drawdown

UNKNOWN = -1  # microseconds that nobody knows
_HALF = 32
_LIMB, _LIMB_MASK = 21, 2**21 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 24 * 3600 * 10**6
_QUARTER = 900 * 10**6  # no zone changes its offset within a quarter of an hour
OFFSETS_KEPT = 16_384
_SECOND = timedelta(seconds=1)


class Groups(NamedTuple):
    """A cut: the number of each exit's group, and the names of the groups in the order that they are shown in."""

    codes: Integers
    names: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitColumns:
    """Exit fills in order of day and time, an entry each.

    ``at`` in microseconds since 1970 UTC, ``day`` as an ordinal, ``net`` of the exit; ``opened`` and ``closed`` of the
    trade, the latter where it is not ``is_open`` (else it means nothing). Of the trade where it ``closes``:
    ``whole`` P&L after known charges (0 elsewhere), ``unknown`` charges, ``held`` microseconds (`UNKNOWN`), and its
    ``multiple`` of the initial risk (NaN). ``trade`` numbers the trades; ``hour`` is weekday × 24 + hour of the
    opening at its exchange (`UNKNOWN`); ``conditions`` have a number per trade (NaN).
    """

    at: Integers
    day: Integers
    pnl: Whole
    charges: Whole
    closes: Flags
    is_open: Flags
    whole: Whole
    unknown: Flags
    held: Integers
    multiple: Floats
    trade: Integers
    opened: Integers
    closed: Integers
    hour: Integers
    groups: Mapping[str, Groups]
    conditions: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def nbytes(self) -> int:
        """The bytes of all columns."""
        columns = (self.at, self.day, self.pnl, self.charges, self.closes, self.is_open, self.whole, self.unknown)
        further = (self.held, self.multiple, self.trade, self.opened, self.closed, self.hour, *self.conditions.values())
        return sum(column.nbytes for column in (*columns, *further, *(group.codes for group in self.groups.values())))

    def of_group(self, name: str, cut: str) -> Integers:
        """Return the places of one group of a cut, ascending."""
        return np.flatnonzero(self.groups[cut].codes == self.groups[cut].names.index(name))

    def by_condition(self, name: str) -> Groups:
        """Return the cut by one condition, as `cuts.by_condition_named`; without it where nobody recorded it."""
        column = self.conditions.get(name)
        of_trades = np.full(len(self._is_here()), np.nan) if column is None else column
        numbers = np.sort(of_trades[self._is_here() & ~np.isnan(of_trades)])
        is_boolean = bool(np.isin(numbers, (0.0, 1.0)).all())
        edges = None if is_boolean else cuts.edges_in_order(numbers)
        names = cuts.bucket_names(edges)
        buckets = (of_trades != 0) if edges is None else np.searchsorted(np.array(edges, dtype=np.float64), of_trades)
        codes = np.where(np.isnan(of_trades), len(names), buckets).astype(np.int64)[self.trade]
        order = [*range(len(names))[:: -1 if is_boolean else 1], len(names)]
        return present(codes, (*names, NONE), order)

    def recorded_conditions(self) -> list[str]:
        """Return the names of the conditions that were recorded of one of the trades, in order."""
        return sorted(name for name, numbers in self.conditions.items() if (self._is_here() & ~np.isnan(numbers)).any())

    def _is_here(self) -> Flags:
        """Return by the number of a trade whether an exit is one of its."""
        sizes = (len(numbers) for numbers in self.conditions.values())
        is_here = np.zeros(max(1 + int(self.trade.max(initial=-1)), *sizes, 0), dtype=bool)
        is_here[self.trade] = True
        return is_here

    def sums(self) -> ExitSums:
        """Return what the samples of any cut are summed from."""
        return ExitSums(
            pnl=self.pnl,
            charges=self.charges,
            still_open=np.where(self.is_open, less(self.pnl, self.charges), 0),
            closes=self.closes,
            whole=self.whole,
            unknown=self.unknown,
            held=self.held,
            is_held=self.closes & (self.held != UNKNOWN),
            multiple=self.multiple,
        )

    def samples(self, groups: Groups) -> list[Sample]:
        """Return the sample of each group, in the order of their names."""
        return list(self.sums().samples(groups.codes, len(groups.names)))

    def sample(self) -> Sample:
        """Return the sample of all exits."""
        return next(self.sums().samples(np.zeros(len(self), dtype=np.int64), 1))

    def path(self, capital: Capital, places: Integers | None = None) -> EquityPath:
        """Return the equity that the exits realised, or those at some places, ascending."""
        starts, changes = self._changes(places)
        dates = DatesOf(self.day[starts if places is None else places[starts]])
        flows: dict[int, int] = {}
        for place, amount in capital.flows_before(dates):
            flows[place] = flows.get(place, 0) + amount
        amounts = whole_numbers([*flows.values()])
        came_in = (
            np.zeros(len(dates), dtype=object) if amounts.dtype == object else np.zeros(len(dates), dtype=np.int64)
        )
        came_in[[*flows]] = amounts
        episodes, *end = exit_runs.drawdowns(changes, capital.at_start, came_in)
        pnl_by_day = self.pnl_by_day(places)
        closing = np.flatnonzero(self.closes) if places is None else places[self.closes[places]]
        return EquityPath(
            capital,
            dates,
            episodes,
            (end[0], end[1]),
            pnl_by_day,
            exit_runs.streaks(self.at[closing], self.whole[closing]),
            sampled_returns(pnl_by_day, capital),
        )

    def worst_falls(self, order: Integers, starts: Integers, capitals: Sequence[Capital]) -> list[list[Drawdown]]:
        """Return the worst of the drawdowns of the equity that the exits of some days realised, one in all of each
        stretch of ``order`` that begins at one of ``starts`` and is of one day, ascending (`exit_runs.worst_falls`)."""
        if not len(starts):
            return []
        is_begun = np.zeros(len(order), dtype=bool)
        is_begun[starts] = True
        begins, changes = self._changes(order, is_begun)
        at_start = [capital.at_start + sum(capital.flows.values()) for capital in capitals]
        return exit_runs.worst_falls(changes, np.searchsorted(begins, starts), at_start)

    def _changes(self, places: Integers | None, is_begun: Flags | None = None) -> tuple[Integers, Whole]:
        """Return where each instant of the exits at some places (None: of all) begins among them, and what it realised;
        one begins where ``is_begun``, whatever was before."""
        columns = self.pnl, self.charges, self.at, self.day
        pnl, charges, at, day = columns if places is None else (column[places] for column in columns)
        net, is_first = less(pnl, charges), np.ones(len(at), dtype=bool)
        is_first[1:] = (np.diff(at) != 0) | (np.diff(day) != 0)
        is_first |= False if is_begun is None else is_begun
        starts = np.flatnonzero(is_first)
        return starts, net if len(starts) == len(net) else sums_of_stretches(net, starts)

    def pnl_by_day(self, places: Integers | None = None) -> dict[date, int]:
        """Return what each day realised after known charges, of all exits or of those at some places, ascending."""
        day = self.day if places is None else self.day[places]
        starts = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
        net = less(self.pnl, self.charges)
        sums = group_sums(net if places is None else net[places], starts)
        return {day_of_ordinal(ordinal): pnl for ordinal, pnl in zip(day[starts].tolist(), sums, strict=True)}

    def hours(self) -> dict[tuple[int, int], Sums]:
        """Return the sums of the trades that closed, by weekday and hour of their opening."""
        counted = np.flatnonzero(self.closes & (self.hour != UNKNOWN))
        order = counted[np.argsort(self.hour[counted].astype(np.int16), kind="stable")]  # by their digits
        hours, starts = np.unique(self.hour[order], return_index=True)
        sizes = np.diff(np.append(starts, len(order))).tolist()
        whole = self.whole[order]
        sums = zip(hours.tolist(), sizes, group_sums(whole, starts), group_squares(whole, starts), strict=True)
        return {divmod(hour, 24): Sums(*of_hour) for hour, *of_hour in sums}

    def take(self, places: Integers) -> ExitColumns:
        """Return the exits at some places, ascending."""
        some = self.reordered(places)
        groups = {cut: present(*group, range(len(group.names))) for cut, group in some.groups.items()}
        return replace(some, groups=groups)

    def reordered(self, order: Integers) -> ExitColumns:
        """Return the exits of all groups, at their places in another order."""
        columns = {
            name: getattr(self, name)[order]
            for name in (
                *("at", "day", "pnl", "charges", "closes", "is_open", "whole", "unknown", "held", "multiple"),
                *("trade", "opened", "closed", "hour"),
            )
        }
        groups = {cut: Groups(group.codes[order], group.names) for cut, group in self.groups.items()}
        return ExitColumns(**columns, groups=groups, conditions=self.conditions)


class DatesOf(Sequence[date]):
    """Days as ordinals, read as dates: of a hundred thousand changes of equity a few are looked at."""

    def __init__(self, ordinals: Integers) -> None:
        self.ordinals = ordinals

    def __len__(self) -> int:
        return len(self.ordinals)

    @overload
    def __getitem__(self, place: int) -> date: ...
    @overload
    def __getitem__(self, place: slice) -> DatesOf: ...
    def __getitem__(self, place: int | slice) -> date | DatesOf:
        if isinstance(place, slice):
            return DatesOf(self.ordinals[place])
        return day_of_ordinal(int(self.ordinals[place]))


def joined(groups: Groups, other: Groups) -> Groups:
    """Return the groups of some rows and of others behind them, whose names may be the same."""
    names = [*groups.names, *dict.fromkeys(name for name in other.names if name not in groups.names)]
    numbers = np.array([names.index(name) for name in other.names], dtype=np.int64)
    return Groups(np.concatenate((groups.codes, numbers[other.codes])), names)


def present(codes: Integers, names: Sequence[str], order: Sequence[int]) -> Groups:
    """Return the groups that have an exit, numbered in this order."""
    counts = np.bincount(codes, minlength=len(names)) if len(codes) else np.zeros(len(names))
    places_present = [place for place in order if counts[place]]
    if places_present == list(range(len(names))):
        return Groups(codes, list(names))
    numbers = np.zeros(len(names), dtype=np.int64)
    numbers[places_present] = np.arange(len(places_present))
    return Groups(numbers[codes] if len(codes) else codes, [names[place] for place in places_present])


def group_sums(column: Whole, starts: Integers) -> list[int]:
    """Return the exact sum of each stretch of whole numbers that begins at one of ``starts``."""
    sums: list[int] = sums_of_stretches(column, starts).tolist()
    return sums


def sums_of_stretches(column: Whole, starts: Integers) -> Whole:
    """Return `group_sums` as a column."""
    if not len(starts):
        return column[:0]
    if _reach(column) * len(column) < 2**63:
        sums: Whole = np.add.reduceat(column, starts)
        return sums
    high, low = np.add.reduceat(column >> _HALF, starts), np.add.reduceat(column & 0xFFFFFFFF, starts)
    return whole_numbers([(upper << _HALF) + lower for upper, lower in zip(high.tolist(), low.tolist(), strict=True)])


def group_squares(column: Whole, starts: Integers) -> list[int]:
    """Return the exact sum of the squares of each such stretch: of limbs of 21 bits, whose products all fit."""
    if not len(starts):
        return []
    size = np.abs(column)
    high, middle, low = size >> 2 * _LIMB, (size >> _LIMB) & _LIMB_MASK, size & _LIMB_MASK
    products = [(middle * middle, 2 * _LIMB), (middle * low, _LIMB + 1), (low * low, 0)]
    if high.any():  # seldom: of money beyond 2^42 units
        products += [(high * high, 4 * _LIMB), (high * middle, 3 * _LIMB + 1), (high * low, 2 * _LIMB + 1)]
    sums = zip(*([limb << shift for limb in group_sums(product, starts)] for product, shift in products), strict=True)
    return [sum(limbs) for limbs in sums]


def whole_numbers(numbers: Sequence[int]) -> Whole:
    """Return whole numbers exactly, whatever their size."""
    try:
        return np.array(numbers, dtype=np.int64)
    except OverflowError:
        return np.array(numbers, dtype=object)


def less(column: Whole, other: Whole) -> Whole:
    """Return the difference of two columns, in Python's integers where 64 bits might not hold it."""
    fits = _reach(column) + _reach(other) < 2**63
    return column - other if fits else column.astype(object) - other.astype(object)


def _reach(column: Whole) -> int:
    """Return the largest of some whole numbers without their signs."""
    return max(abs(int(column.max(initial=0))), abs(int(column.min(initial=0))))


def local_micros(micros: Integers, zone: ZoneInfo) -> Integers:
    """Return instants (microseconds since 1970 UTC) as the zone's clock on the wall shows them."""
    days, of_day = distinct(micros // _DAY)
    ends = np.array([[_offset(number * _DAY, zone) for number in (day, day + 1)] for day in days.tolist()])
    ends = ends.reshape(-1, 2).astype(np.int64)
    ahead = ends[:, 0][of_day]
    for place in np.flatnonzero(np.diff(ends, axis=1)).tolist():
        here = np.flatnonzero(of_day == place)  # the clocks change on this day, on a quarter of an hour
        quarters, of_quarter = distinct(micros[here] // _QUARTER)
        offsets = np.array([_offset(quarter * _QUARTER, zone) for quarter in quarters.tolist()], dtype=np.int64)
        ahead[here] = offsets[of_quarter]
    local: Integers = micros + ahead
    return local


def local_columns(traded: Integers, zones: Sequence[str], *instants: Integers) -> list[Integers]:
    """Return each column of instants on the clocks of exchanges: ``zones`` are those of the numbers ``traded``."""
    numbers = np.array([zones.index(zone) for zone in zones], dtype=np.int64)
    local = [column.copy() for column in instants]
    for number in np.unique(numbers).tolist():
        places = np.flatnonzero(numbers[traded] == number)
        for column, on_the_wall in zip(instants, local, strict=True):
            on_the_wall[places] = local_micros(column[places], ZoneInfo(zones[number]))
    return local


@lru_cache(maxsize=OFFSETS_KEPT)  # of the days of some years, which every reading asks for
def _offset(micros: int, zone: ZoneInfo) -> int:
    """Return by how many microseconds a zone is ahead of UTC at an instant."""
    return ((EPOCH + timedelta(microseconds=micros)).astimezone(zone).utcoffset() or timedelta()) // _SECOND * 10**6


@lru_cache(maxsize=cuts.DAYS_KNOWN)
def day_of_ordinal(ordinal: int) -> date:
    return date.fromordinal(ordinal)
