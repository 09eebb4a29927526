"""Breaks: differences between what the ledger, the broker and the hot copy say, each with what would put it right.

A break changes nothing: its proposal says which operation would, for a person to approve. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from timeseries.values import instant_text
from trading.domain.chain import JSON

Figures = Mapping[str, str | None]  # what one side has, by name, as plain text; None where that side does not tell it
ID_LENGTH = 16
HALF_PAISA = Decimal("0.005")
# Where in a file a line stands, is not kept: a name may have the client's code, and other files have the same line.
_PLACE = ("file", "row")


class BreakKind(StrEnum):
    """What differs."""

    FILL_NOT_IN_LEDGER = "fill_not_in_ledger"
    FILL_NOT_AT_BROKER = "fill_not_at_broker"
    FILL_DIFFERS = "fill_differs"
    FILL_TWICE = "fill_twice"
    FILL_ID_DIFFERS = "fill_id_differs"
    BROKER_CONTRADICTS = "broker_contradicts"  # two lines of the broker's have one id and differ
    ORDER_DIFFERS = "order_differs"
    POSITION = "position"
    REALISED = "realised"
    CHARGES = "charges"
    CHARGES_ESTIMATE = "charges_estimate"  # what the broker charged is not what the schedule says
    HOT_COPY = "hot_copy"


class Remedy(StrEnum):
    """What would put a break right."""

    BOOK_FILL = "book_fill"
    AMEND_FILL = "amend_fill"
    VOID_FILL = "void_fill"
    STATE_CHARGES = "state_charges"
    REBUILD_HOT_COPY = "rebuild_hot_copy"
    LOOK = "look"  # a person has to find out first


@dataclass(frozen=True, slots=True)
class Proposal:
    """A correction for a person to approve: the action, its arguments as plain texts, and the same as a sentence."""

    action: Remedy
    text: str
    arguments: Figures = field(default_factory=dict)

    def as_dict(self) -> dict[str, JSON]:
        """Return the proposal as JSON has it."""
        return {"action": self.action.value, "text": self.text, "arguments": dict(self.arguments)}


@dataclass(frozen=True, slots=True)
class Break:
    """One difference. ``key`` names what differs, ``day`` is the day that it is of; a side that has nothing is None.

    ``scope`` are symbols, or segments, whose figures of this day and later ones the break moves.
    """

    kind: BreakKind
    key: Mapping[str, str]
    day: date
    ledger: Figures | None
    broker: Figures | None
    proposal: Proposal
    hot: Figures | None = None
    scope: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """Return 16 hex digits of a hash of kind and key: the same break has the same id on every day."""
        text = json.dumps([self.kind, sorted(self.key.items())], separators=(",", ":"), ensure_ascii=False)
        return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:ID_LENGTH]

    def without_places(self) -> Break:
        """Return the break without where in a file its lines stand, as it is kept."""
        ledger, broker, hot = (
            None if side is None else {name: text for name, text in side.items() if name not in _PLACE}
            for side in (self.ledger, self.broker, self.hot)
        )
        return replace(self, ledger=ledger, broker=broker, hot=hot)

    def as_dict(self, opened_at: datetime | None = None) -> dict[str, JSON]:
        """Return the break as JSON has it. ``opened_at`` is when it was first seen, null where nobody has kept it."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "key": dict(self.key),
            "ledger": None if self.ledger is None else dict(self.ledger),
            "broker": None if self.broker is None else dict(self.broker),
            "hot": None if self.hot is None else dict(self.hot),
            "opened_at": None if opened_at is None else instant_text(opened_at.astimezone(UTC), "microseconds"),
            "proposal": self.proposal.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class OpenBreak:
    """A break that is open, and since when: the instant at which it was first seen."""

    difference: Break
    opened_at: datetime

    def age(self, now: datetime) -> str:
        """Return how long the break has been open, in hours or days."""
        hours = max(int((now - self.opened_at).total_seconds() // 3600), 0)
        return f"{hours // 24} d" if hours >= 48 else f"{hours} h"

    def as_dict(self) -> dict[str, JSON]:
        """Return the break as JSON has it."""
        return self.difference.as_dict(self.opened_at)


def plain(amount: Decimal | None) -> str | None:
    """Return an amount as a plain string without trailing zeros, None for None."""
    if amount is None:
        return None
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def oldest_first(breaks: Iterable[Break]) -> list[Break]:
    """Return breaks by age, those of a day by kind and key."""
    return sorted(breaks, key=lambda each: (each.day, list(BreakKind).index(each.kind), sorted(each.key.items())))


def printed_to(price: Decimal) -> Decimal:
    """Return how far the exact price may lie from a printed one: half its last place, at most half a paisa."""
    exponent = price.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    return min(HALF_PAISA, Decimal(5).scaleb(-places - 1)) if places > 2 else HALF_PAISA
