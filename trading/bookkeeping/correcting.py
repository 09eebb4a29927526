"""What every correction of a trade does: find it behind the lock, write one row that says who and why, let the trade
follow, tell the journal."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading.bookkeeping import arguments, booking, journal, refolding
from trading.bookkeeping.booking import Seen
from trading.domain import values
from trading.domain.flags import PRICE_FAR
from trading.errors import InvalidValue, UnknownTrade
from trading.models import Correction, Fill, JournalHead, Strategy, Trade
from trading.queries import facts
from trading.queries.trades import trade_value

AUTHOR_MAX = 150
OPERATIONS = {
    facts.AMEND: "amend",
    facts.VOID: "void",
    facts.CHARGES: "set_charges",
    facts.CONTRACT: "correct_contract",
}


def author(value: Any) -> str:
    """Return who corrects. Raises: InvalidValue where nobody is named."""
    text = arguments.free_text(value, "by").strip()
    if not text or len(text) > AUTHOR_MAX:
        raise InvalidValue("by names nobody.", field="by", hint=f"Give who corrects, in at most {AUTHOR_MAX} letters.")
    return text


def why(value: Any) -> str:
    """Return the reason. Raises: InvalidValue where none is given."""
    text = arguments.free_text(value, "reason").strip()
    if not text:
        raise InvalidValue("reason is empty.", field="reason", hint="Say why: it is kept with the correction.")
    return text


def locked(trade_pk: int) -> tuple[Trade, JournalHead]:
    """Return the trade, with the end of its account's chain locked before it is read. Raises: UnknownTrade."""
    rows = Trade.objects.select_related("account", "strategy", "instrument__exchange").filter(pk=trade_pk)
    found = rows.first()
    if found is None:
        raise UnknownTrade(f"There is no trade {trade_pk}.", field="trade")
    head = journal.lock_head(found.account)
    return rows.get(), head


def fill_of(trade: Trade, sequence: int | None) -> Fill:
    """Return the fill that a caller means, as corrections have left it; None means the only one.

    Raises: InvalidValue.
    """
    fills = facts.fills_of(trade)
    meant = [fill for fill in fills if sequence in (None, fill.sequence)]
    if len(meant) != 1:
        listed = "; ".join(f"{fill.sequence} {fill.side} {fill.quantity:f} at {fill.price:f}" for fill in fills)
        raise InvalidValue(
            f"fill is {sequence!r}: trade {trade.trade_id} has {len(fills)}.", field="fill", hint=f"Give one: {listed}."
        )
    return meant[0]


def write(
    trade: Trade,
    head: JournalHead,
    *,
    kind: str,
    reason: str,
    by: str,
    now: datetime,
    fill: Fill | None = None,
    body: dict[str, Any] | None = None,
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
    said: dict[str, Any] = {"kind": kind, "body": body or {}, "reason": reason}
    row = Correction(
        account=trade.account,
        trade=trade,
        fill_id=None if fill is None else fill.pk,
        author=by,
        recorded_at=now,
        **said,
    )
    if fill is not None and (kind == facts.VOID or "price" in said["body"].get("now", {})):
        trade.flags = [flag for flag in trade.flags if flag != PRICE_FAR]  # the tick of that time is not at hand
    fills = facts.corrected(facts.fills_of(trade), [row])
    refolding.stand(trade, fills, strategy or trade.strategy, is_void=kind == facts.VOID and fill is None)
    if (trade.strategy, trade.trading_day) != was:
        row.from_strategy, row.from_day = was
    row.save()
    stands = refolding.follow(trade, seen, fills)
    said |= {"fill": None if fill is None else fill.sequence, "author": by, "from_day": row.from_day}
    said["from_strategy"] = None if row.from_strategy is None else row.from_strategy.code
    told = {"trade": booking.said_of(trade), "correction": said, "correction_pk": row.pk, **stands}
    journal.append(trade.account, OPERATIONS[kind], told, now=now, by=by, head=head)
    return trade_value(trade)


def text_of(value: Decimal | datetime | str | None) -> str | None:
    """Return a value as a correction's body keeps it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value
