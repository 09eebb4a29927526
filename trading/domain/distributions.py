"""Distributions of closed trades, and the hours that they were opened in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count as counting

import numpy as np

from trading.domain import figures, intervals, statistics
from trading.domain.cuts import WEEKDAYS
from trading.domain.drawn_shapes import DistributionStep, WeekdayHour
from trading.domain.exit_columns import whole_numbers
from trading.domain.exit_runs import Floats, Whole
from trading.domain.intervals import Sums

STEPS_MAX = 16
ONE = 10**8  # of units
# So many of a hundred lie in the first and the last step at least: one trade in a thousand must not flatten all others.
TAIL_PERCENT = 2


def distribution(units: Whole) -> list[DistributionStep]:
    """Return how many values lie in each step of a round width: money or R in units of 10^-8, steps half-open.

    The first and the last step are open where values lie beyond them; steps between them may hold none.
    """
    if not len(units):
        return []
    ordered = np.sort(units)
    tail = len(ordered) * TAIL_PERCENT // 100
    ends = int(ordered[tail]), int(ordered[-1 - tail])
    width = _round_width(ends[1] - ends[0])
    first, last = ends[0] // width, ends[1] // width
    # Between two steps' bounds lie those below the upper one that are not below the lower.
    bounds = np.searchsorted(ordered, whole_numbers([step * width for step in range(first + 1, last + 1)]))
    counts = np.diff(bounds, prepend=0, append=len(ordered)).tolist()
    is_open = int(ordered[0]) // width < first, int(ordered[-1]) // width > last
    return [
        {
            "at_least": None if step == first and is_open[0] else figures.to_money(step * width),
            "below": None if step == last and is_open[1] else figures.to_money((step + 1) * width),
            "trades": trades,
        }
        for step, trades in enumerate(counts, first)
    ]


def in_units(numbers: Floats) -> Whole:
    """Return numbers, none of them NaN, as whole units of 10^-8, half-even."""
    units = np.rint(numbers * ONE)
    fit = bool((np.abs(units) < 2.0**63).all())
    return units.astype(np.int64) if fit else whole_numbers([int(unit) for unit in units.tolist()])


def _round_width(spread: int) -> int:
    """Return the least of 1, 2, 5, 10, 20, ... units of which `STEPS_MAX` - 1 reach across a spread."""
    if not spread:
        return ONE
    widths = (int(digit * 10**power) for power in counting() for digit in (1, 2, 5))
    return next(width for width in widths if spread < width * (STEPS_MAX - 1))


def weekday_hours(sums: Mapping[tuple[int, int], Sums]) -> list[WeekdayHour]:
    """Return a row per weekday (0 is Monday) and hour in which a trade was opened that closed, in order; ``sums`` are
    those of the trades' P&L after known charges.

    Each is compared with all others: p, corrected for looking at all of them (Holm), says whether an hour stands out.
    None where an hour, or what is beside it, has fewer than two trades.
    """
    whole = Sums(*(sum(column) for column in zip(*sums.values(), strict=True)))
    hours = sorted(sums.items())
    differences = [intervals.difference_of_sums(hour, whole.less(hour)) for _, hour in hours]
    adjusted = intervals.holm([None if difference is None else difference.p for difference in differences])
    return [
        {
            "weekday": WEEKDAYS[weekday],
            "hour": f"{hour:02d}:00",
            "trades": sample.size,
            "expectancy": figures.to_money(statistics.average(sample.total, sample.size)),
            "difference": None if difference is None else figures.to_money(round(difference.value)),
            "p": None if difference is None else difference.p,
            "p_adjusted": p,
        }
        for ((weekday, hour), sample), difference, p in zip(hours, differences, adjusted, strict=True)
    ]
