"""The ledger, a broker's statements and the hot copy compared: each cause of a difference is named once. Pure.

A fill that lacks also moves the position, the day's result and its charges. Such a difference is no break of its own:
it is listed apart with the break that it follows from, and becomes one if it is still there once that is settled.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from trading.domain.breaks import Break, BreakKind, Figures, Proposal, Remedy, oldest_first
from trading.domain.charge_breaks import MarkedLine
from trading.domain.compared import ComparedPart, ComparedScope, UncomparedPart

# Only the id differs: no figure does.
_MOVE_FIGURES = (
    BreakKind.FILL_NOT_IN_LEDGER,
    BreakKind.FILL_NOT_AT_BROKER,
    BreakKind.FILL_DIFFERS,
    BreakKind.FILL_TWICE,
    BreakKind.BROKER_CONTRADICTS,
)
_OF_ALL_DAYS_BEFORE = (BreakKind.POSITION, BreakKind.REALISED)


@dataclass(frozen=True, slots=True)
class Following:
    """A difference that follows from a break: ``cause`` is that break's id."""

    difference: Break
    cause: str


@dataclass(frozen=True, slots=True)
class HotDifference:
    """What the hot copy has of one entry of a section, and what the ledger says."""

    section: str
    name: str
    ledger: Figures | None
    hot: Figures | None


@dataclass(slots=True)
class Reconciliation:
    """All breaks of an account, the oldest first, what follows from them, and what is marked.

    ``left_out`` are lines of files that could not be compared: file, row, reason as a code, and the same in words.
    ``compared`` and ``uncompared`` say what the run was of, ``scope`` is the same for looking up a single break.
    """

    account: str
    breaks: list[Break] = field(default_factory=list)
    following: list[Following] = field(default_factory=list)
    marked: list[MarkedLine] = field(default_factory=list)
    left_out: list[tuple[str, int, str, str]] = field(default_factory=list)
    compared: list[ComparedPart] = field(default_factory=list)
    uncompared: list[UncomparedPart] = field(default_factory=list)
    scope: ComparedScope = field(default_factory=ComparedScope)


def reconciled(account: str, differences: Iterable[Break], marked: Sequence[MarkedLine] = ()) -> Reconciliation:
    """Return the reconciliation that an account's differences make, each under a key that names the account."""
    ordered = oldest_first(replace(each, key={"account": account, **each.key}) for each in differences)
    causes = _Causes([each for each in ordered if each.kind in _MOVE_FIGURES])
    reconciliation = Reconciliation(account, marked=list(marked))
    for each in ordered:
        cause = causes.of(each)
        if cause is None:
            reconciliation.breaks.append(each)
        else:
            reconciliation.following.append(Following(each, cause.id))
    return reconciliation


class _Causes:
    """Fills that differ, the oldest first: what differences of sums can follow from."""

    def __init__(self, breaks: Sequence[Break]) -> None:
        self.breaks, self.days = breaks, [each.day for each in breaks]
        self.oldest: dict[str, Break] = {}
        self.of_day: dict[tuple[str, date], Break] = {}
        for each in breaks:
            for symbol in each.scope:
                self.oldest.setdefault(symbol, each)
                self.of_day.setdefault((symbol, each.day), each)

    def of(self, difference: Break) -> Break | None:
        """Return the oldest fill that a difference can follow from, None where there is none."""
        if difference.kind is BreakKind.CHARGES_ESTIMATE:
            last = date.fromisoformat(difference.key.get("last_day", difference.day.isoformat()))
            place = bisect_left(self.days, difference.day)
            return self.breaks[place] if place < len(self.days) and self.days[place] <= last else None
        causes: Iterable[Break | None] = ()
        if difference.kind in _OF_ALL_DAYS_BEFORE:
            causes = (self.oldest.get(symbol) for symbol in difference.scope)
        elif difference.kind is BreakKind.ORDER_DIFFERS:
            causes = (self.of_day.get((symbol, difference.day)) for symbol in difference.scope)
        before = [each for each in causes if each is not None and each.day <= difference.day]
        return min(before, key=lambda each: (each.day, each.id), default=None)


def hot_breaks(differences: Iterable[HotDifference], day: date) -> list[Break]:
    """Return a break for each entry of the hot copy that is not what the ledger says."""
    text = "Rebuild the hot copy from the ledger: manage.py rebuild_cache."
    return [
        Break(
            BreakKind.HOT_COPY,
            {"section": each.section, **({"name": each.name} if each.name else {})},
            day,
            each.ledger,
            None,
            Proposal(Remedy.REBUILD_HOT_COPY, text),
            hot=each.hot,
        )
        for each in differences
    ]
