"""The ledger, a broker's statements and the hot copy compared: each cause of a difference is named once. Pure.

A fill that lacks also moves the position, the day's result and its charges. Such a difference is no break of its own:
it is listed apart with the break that it follows from, and becomes one if it is still there once that is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypedDict

from trading.domain.breaks import Break, BreakKind, Figures, Proposal, Remedy, oldest_first, plain
from trading.domain.chain import JSON
from trading.domain.charge_breaks import MarkedLine

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


class ReconciliationBody(TypedDict):
    """A reconciliation as JSON has it. ``marked`` are lines that rest on a row of the schedule marked `?`."""

    account: str
    breaks: list[dict[str, JSON]]
    following: list[dict[str, JSON]]
    marked: list[dict[str, JSON]]
    left_out: list[dict[str, JSON]]


@dataclass(slots=True)
class Reconciliation:
    """All breaks of an account, the oldest first, what follows from them, and what is marked.

    ``left_out`` are lines of files that could not be compared: file, row, reason as a code, and the same in words.
    """

    account: str
    breaks: list[Break] = field(default_factory=list)
    following: list[Following] = field(default_factory=list)
    marked: list[MarkedLine] = field(default_factory=list)
    left_out: list[tuple[str, int, str, str]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether no break is open, and every line could be compared."""
        return not self.breaks and not self.left_out

    def as_dict(self) -> ReconciliationBody:
        """Return the reconciliation as JSON has it; money as plain strings."""
        return {
            "account": self.account,
            "breaks": [each.as_dict() for each in self.breaks],
            "following": [{**each.difference.as_dict(), "follows": each.cause} for each in self.following],
            "marked": [
                {
                    "day": line.day.isoformat(),
                    "last_day": line.last_day.isoformat(),
                    "segment": line.segment or None,
                    "head": line.head,
                    "estimate": plain(line.estimate),
                    "broker": plain(line.broker),
                    "sure": line.sure,
                }
                for line in self.marked
            ],
            "left_out": [
                {"file": file, "row": row, "reason": reason, "text": text} for file, row, reason, text in self.left_out
            ],
        }


def reconciled(account: str, differences: Iterable[Break], marked: Sequence[MarkedLine] = ()) -> Reconciliation:
    """Return the reconciliation that an account's differences make, each under a key that names the account."""
    ordered = oldest_first(replace(each, key={"account": account, **each.key}) for each in differences)
    causes = [each for each in ordered if each.kind in _MOVE_FIGURES]
    reconciliation = Reconciliation(account, marked=list(marked))
    for each in ordered:
        cause = next((cause for cause in causes if _follows(each, cause)), None)
        if cause is None:
            reconciliation.breaks.append(each)
        else:
            reconciliation.following.append(Following(each, cause.id))
    return reconciliation


def _follows(difference: Break, cause: Break) -> bool:
    """Tell whether a difference of sums can follow from a fill that differs."""
    if difference.kind in _OF_ALL_DAYS_BEFORE:
        return bool(difference.scope & cause.scope) and cause.day <= difference.day
    if difference.kind is BreakKind.ORDER_DIFFERS:
        return bool(difference.scope & cause.scope) and cause.day == difference.day
    if difference.kind is BreakKind.CHARGES_ESTIMATE:
        last = date.fromisoformat(difference.key.get("last_day", difference.day.isoformat()))
        return difference.day <= cause.day <= last
    return False


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
