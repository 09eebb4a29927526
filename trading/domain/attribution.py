"""The worth of a signal's condition: trades with it against trades without it, and the price after a signal.

Pure. Money in units of 10^-8; moves in percent of the price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.domain import cuts, intervals, statistics
from trading.domain.intervals import MeanDifference

LONG, SHORT = "LONG", "SHORT"


@dataclass(frozen=True, slots=True)
class Judged:
    """A closed trade that a signal led to: its P&L after known charges, and the numbers and booleans (0, 1) that were
    recorded."""

    strategy_id: str
    net: int
    conditions: Mapping[str, float]


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


def attribute(trades: Sequence[Judged]) -> list[Attribution]:
    """Return one row per strategy and bucket of each condition, by name: `yes` of a boolean, quantile buckets of a
    number.

    Without it are all other trades of the strategy, those too where it was not recorded.
    """
    names = sorted({(trade.strategy_id, name) for trade in trades for name in trade.conditions})
    by_strategy = {code: [trade for trade in trades if trade.strategy_id == code] for code, _ in names}
    groups = [(strategy, *group) for strategy, name in names for group in _buckets(name, by_strategy[strategy])]
    differences = [intervals.difference(within, outside) for *_, within, outside in groups]
    adjusted = intervals.holm([None if difference is None else difference.p for difference in differences])
    return [
        Attribution(
            strategy,
            name,
            bucket,
            len(within),
            statistics.average(sum(within), len(within)),
            len(outside),
            statistics.average(sum(outside), len(outside)),
            difference,
            p,
        )
        for (strategy, name, bucket, within, outside), difference, p in zip(groups, differences, adjusted, strict=True)
    ]


def _buckets(name: str, trades: Sequence[Judged]) -> list[tuple[str, str, list[int], list[int]]]:
    numbers = [trade.conditions[name] for trade in trades if name in trade.conditions]
    is_boolean = set(numbers) <= {0.0, 1.0}
    edges = cuts.edges_of(numbers, is_boolean=is_boolean)
    named = [cuts.bucket(trade.conditions[name], edges) if name in trade.conditions else cuts.NONE for trade in trades]
    ordered = dict.fromkeys(cuts.bucket(number, edges) for number in sorted(numbers, reverse=is_boolean))
    # Of a boolean the other half says the same again: it would only be counted twice among what was looked at.
    buckets = [bucket for bucket in ordered if not is_boolean or bucket == "yes"]
    return [
        (
            name,
            bucket,
            [trade.net for trade, of in zip(trades, named, strict=True) if of == bucket],
            [trade.net for trade, of in zip(trades, named, strict=True) if of != bucket],
        )
        for bucket in buckets
    ]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The price's move after a signal, in percent of the price at it, counted in the signal's direction: at the end of
    the time looked at, and its best and worst on the way."""

    end: float
    best: float
    worst: float


def aftermath(
    times: npt.NDArray[np.int64], prices: npt.NDArray[np.float64], at: int, until: int, side: str
) -> Aftermath | None:
    """Return the aftermath of a signal from ticks ascending by time (ns UTC); a SHORT one gains where the price falls.

    The price at the signal is the last one up to ``at``. None without one or where it is 0, and without a tick in
    ``at < t <= until``.
    """
    if not len(times):
        return None
    first, last = np.searchsorted(times, at, side="right"), np.searchsorted(times, until, side="right")
    if first in (0, last):
        return None
    sign = -1.0 if side == SHORT else 1.0
    base = prices[first - 1]
    if not base:
        return None
    moves = sign * 100 * (prices[first:last] - base) / abs(base)
    return Aftermath(float(moves[-1]), float(moves.max()), float(moves.min()))
