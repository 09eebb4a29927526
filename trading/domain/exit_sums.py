"""What the figures of some exits are summed from, by group: columns are made ready once, and every cut adds them up.

Each column is split into whole numbers so narrow that no sum of them is larger than 64 bits hold: every sum is exact,
and independent of the order of rows. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy
from typing import NamedTuple

import numpy as np

from trading.domain.exit_runs import Flags, Floats, Integers, Whole, distinct
from trading.domain.figures import Sample
from trading.domain.intervals import Moments
from trading.domain.statistics import Outcomes

_BITS = 63
_COARSE, _FINE = 30, 84  # bits behind the point of the upper and the lower part of a multiple


class Limb(NamedTuple):
    """A column of narrow whole numbers, each times 2^shift."""

    shift: int
    numbers: Integers


class Level(NamedTuple):
    """What adds up, an entry of each column for an exit, or for all exits of a group: counts, sums by limbs, and the
    largest and smallest P&L of a trade, 0 at least and at most."""

    counts: list[Integers]
    sums: list[list[Limb]]
    largest: Whole
    smallest: Whole

    def take(self, places: Integers) -> Level:
        """Return the entries at some places."""
        sums = [[Limb(shift, numbers[places]) for shift, numbers in limbs] for limbs in self.sums]
        return Level([column[places] for column in self.counts], sums, self.largest[places], self.smallest[places])

    def added(self, codes: Integers, size: int) -> Level:
        """Return an entry for each of so many groups, by the number of each entry's group."""
        starts = np.searchsorted(codes, np.arange(size))
        if (np.diff(codes) >= 0).all() and (np.diff(starts, append=len(codes)) > 0).all():
            return self._added_in_order(starts)
        largest, smallest = _zeros(size, self.largest), _zeros(size, self.smallest)
        np.maximum.at(largest, codes, self.largest)
        np.minimum.at(smallest, codes, self.smallest)
        sums = [[Limb(shift, _sums_of(numbers, codes, size)) for shift, numbers in limbs] for limbs in self.sums]
        return Level([_sums_of(column, codes, size) for column in self.counts], sums, largest, smallest)

    def _added_in_order(self, starts: Integers) -> Level:
        """Return an entry for each stretch that begins at one of ``starts``: in a tenth of the time of entries one by
        one, of which each waits for the one before it."""
        none = np.zeros(1, dtype=np.int64)
        largest, smallest = (
            most(np.asarray(most.reduceat(column, starts)), none) if len(starts) else column[:0]
            for most, column in ((np.maximum, self.largest), (np.minimum, self.smallest))
        )
        sums = [[Limb(shift, np.add.reduceat(numbers, starts)) for shift, numbers in limbs] for limbs in self.sums]
        return Level([np.add.reduceat(column, starts) for column in self.counts], sums, largest, smallest)


