"""Corporate actions that brokers' files tell of, with what a person decided of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import QuerySet

from trading.models import Account, ActionDecision, CorporateAction

WAITING, BOOKED, DISMISSED = "waiting", "booked", "dismissed"


@dataclass(frozen=True, slots=True)
class ProposedAction:
    """One such action, ``pk`` 0 while it is not kept; ``terms`` is what was booked, "" where nothing was.

    ``new`` units for ``old`` and the signed ``quantity`` are None where the file does not tell them.
    ``key`` is the same in whatever file tells it.
    """

    pk: int
    day: date
    kind: str
    symbol: str
    text: str
    new: Decimal | None
    old: Decimal | None
    quantity: Decimal | None
    state: str = WAITING
    terms: str = ""
    author: str = ""
    reason: str = ""
    key: str = ""


def corporate_actions(account: Account, *, with_decided: bool = False) -> list[ProposedAction]:
    """Return the account's actions that wait for a person, the oldest first; ``with_decided`` the others as well."""
    rows = CorporateAction.objects.filter(account=account)
    return as_proposed(rows if with_decided else rows.filter(decision=None))


def as_proposed(rows: QuerySet[CorporateAction]) -> list[ProposedAction]:
    """Return rows with their decisions, the oldest first."""
    return [proposed(row) for row in rows.select_related("decision").order_by("day", "pk")]


def proposed(row: CorporateAction) -> ProposedAction:
    """Return one row with its decision."""
    decision: ActionDecision | None = getattr(row, "decision", None)
    return ProposedAction(
        pk=row.pk or 0,
        day=row.day,
        kind=str(row.kind),
        symbol=row.symbol,
        text=row.text,
        new=row.new,
        old=row.old,
        quantity=row.quantity,
        state=WAITING if decision is None else BOOKED if decision.terms else DISMISSED,
        terms="" if decision is None else decision.terms,
        author="" if decision is None else decision.author,
        reason="" if decision is None else decision.reason,
        key=row.key,
    )
