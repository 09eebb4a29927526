"""A trade's fills as corrections have left them. The rows stay as they were said; what is right is read over them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from trading.domain import position
from trading.domain.money import to_units
from trading.domain.position import Execution
from trading.models import Correction, Fill, Journal, Trade

CORRECTED = "corrected"  # the flag of a trade that has corrections
AMEND, VOID, CHARGES, CONTRACT = "amend", "void", "charges", "contract"
STATED = "stated"  # key in the body of charges that follow from stated lines: the days of these, as texts
ENTERED = ("open_position", "add_fill", "close_position")  # what people do by hand as strategies do


def fills_of(trade: Trade) -> list[Fill]:
    """Return the trade's fills as they are right, in order of booking; those that never were are left out.

    The rows returned are for reading: what a correction says stands in them, not what their columns hold.
    """
    fills = list(trade.fills.order_by("sequence"))
    return corrected(fills, trade.corrections.order_by("pk")) if CORRECTED in trade.flags else fills


def fills_with_pnl(trade: Trade) -> list[tuple[Fill, Decimal | None]]:
    """Return the trade's fills as they are right, each with its gross P&L; None for an entry and in a void trade."""
    realised: dict[int, Decimal] = dict(trade.realisations.values_list("fill_id", "pnl"))
    return [(fill, realised.get(fill.pk)) for fill in fills_of(trade)]


def corrections_of(trade: Trade) -> list[Correction]:
    """Return the trade's corrections with their fills, the oldest first."""
    return list(trade.corrections.select_related("fill").order_by("pk")) if CORRECTED in trade.flags else []


def journal_of(trade: Trade) -> list[Journal]:
    """Return the journal's rows of a trade, in order. The text only narrows it: what a body says is what counts."""
    rows = Journal.objects.filter(account=trade.account, recorded_at__gte=trade.recorded_at)
    near = rows.filter(body__contains=f'"pk":{trade.pk},').order_by("sequence")
    return [row for row in near if json.loads(row.body).get("trade", {}).get("pk") == trade.pk]


def authors_of(trade: Trade) -> list[str]:
    """Return by whose name something of a trade was entered, in the order of the journal; not who reviewed it."""
    bodies = (json.loads(row.body) for row in journal_of(trade) if row.operation in ENTERED)
    return list(dict.fromkeys(body["by"] for body in bodies if body.get("by")))


def corrected(fills: Iterable[Fill], corrections: Iterable[Correction]) -> list[Fill]:
    """Return fills with these corrections (oldest first) read over them, without those that were voided."""
    by_key = {fill.pk: fill for fill in fills}
    for correction in corrections:
        if correction.kind == VOID and correction.fill_id is not None:
            by_key.pop(correction.fill_id, None)
        elif correction.kind == AMEND and correction.fill_id in by_key:
            _amend(by_key[correction.fill_id], correction.body["now"])
        elif correction.kind == CHARGES:
            for fill in by_key.values():
                fill.charges = _money(correction.body["by_fill"].get(str(fill.sequence)), fill.charges)
    return list(by_key.values())


def is_of_stated_charges(correction: Correction) -> bool:
    """Tell whether a correction brought stated charges to its trade, and is no word of a person about that trade."""
    return correction.kind == CHARGES and STATED in correction.body


def without_stated_charges(trade: Trade) -> list[Fill]:
    """Return the trade's fills as `fills_of` does, but for what stated charges brought to them."""
    corrections = [row for row in trade.corrections.order_by("pk") if not is_of_stated_charges(row)]
    return corrected(trade.fills.order_by("sequence"), corrections)


def executions(fills: Iterable[Fill]) -> list[Execution]:
    """Return fills as `position.fold` takes them."""
    return [
        Execution(
            fill.side,
            to_units(fill.price),
            to_units(fill.quantity),
            None if fill.charges is None else to_units(fill.charges),
            is_split=fill.role == Fill.Role.SPLIT,
        )
        for fill in fills
    ]


def folded(
    trade: Trade, fills: Iterable[Fill], *, multiplier: Decimal | None = None
) -> tuple[position.Holding, list[position.Realised]]:
    """Return the holding that fills make of a trade, and what each exit realised; by another ``multiplier`` than its
    instrument has now where one is given.

    Raises: position.CrossesZeroError.
    """
    by = trade.instrument.multiplier if multiplier is None else multiplier
    return position.fold(trade.side, to_units(by), executions(fills))


# The next fill's sequence, whether any entry's charges are known, and what the exits took of all charges, in halves as
# `columns.UnitsSum` has them.
_STANDING = """
SELECT (SELECT MAX(sequence) FROM trading_fill WHERE trade_id = %s) + 1,
       EXISTS (SELECT 1 FROM trading_fill WHERE trade_id = %s AND role = 'ENTRY' AND charges IS NOT NULL),
       SUM(charges >> 32), SUM(charges & 4294967295)
FROM trading_realisation WHERE trade_id = %s
"""


def standing(trade: Trade) -> tuple[position.Holding, int]:
    """Return the holding that an uncorrected trade's fills make, and the sequence of its next one.

    It is what `folded` would return, read off the trade's own columns: a fill costs the same however many came before.
    """
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(_STANDING, [trade.pk] * 3)
        following, is_charged, high, low = cursor.fetchone()
    charges = None if trade.charges is None else to_units(trade.charges)
    taken_over = (int(high) << 32) + int(low) if high is not None else 0
    holding = position.Holding(
        side=trade.side,
        multiplier=to_units(trade.instrument.multiplier),
        open_quantity=to_units(trade.open_quantity),
        open_cost=to_units(trade.open_cost),
        open_charges=charges - taken_over if charges is not None and is_charged else None,
        entry_quantity=to_units(trade.entry_quantity),
        entry_value=to_units(trade.entry_value),
        realised_pnl=to_units(trade.realised_pnl),
        charges=charges,
    )
    return holding, following


def _amend(fill: Fill, now: dict[str, Any]) -> None:
    fill.price, fill.quantity = _money(now.get("price"), fill.price), _money(now.get("quantity"), fill.quantity)
    fill.charges = _money(now.get("charges"), fill.charges)
    if "at" in now:
        fill.at, fill.is_day_only = datetime.fromisoformat(now["at"]), False


def _money(text: str | None, otherwise: Any) -> Any:
    return otherwise if text is None else Decimal(text)
