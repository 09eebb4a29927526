"""What a reconciliation has compared: days, exchanges and kinds, and what it left out with the reason. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from trading.domain.breaks import Break, BreakKind

# A file tells of one of these groups of exchanges, or of several: of the others it says nothing.
_GROUPS = (("NSE", "BSE"), ("NFO", "BFO"), ("CDS", "BCD"), ("MCX", "NCO"))
_ELSEWHERE = ""
_DAY = timedelta(days=1)
# What of a key tells which row of the ledger is meant, or whose; the rest tells what was compared.
_OF_ROWS = ("account", "trade_id", "sequence", "occurrence")
Subject = tuple[str, ...]  # what is compared with what: a kind of comparison, then names with their values


class Comparison(StrEnum):
    """A kind of comparison."""

    FILLS = "fills"
    ORDERS = "orders"
    POSITIONS = "positions"
    REALISED = "realised"
    CHARGES = "charges"
    BILLS = "bills"
    HOT_COPY = "hot_copy"


COMPARISON_OF = {
    BreakKind.ORDER_DIFFERS: Comparison.ORDERS,
    BreakKind.POSITION: Comparison.POSITIONS,
    BreakKind.REALISED: Comparison.REALISED,
    BreakKind.CHARGES: Comparison.CHARGES,
    BreakKind.CHARGES_ESTIMATE: Comparison.CHARGES,
    BreakKind.HOT_COPY: Comparison.HOT_COPY,
}
# What the broker says of a fill or a charge tells a line from another file's of the same name.
FIGURES_OF = {Comparison.FILLS: ("side", "quantity", "price"), Comparison.CHARGES: ("stated",)}
# Breaks of fills that the ledger has: whether they are gone is seen in any file that covers their day.
_OF_LEDGER = (BreakKind.FILL_TWICE, BreakKind.FILL_NOT_AT_BROKER)


def group_of(exchange: str) -> str:
    """Return the group of an exchange, "" for all those outside India together."""
    return next((group[0] for group in _GROUPS if exchange in group), _ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a file tells the whole of: days, both inclusive, and groups of exchanges."""

    first: date
    last: date
    groups: frozenset[str]


class CoveredDays:
    """The days that some files together tell the whole of, by group of exchanges."""

    def __init__(self, coverage: Iterable[Coverage]) -> None:
        periods: defaultdict[str, list[tuple[date, date]]] = defaultdict(list)
        for each in coverage:
            for group in each.groups:
                periods[group].append((each.first, each.last))
        self._periods: dict[str, list[tuple[date, date]]] = {}
        for group, of_group in periods.items():
            merged: list[tuple[date, date]] = []
            for first, last in sorted(of_group):
                if merged and first <= merged[-1][1] + _DAY:
                    merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
                else:
                    merged.append((first, last))
            self._periods[group] = merged

    def has(self, exchange: str, first: date, last: date | None = None) -> bool:
        """Tell whether a day, or each one from ``first`` to ``last``, is covered on an exchange."""
        periods = self._periods.get(group_of(exchange), [])
        place = bisect_right(periods, first, key=lambda period: period[0]) - 1
        return place >= 0 and (last or first) <= periods[place][1]


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """So many lines of one kind that were compared, over days (both inclusive) and exchanges."""

    comparison: Comparison
    first: date
    last: date
    lines: int
    exchanges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UncomparedPart:
    """What was not compared, and why; ``lines`` of files that tell of it, 0 where none does."""

    comparison: Comparison
    reason: str
    lines: int = 0


def subject_of(comparison: Comparison, key: Mapping[str, str]) -> Subject:
    """Return what is compared under a break's key."""
    return (comparison, *(f"{name}={text}" for name, text in sorted(key.items()) if name not in _OF_ROWS))


@dataclass(slots=True)
class ComparedScope:
    """All that one run has compared: a break of it that is not seen again is gone.

    ``rows`` are trade and sequence of the ledger's fills where no file was given, else None: what was imported does
    not show that a file which lacks a fill of the ledger is wrong.
    """

    subjects: set[Subject] = field(default_factory=set)
    covered: CoveredDays = field(default_factory=lambda: CoveredDays(()))
    has_hot_copy: bool = False
    rows: set[tuple[str, str]] | None = None

    def add(self, comparison: Comparison, key: Mapping[str, str], **figures: str | None) -> None:
        """Note that what this key names was compared, with these figures of the broker's."""
        self.subjects.add((*subject_of(comparison, key), *map(str, figures.values())))

    def has(self, difference: Break) -> bool:
        """Tell whether this break would have been seen again: the broker says what it said, or the ledger's is gone."""
        kind, key = difference.kind, difference.key
        if kind is BreakKind.HOT_COPY:
            return self.has_hot_copy
        if kind in _OF_LEDGER:
            is_gone = self.rows is None or (key["trade_id"], key["sequence"]) not in self.rows
            return is_gone and self.covered.has(key["exchange"], difference.day)
        comparison = COMPARISON_OF.get(kind, Comparison.FILLS)
        names = FIGURES_OF.get(comparison, ())
        figures = (str((difference.broker or {}).get(name)) for name in names)
        return (*subject_of(comparison, key), *figures) in self.subjects
