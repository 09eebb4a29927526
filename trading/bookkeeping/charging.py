"""Bringing stated charges to the trades: each trade whose charges change has a correction of its own.

For use inside an operation's transaction, once the account's chain is locked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from trading.bookkeeping import correcting, journal, references
from trading.domain.chain import journal_text
from trading.domain.charge_heads import Head
from trading.domain.stated_charges import ChargeSource
from trading.models import Account, Correction, Fill, JournalHead, Trade
from trading.queries import facts
from trading.queries.charge_estimates import key_of
from trading.queries.stated_charges import standing_between, whole_periods

AT_A_TIME = 500  # SQLite takes no more than some thousand parameters


def bring_to_trades(
    account: Account, head: JournalHead, first: date, last: date, *, source: str, reason: str, by: str, now: datetime
) -> int:
    """Set the charges of the fills of these days, both inclusive, to what is stated of them; return how many trades
    changed.

    A fill of which no head is stated keeps what was known of it, and so does one of which nothing but the depository's
    charge is: that joins what came with the fill, since no trade's own charges have it. A sum that a person set for a
    trade gives way to a contract note alone, which has every head: a file of some heads would take the others away. An
    amount of a longer period is shared anew over all of it.
    """
    first, last = whole_periods(account, first, last)
    parts_of_fills = standing_between(account, first, last).parts
    amounts = {
        key: sum((share.amount for share in parts.values()), Decimal(0)) for key, parts in parts_of_fills.items()
    }
    noted = {
        key
        for key, parts in parts_of_fills.items()
        if any(share.source == ChargeSource.NOTE for share in parts.values())
    }
    rows = Trade.objects.select_related("account", "strategy", "instrument__exchange")
    changed = 0
    beside = {key for key, parts in parts_of_fills.items() if set(parts) == {Head.DP}}
    for pk in sorted(_trades_of([int(key) for key in amounts])):
        trade = rows.get(pk=pk)
        fills = facts.fills_of(trade)
        right = {fill.sequence: amounts.get(key_of(fill), fill.charges) for fill in fills}
        for fill in facts.without_stated_charges(trade) if any(key_of(fill) in beside for fill in fills) else ():
            if fill.charges is not None and key_of(fill) in beside:
                right[fill.sequence] = fill.charges + amounts[key_of(fill)]
        by_fill = {
            fill.sequence: amount
            for fill in fills
            if (amount := right[fill.sequence]) is not None and amount != fill.charges
        }
        if not by_fill or (is_set_by_a_person(trade) and not all(key_of(fill) in noted for fill in fills)):
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


def share_anew(account: Account, days: Collection[date], *, reason: str, by: str, now: datetime) -> None:
    """Share what is stated of charges among the fills of these days, once fills of theirs were booked or taken back."""
    if days:
        head = journal.lock_head(account)
        bring_to_trades(account, head, min(days), max(days), source=reason, reason=reason, by=by, now=now)


def days_of(trade: Trade, fills: Iterable[Fill]) -> set[date]:
    """Return the trading days of a trade's fills."""
    return {references.day_of(fill.at, trade.instrument) for fill in fills}


def is_set_by_a_person(trade: Trade) -> bool:
    """Tell whether a person or a strategy set the trade's charges as one sum, of which nobody told the heads."""
    return any(
        not facts.is_of_stated_charges(row) for row in Correction.objects.filter(trade=trade, kind=facts.CHARGES)
    )


def _trades_of(fills: Sequence[int]) -> set[int]:
    """Return the keys of the trades of some fills."""
    keys: set[int] = set()
    for start in range(0, len(fills), AT_A_TIME):
        keys |= set(Fill.objects.filter(pk__in=fills[start : start + AT_A_TIME]).values_list("trade_id", flat=True))
    return keys
