"""Correcting a trade: find it behind the lock, write one row that says who and why, let the trade follow, tell the
journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from trading.bookkeeping import arguments, booking, fill_keys, journal, refolding
from trading.bookkeeping.booking import Seen
from trading.domain import values
from trading.domain.chain import JournalEntry, journal_text
from trading.domain.flags import PRICE_FAR
from trading.errors import InvalidValue, UnknownTrade
from trading.models import Correction, Fill, JournalHead, Strategy, Trade
from trading.queries import facts
from trading.queries.trades import trade_value

CorrectionBody = Mapping[str, str | Mapping[str, str | None]]  # by kind of the correction: see `journal`

AUTHOR_MAX = 150
OPERATIONS = {
    facts.AMEND: "amend",
    facts.VOID: "void",
    facts.CHARGES: "set_charges",
    facts.CONTRACT: "correct_contract",
}


def author(by: str) -> str:
    """Return who corrects. Raises: InvalidValue where nobody is named."""
    text = arguments.free_text(by, "by").strip()
    if not text or len(text) > AUTHOR_MAX:
        raise InvalidValue("by names nobody.", field="by", hint=f"Give who corrects, in at most {AUTHOR_MAX} letters.")
    return text


def why(reason: str) -> str:
    """Return the reason of a correction. Raises: InvalidValue where none is given."""
    text = arguments.free_text(reason, "reason").strip()
    if not text:
        raise InvalidValue("reason is empty.", field="reason", hint="Say why: it is kept with the correction.")
    return text


def locked(trade_pk: int) -> tuple[Trade, JournalHead]:
    """Lock the end of a trade's chain, then read the trade; return both. Raises: UnknownTrade."""
    rows = Trade.objects.select_related("account", "strategy", "instrument__exchange").filter(pk=trade_pk)
    trade = rows.first()
    if trade is None:
        raise UnknownTrade(f"There is no trade {trade_pk}.", field="trade")
    head = journal.lock_head(trade.account)
    return rows.get(), head


def fill_of(trade: Trade, sequence: int | None) -> Fill:
    """Return the fill that a caller means, as corrections have left it; None means the only one.

    Raises: InvalidValue.
    """
    fills = facts.fills_of(trade)
    matches = [fill for fill in fills if sequence in (None, fill.sequence)]
    if len(matches) != 1:
        listed = "; ".join(f"{fill.sequence} {fill.side} {fill.quantity:f} at {fill.price:f}" for fill in fills)
        raise InvalidValue(
            f"fill is {sequence!r}: trade {trade.trade_id} has {len(fills)}.", field="fill", hint=f"Give one: {listed}."
        )
    return matches[0]


def write(
    trade: Trade,
    head: JournalHead,
    *,
    kind: str,
    reason: str,
    by: str,
    now: datetime,
    fill: Fill | None = None,
    body: CorrectionBody | None = None,
    strategy: Strategy | None = None,
) -> values.Trade:
    """Write the correction, let the trade follow (to another ``strategy``, where one is given), tell the journal.

    Raises: InvalidValue, CrossesZero, IdConflict where the facts, so corrected, make no trade; LedgerBusy.
    """
    seen, was = Seen.of(trade), (trade.strategy, trade.trading_day)
    if fill is not None and fill.role == Fill.Role.SPLIT:
        raise InvalidValue(
            f"Fill {fill.sequence} is a split.",
            field="fill",
            hint="Take it back by its inverse: 1 for 2 where it was 2 for 1, with apply_split and another key.",
        )
    row = Correction(
        account=trade.account,
        trade=trade,
        fill_id=None if fill is None else fill.pk,
        kind=kind,
        body=body or {},
        reason=reason,
        author=by,
        recorded_at=now,
    )
    if fill is not None and (kind == facts.VOID or "price" in row.body.get("now", {})):
        trade.flags = [flag for flag in trade.flags if flag != PRICE_FAR]  # the tick of that time is not at hand
    fills = facts.corrected(facts.fills_of(trade), [row])
    refolding.stand(trade, fills, strategy or trade.strategy, is_void=kind == facts.VOID and fill is None)
    if (trade.strategy, trade.trading_day) != was:
        row.from_strategy, row.from_day = was
    row.save()
    stands = refolding.follow(trade, seen, fills)
    if fill is not None and "at" in row.body.get("now", {}):
        stands |= fill_keys.follow(trade, next(right for right in fills if right.pk == fill.pk))
    correction: JournalEntry = {
        "kind": kind,
        "body": row.body,
        "reason": reason,
        "fill": None if fill is None else fill.sequence,
        "author": by,
        "from_day": row.from_day,
        "from_strategy": None if row.from_strategy is None else row.from_strategy.code,
    }
    entry = {"trade": booking.trade_body(trade), "correction": correction, "correction_pk": row.pk, **stands}
    journal.append(trade.account, OPERATIONS[kind], entry, now=now, by=by, head=head)
    return trade_value(trade)


def text_of(fact: Decimal | datetime | str | None) -> str | None:
    """Return a fact of a trade as a correction's body keeps it."""
    return journal_text(fact) if isinstance(fact, Decimal | datetime) else fact
