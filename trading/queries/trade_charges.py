"""The charges of one trade, head by head: what notes, files and persons state of its fills, and what is estimated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import prefetch_related_objects

from trading.domain.charge_heads import Head
from trading.domain.stated_charges import StatedPart
from trading.models import BrokeragePlan, Trade
from trading.queries.charge_estimates import charged_fills, charged_of, estimate_of
from trading.queries.stated_charges import standing_between


@dataclass(frozen=True, slots=True)
class TradeChargeLine:
    """One head of a trade's charges: what is stated of it with its source (note, file, person), None where nothing is,
    and what the schedule makes of it, None where that is not known or the account has no brokerage plan."""

    head: Head
    stated: Decimal | None
    source: str
    estimated: Decimal | None


@dataclass(frozen=True, slots=True)
class TradeCharges:
    """The charges of a trade by head, and the sum of its estimates, None where one of them is not known."""

    lines: Sequence[TradeChargeLine]
    estimated: Decimal | None


def trade_charges(trade: Trade) -> TradeCharges:
    """Return the charges of a trade; the account's other fills of its days are read as well, where anything is known.

    A head is left out where nobody states it and the schedule makes nothing of it.
    """
    prefetch_related_objects([trade], "fills", "corrections")
    own = {fill.key: fill.day for fill in charged_of(trade)}
    if not own:
        return TradeCharges([], None)
    account, days = trade.account, set(own.values())
    parts = standing_between(account, min(days), max(days)).parts
    stated: dict[Head, list[StatedPart]] = {}
    for key in own:
        for head, share in parts.get(key, {}).items():
            stated.setdefault(head, []).append(share)
    estimates = []
    if BrokeragePlan.objects.filter(account=account).exists():
        of_days = (fill for fill in charged_fills(account, min(days), max(days)) if fill.day in days)
        shares = estimate_of(account, of_days).shares
        estimates = [shares[key] for key in own]
    lines = [
        TradeChargeLine(
            head,
            _sum(share.amount for share in stated[head]) if head in stated else None,
            str(stated[head][0].source) if head in stated else "",
            _sum(heads.get(head, Decimal(0)) for heads in estimates) if estimates else None,
        )
        for head in Head
    ]
    whole = _sum(amount for heads in estimates for amount in heads.values()) if estimates else None
    return TradeCharges([line for line in lines if line.stated is not None or line.estimated], whole)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum of amounts, None where one is not known."""
    amounts = list(amounts)
    certain = [amount for amount in amounts if amount is not None]
    return sum(certain, Decimal(0)) if len(certain) == len(amounts) else None
