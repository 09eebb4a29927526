"""Cuts of a period's exits: every exit falls into exactly one group of each cut, so all cuts have one total.

Pure. Tags and conditions are of many kinds at once; a trade is filed under its whole set of tags, and under one bucket
of a condition, never under two.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from trading.domain.exit_runs import Floats
from trading.domain.figures import Exit

NONE = "—"
STILL_OPEN = "still open"
HELD = (
    (timedelta(minutes=1), "under 1 min"),
    (timedelta(minutes=5), "1 to 5 min"),
    (timedelta(minutes=15), "5 to 15 min"),
    (timedelta(hours=1), "15 to 60 min"),
    (timedelta(hours=4), "1 to 4 h"),
)
HELD_LONGEST = "over 4 h"
OVERNIGHT = "overnight"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BUCKETS = 4
DAYS_KNOWN = 4096  # exits share their days by the thousand


class Traded(NamedTuple):
    """The fields of a trade that cuts read. Times are in the zone of its exchange."""

    strategy_id: str
    symbol: str
    side: str
    exit_reason: str
    opened_at: datetime
    closed_at: datetime | None
    tags: tuple[str, ...] = ()
    conditions: Mapping[str, float] = MappingProxyType({})
    is_day_only: bool = False  # its times are known to the day only


class TradedExit(NamedTuple):
    """One exit fill and the trade that it is of."""

    exit: Exit
    trade: Traded


CutKey = Callable[[TradedExit], str]
Edges = tuple[float, ...] | None  # between buckets, ascending; None: yes and no


def places(exits: Iterable[TradedExit], key: CutKey) -> dict[str, list[int]]:
    """Return the places of the exits by key; together they are all, once each. Buckets of time in their order, else by
    name."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for place, traded_exit in enumerate(exits):
        groups[key(traded_exit)].append(place)
    return {name: groups[name] for name in in_order(groups)}


def in_order(names: Iterable[str]) -> list[str]:
    """Return the keys of a cut in the order that they are shown in; what is not known comes last."""
    return sorted(names, key=lambda name: (name in (NONE, STILL_OPEN), _ORDER.get(name, name)))


def holding(traded_exit: TradedExit) -> str:
    """Return the bucket of how long the trade was held, half-open; `overnight` beyond the day of its opening, and none
    within a day whose times are not known."""
    opened_at, closed_at = traded_exit.trade.opened_at, traded_exit.trade.closed_at
    if closed_at is None:
        return STILL_OPEN
    if closed_at.date() != opened_at.date():
        return OVERNIGHT
    if traded_exit.trade.is_day_only:
        return NONE
    held = closed_at.astimezone(UTC) - opened_at.astimezone(UTC)  # elapsed, not by the clock on the wall
    return next((name for limit, name in HELD if held < limit), HELD_LONGEST)


@lru_cache(maxsize=DAYS_KNOWN)
def week_of(day: date) -> str:
    """Return the ISO week of a day: 2021-W15."""
    year, number, _ = day.isocalendar()
    return f"{year}-W{number:02d}"


@lru_cache(maxsize=DAYS_KNOWN)
def month_of(day: date) -> str:
    """Return the month of a day: 2021-04."""
    return f"{day:%Y-%m}"


CUTS: dict[str, CutKey] = {
    "day": lambda row: row.exit.day.isoformat(),
    "week": lambda row: week_of(row.exit.day),
    "month": lambda row: month_of(row.exit.day),
    "strategy": lambda row: row.trade.strategy_id,
    "symbol": lambda row: row.trade.symbol,
    "side": lambda row: row.trade.side,
    "exit_reason": lambda row: row.trade.exit_reason or (NONE if row.trade.closed_at else STILL_OPEN),
    "tag": lambda row: ", ".join(sorted(row.trade.tags)) if row.trade.tags else NONE,
    "hour": lambda row: NONE if row.trade.is_day_only else f"{row.trade.opened_at.hour:02d}:00",
    "weekday": lambda row: WEEKDAYS[row.trade.opened_at.weekday()],
    "holding": holding,
}


TITLES = {
    "month": "By month",
    "week": "By week",
    "strategy": "By strategy",
    "symbol": "By symbol",
    "side": "By side",
    "exit_reason": "By exit reason",
    "tag": "By tags",
    "hour": "By hour of entry",
    "weekday": "By weekday of entry",
    "holding": "By time held",
    "day": "By day",
}


def by_condition(name: str, edges: Edges) -> CutKey:
    """Return the cut by one condition: yes and no where ``edges`` is None, else the bucket between two edges."""

    def key(traded_exit: TradedExit) -> str:
        number = traded_exit.trade.conditions.get(name)
        return NONE if number is None else names[_place(number, edges)]

    names = bucket_names(edges)
    return key


def by_each_condition(exits: Sequence[TradedExit]) -> dict[str, dict[str, list[int]]]:
    """Return the places of the exits by each condition that was recorded, by name: yes before no, quantile buckets
    ascending, and last the exits of trades without it."""
    names = {name for trade in _trades(exits) for name in trade.conditions}
    return {name: by_condition_named(exits, name) for name in sorted(names)}


def by_condition_named(exits: Sequence[TradedExit], name: str) -> dict[str, list[int]]:
    """Return the places of the exits by one condition; of one that nobody recorded all exits are without it."""
    numbers = [trade.conditions[name] for trade in _trades(exits) if name in trade.conditions]
    is_boolean = set(numbers) <= {0.0, 1.0}
    edges = edges_of(numbers, is_boolean=is_boolean)
    groups = places(exits, by_condition(name, edges))
    ordered = bucket_names(edges)[:: -1 if is_boolean else 1]
    return {key: groups[key] for key in (*ordered, NONE) if key in groups}


def _trades(exits: Sequence[TradedExit]) -> Iterable[Traded]:
    return {id(traded_exit.trade): traded_exit.trade for traded_exit in exits}.values()


def bucket(number: float, edges: Edges) -> str:
    """Return the name of a number's bucket; one on an edge belongs below it."""
    return bucket_names(edges)[_place(number, edges)]


@lru_cache(maxsize=64)
def bucket_names(edges: Edges) -> tuple[str, ...]:
    """Return the names of all buckets between these edges, ascending (`no` before `yes`)."""
    if edges is None:
        return "no", "yes"
    if not edges:
        return ("all",)
    between = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
    return (f"up to {edges[0]:.6g}", *between, f"over {edges[-1]:.6g}")


def _place(number: float, edges: Edges) -> int:
    return bool(number) if edges is None else bisect_left(edges, number)


def edges_of(values: Sequence[float], *, is_boolean: bool, buckets: int = BUCKETS) -> Edges:
    """Return the edges between quantile buckets: the values at each k/n of the sorted sample (nearest rank).

    None for a boolean. Equal edges fall together, so there may be fewer buckets than asked for.
    """
    return None if is_boolean else edges_in_order(sorted(values), buckets)


def edges_in_order(ordered: Sequence[float] | Floats, buckets: int = BUCKETS) -> tuple[float, ...]:
    """Return `edges_of` values that are no booleans, of which few are looked at: they ascend."""
    places = (-(-len(ordered) * number // buckets) - 1 for number in range(1, buckets))
    edges = sorted({float(ordered[place]) for place in places if place >= 0})
    return tuple(edge for edge in edges if edge < ordered[-1])


_ORDER = {name: f"{place:02d}" for place, name in enumerate((*(name for _, name in HELD), HELD_LONGEST, OVERNIGHT))}
_ORDER |= {name: f"{place}" for place, name in enumerate(WEEKDAYS)}
