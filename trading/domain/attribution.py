"""The worth of a signal's condition: trades with it against trades without it, and the price after a signal.

Pure. Money in units of 10^-8; moves in percent of the price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.domain import cuts, intervals, statistics
from trading.domain.exit_columns import Groups
from trading.domain.exit_runs import Whole
from trading.domain.intervals import MeanDifference

LONG, SHORT = "LONG", "SHORT"


@dataclass(frozen=True, slots=True)
class Judged:
    """Closed trades that signals may have led to, as columns: their strategies, their P&L after known charges, and by
    name the numbers and booleans (0, 1) that were recorded, NaN where one was not."""

    strategies: Groups
    net: Whole
    conditions: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Attribution:
    """One bucket of one condition. ``difference`` is expectancy with it less without it (Welch, 95 %), ``p_adjusted``
    its p as it counts among all that were looked at (Holm); None where a side has fewer than two trades."""

    strategy_id: str
    condition: str
    bucket: str
    with_it: int
    expectancy_with: int | None
    without_it: int
    expectancy_without: int | None
    difference: MeanDifference | None
    p_adjusted: float | None


def attribute(trades: Judged) -> list[Attribution]:
    """Return one row per strategy and bucket of each condition, by name: `yes` of a boolean, quantile buckets of a
    number.

    Without it are all other trades of the strategy, those too where it was not recorded.
    """
    groups = []
    for strategy in sorted(trades.strategies.names):
        places = np.flatnonzero(trades.strategies.codes == trades.strategies.names.index(strategy))
        net = trades.net[places]
        for name in sorted(trades.conditions):
            groups += [
                (strategy, name, bucket, net[is_in], net[~is_in])
                for bucket, is_in in _buckets(trades.conditions[name][places])
            ]
    differences = [
        intervals.difference(within.astype(np.float64), outside.astype(np.float64)) for *_, within, outside in groups
    ]
    adjusted = intervals.holm([None if difference is None else difference.p for difference in differences])
    return [
        Attribution(
            strategy,
            name,
            bucket,
            len(within),
            statistics.average(sum(within.tolist()), len(within)),
            len(outside),
            statistics.average(sum(outside.tolist()), len(outside)),
            difference,
            p,
        )
        for (strategy, name, bucket, within, outside), difference, p in zip(groups, differences, adjusted, strict=True)
    ]


def _buckets(column: npt.NDArray[np.float64]) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """Return the buckets that some trades are in by one condition, and of each which of them."""
    is_recorded = ~np.isnan(column)
    numbers = column[is_recorded]
    if bool(np.isin(numbers, (0.0, 1.0)).all()):
        # The other half says the same again: it would only be counted twice among what was looked at.
        return [("yes", column == 1)] if (numbers == 1).any() else []
    edges = cuts.edges_of(numbers.tolist(), is_boolean=False) or ()
    places = np.searchsorted(np.array(edges, dtype=np.float64), column)
    buckets = [(name, is_recorded & (places == place)) for place, name in enumerate(cuts.bucket_names(edges))]
    return [(name, is_in) for name, is_in in buckets if is_in.any()]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The price's move after a signal, in percent of the price at it, counted in the signal's direction: at the end of
    the time looked at, and its best and worst on the way."""

    end: float
    best: float
    worst: float


def aftermath(
    times: npt.NDArray[np.int64], prices: npt.NDArray[np.float64], since: int, at: int, until: int, side: str
) -> Aftermath | None:
    """Return the aftermath of a signal from ticks ascending by time (ns UTC); a SHORT one gains where the price falls.

    The price at the signal is the last one in ``since <= t <= at``. None without one or where it is 0, and without a
    tick in ``at < t <= until``.
    """
    first, last = np.searchsorted(times, (at, until), side="right")
    if first in (0, last) or times[first - 1] < since:
        return None
    sign = -1.0 if side == SHORT else 1.0
    base = prices[first - 1]
    if not base:
        return None
    moves = sign * 100 * (prices[first:last] - base) / abs(base)
    return Aftermath(float(moves[-1]), float(moves.max()), float(moves.min()))
