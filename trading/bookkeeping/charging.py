"""Bringing stated charges to the trades: each trade whose charges change has a correction of its own.

For use inside an operation's transaction, once the account's chain is locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from trading.bookkeeping import correcting
from trading.domain.chain import journal_text
from trading.models import Account, Fill, JournalHead, Trade
from trading.queries import facts
from trading.queries.charge_estimates import key_of
from trading.queries.stated_charges import parts_between

AT_A_TIME = 500  # SQLite takes no more than some thousand parameters


def bring_to_trades(
    account: Account, head: JournalHead, first: date, last: date, *, source: str, reason: str, by: str, now: datetime
) -> int:
    """Set the charges of the fills of these days, both inclusive, to what is stated of them; return how many trades
    changed.

    A fill of which no head is stated keeps what was known of it.
    """
    amounts = {
        key: sum((share.amount for share in parts.values()), Decimal(0))
        for key, parts in parts_between(account, first, last).items()
    }
    rows = Trade.objects.select_related("account", "strategy", "instrument__exchange")
    changed = 0
    for pk in sorted(_trades_of([int(key) for key in amounts])):
        trade = rows.get(pk=pk)
        fills = facts.fills_of(trade)
        right = {fill.sequence: amounts.get(key_of(fill), fill.charges) for fill in fills}
        by_fill = {
            fill.sequence: amount
            for fill in fills
            if (amount := right[fill.sequence]) is not None and amount != fill.charges
        }
        if not by_fill:
            continue
        total = sum((amount for amount in right.values() if amount is not None), Decimal(0))
        body: correcting.CorrectionBody = {
            "was": {"charges": correcting.text_of(trade.charges)},
            "now": {"charges": correcting.text_of(total)},
            "by_fill": {str(sequence): journal_text(amount) for sequence, amount in by_fill.items()},
            "source": source,
            facts.STATED: f"{first} to {last}",
        }
        correcting.write(trade, head, kind=facts.CHARGES, body=body, reason=reason, by=by, now=now)
        changed += 1
    return changed


def _trades_of(fills: Sequence[int]) -> set[int]:
    """Return the keys of the trades of some fills."""
    keys: set[int] = set()
    for start in range(0, len(fills), AT_A_TIME):
        keys |= set(Fill.objects.filter(pk__in=fills[start : start + AT_A_TIME]).values_list("trade_id", flat=True))
    return keys