class ExitSums:
    """Columns of some exits, ready to be summed by any cut (`exit_columns.ExitColumns` tells what they are)."""

    def __init__(
        self, *, pnl: Whole, charges: Whole, still_open: Whole, closes: Flags, whole: Whole, unknown: Flags,
        held: Integers, is_held: Flags, multiple: Floats,
    ) -> None:  # fmt: skip
        self.whole, self.count_bits = whole, max(1, len(pnl).bit_length())
        self.bits = _BITS - self.count_bits
        self.has_multiple = ~np.isnan(multiple)
        self.multiple = np.where(self.has_multiple, multiple, 0.0)
        won, lost = whole > 0, whole < 0
        # Several flags of an exit in one whole number, each with room for the count of all exits.
        self.flags_at_once = _BITS // self.count_bits
        flags = (closes, won, lost, unknown, is_held, self.has_multiple)
        counts = [np.zeros(len(pnl), dtype=np.int64) for _ in range(0, len(flags), self.flags_at_once)]
        for number, flag in enumerate(flags):
            column, place = divmod(number, self.flags_at_once)
            counts[column] += flag.astype(np.int64) << place * self.count_bits
        profit, loss = (np.where(mask, whole, 0) for mask in (won, lost))
        columns = (pnl, charges, profit, loss, np.where(is_held, held, 0), still_open)
        multiples = self._multiples()
        self.is_exact = multiples is not None
        sums = [*(self._limbs(column) for column in columns), self._squares(), multiples or []]
        self.exits = Level(counts, sums, whole, whole)

    def take(self, places: Integers) -> ExitSums:
        """Return what some of the exits are summed from."""
        some = copy(self)
        some.exits, some.whole = self.exits.take(places), self.whole[places]
        some.multiple, some.has_multiple = self.multiple[places], self.has_multiple[places]
        return some

    def samples(self, codes: Integers, size: int) -> Iterator[Sample]:
        """Yield the sample of each of so many groups, by the number of each exit's group."""
        return self._samples(self.exits.added(codes, size), codes)

    def samples_of(self, cuts: Sequence[tuple[Integers, int]]) -> list[list[Sample]]:
        """Return the `samples` of several cuts at once: exits that all of them put into the same groups are added up
        first, which leaves few. Best are cuts whose groups make few different combinations."""
        cells, groups_of_cells = _cells(cuts)
        together = self.exits.added(cells, len(groups_of_cells[0]))
        return [
            [*self._samples(together.added(of_cells, size), codes)]
            for of_cells, (codes, size) in zip(groups_of_cells, cuts, strict=True)
        ]

    def _samples(self, groups: Level, codes: Integers) -> Iterator[Sample]:
        """Yield the sample of each group; ``codes`` are those of the exits."""
        mask, places = (1 << self.count_bits) - 1, [divmod(number, self.flags_at_once) for number in range(6)]
        by_flag = [groups.counts[column] >> place * self.count_bits & mask for column, place in places]
        counts = np.stack(by_flag, axis=1).tolist()
        *totals, multiples = (_whole(limbs, len(counts)) for limbs in groups.sums)
        sums = zip(*totals, strict=True)
        moments = self._moments(codes, multiples, [count[-1] for count in counts])
        for place, (gross, costs, profit, loss, micros, still, squares) in enumerate(sums):
            closed, wins, losses, unknown, timed, _ = counts[place]
            yield Sample(
                gross=gross,
                charges=costs,
                outcomes=Outcomes(wins, losses, closed - wins - losses, profit, loss),
                squares=squares,
                largest=int(groups.largest[place]),
                smallest=int(groups.smallest[place]),
                seconds=(timed, micros / 1_000_000),
                multiples=moments[place],
                unknown=unknown,
                open_net=still,
            )

    def _limbs(self, column: Whole, shift: int = 0) -> list[Limb]:
        limbs: list[Limb] = []
        while reach := max(abs(int(column.max(initial=0))), abs(int(column.min(initial=0)))):
            if not reach >> self.bits:
                return [*limbs, Limb(shift, column.astype(np.int64, copy=False))]
            limbs.append(Limb(shift, (column & (1 << self.bits) - 1).astype(np.int64)))
            column, shift = column >> self.bits, shift + self.bits
        return limbs

    def _squares(self) -> list[Limb]:
        size, half = np.abs(self.whole), self.bits // 2
        if size.dtype == object:
            return self._limbs(size * size)
        mask = (1 << half) - 1
        factors = [(size & mask, 0), (size >> half & mask, half), (size >> 2 * half, 2 * half)]
        limbs: list[Limb] = []
        for number, (factor, shift) in enumerate(factors):
            limbs += self._limbs(factor * factor, 2 * shift)
            for other, further in factors[number + 1 :]:
                limbs += self._limbs(factor * other, shift + further + 1)
        return limbs

    def _multiples(self) -> list[Limb] | None:
        """Return the multiples as whole numbers of 2^-84, None where one is too small or too large for that."""
        scaled = self.multiple * 2.0**_COARSE
        if (np.abs(scaled) >= 2.0**_BITS).any():
            return None
        upper = np.rint(scaled)
        lower = (self.multiple - upper * 2.0**-_COARSE) * 2.0**_FINE
        if (np.rint(lower) != lower).any():
            return None
        return [*self._limbs(upper.astype(np.int64), _FINE - _COARSE), *self._limbs(lower.astype(np.int64))]

    def _moments(self, codes: Integers, totals: Sequence[int], sizes: Sequence[int]) -> list[Moments]:
        size = len(sizes)
        if not self.is_exact:
            return [Moments.of(self.multiple[self.has_multiple & (codes == group)]) for group in range(size)]
        # Rounded as `math.fsum` rounds, so that rows tell the very same mean.
        means = [total / (1 << _FINE) / count if count else 0.0 for total, count in zip(totals, sizes, strict=True)]
        apart = self.multiple - np.array(means)[codes]
        apart *= self.has_multiple
        squares = np.bincount(codes, weights=apart * apart, minlength=size).tolist()
        columns = zip(sizes, means, squares, strict=True)
        return [Moments(count, mean, square / (count - 1) if count > 1 else 0.0) for count, mean, square in columns]


def _cells(cuts: Sequence[tuple[Integers, int]]) -> tuple[Integers, list[Integers]]:
    """Return a number for each exit's combination of groups in some cuts, and by cut the group of each combination."""
    sizes, exits = tuple(size for _, size in cuts), len(cuts[0][0])
    count = math.prod(sizes)
    if 0 < count <= exits:  # so few that some of which there is no exit cost nothing
        cells = np.ravel_multi_index(tuple(codes for codes, _ in cuts), sizes)
        return cells, [of_cells.astype(np.int64) for of_cells in np.unravel_index(np.arange(count), sizes)]
    cells, count = np.zeros(exits, dtype=np.int64), 1
    for codes, size in cuts:
        different, cells = distinct(cells * size + codes)
        count = len(different)
    groups_of_cells = [np.zeros(count, dtype=np.int64) for _ in cuts]
    for of_cells, (codes, _) in zip(groups_of_cells, cuts, strict=True):
        of_cells[cells] = codes
    return cells, groups_of_cells


def _zeros(size: int, alike: Whole) -> Whole:
    return np.zeros(size, dtype=object) if alike.dtype == object else np.zeros(size, dtype=np.int64)


def _sums_of(numbers: Integers, codes: Integers, size: int) -> Integers:
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, codes, numbers)
    return sums


def _whole(limbs: Sequence[Limb], size: int) -> list[int]:
    """Return the sums of so many groups, exactly."""
    totals = [0] * size
    for shift, numbers in limbs:
        totals = [total + (narrow << shift) for total, narrow in zip(totals, numbers.tolist(), strict=True)]
    return totals
