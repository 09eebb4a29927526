"""The account as it was known at an instant: what was recorded later, trades and corrections alike, is left out.

Only the trades that something recorded later has touched are told anew from their fills; all others stand as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q, QuerySet

from trading.domain import position
from trading.domain.figures import ClosedTrade, Exit
from trading.domain.money import to_units
from trading.domain.position import Realised
from trading.models import Account, Correction, Fill, Trade
from trading.queries import facts
from trading.queries.period import date_in


@dataclass(frozen=True, slots=True)
class KnownTrade:
    """A trade as it was known: ``closed_at`` None while it was open; ``exits`` in order."""

    trade: Trade
    strategy_id: str
    opened_at: datetime
    closed_at: datetime | None
    exit_reason: str
    exits: list[Exit]


def untouched(at: datetime, *, of: str = "") -> Q:
    """Return the lookup of what stands today as it stood then; ``of`` is the path to the trade, such as ``trade__``."""
    path = f"{of}pk" if of else "pk"
    later = [Exists(model.objects.filter(trade=OuterRef(path), recorded_at__gte=at)) for model in (Fill, Correction)]
    return Q(**{f"{of}recorded_at__lt": at}) & ~Q(later[0]) & ~Q(later[1])


def retold(account: Account, at: datetime) -> Iterator[KnownTrade]:
    """Yield the trades that were known then and were touched since, but for those that were void then."""
    rows: QuerySet[Trade] = Trade.objects.filter(account=account, recorded_at__lt=at).exclude(untouched(at))
    related = rows.select_related("strategy", "instrument__exchange").prefetch_related("fills", "corrections__fill")
    for trade in related.iterator(chunk_size=500):
        known = _retold(trade, at)
        if known is not None:
            yield known


def _retold(trade: Trade, at: datetime) -> KnownTrade | None:
    corrections = sorted(trade.corrections.all(), key=lambda one: one.pk)
    before = [one for one in corrections if one.recorded_at < at]
    if any(one.kind == facts.VOID and one.fill_id is None for one in before):
        return None
    said = sorted((one for one in trade.fills.all() if one.recorded_at < at), key=lambda one: one.sequence)
    fills = facts.corrected(said, before)
    if not fills:
        return None
    multiplier = _multiplier(trade, at)
    holding, realised = facts.folded(trade, fills, multiplier=multiplier)
    closed_at = None if holding.open_quantity else fills[-1].at
    moved = [one.body["was"]["strategy"] for one in corrections if one.recorded_at >= at and _moves(one)]
    closed = None
    if closed_at is not None:
        seconds = (closed_at - fills[0].at).total_seconds()
        closed = ClosedTrade(holding.realised_pnl, holding.charges, _risk(trade, fills[0], multiplier), seconds)
    exits = _exits(trade, fills, realised, closed)
    strategy_id, reason = moved[0] if moved else trade.strategy.code, _reason(trade, closed_at, at)
    return KnownTrade(trade, strategy_id, fills[0].at, closed_at, reason, exits)


def _reason(trade: Trade, closed_at: datetime | None, at: datetime) -> str:
    """Return what its last close before ``at`` gave as the reason: a trade that was opened again keeps none."""
    if closed_at is None:
        return ""
    bodies = [json.loads(row.body) for row in facts.journal_of(trade) if row.recorded_at < at]
    return next((body["exit_reason"] for body in reversed(bodies) if "exit_reason" in body), "")


def _moves(correction: Correction) -> bool:
    return correction.kind == facts.AMEND and "strategy" in correction.body["was"]


def _multiplier(trade: Trade, at: datetime) -> Decimal:
    """Return what the trade was folded with at an instant: the first correction since then tells."""
    later = sorted((one for one in trade.corrections.all() if one.recorded_at >= at), key=lambda one: one.pk)
    told = (one.body["was"].get("multiplier") for one in later if one.kind == facts.CONTRACT)
    first = next((text for text in told if text is not None), None)
    return trade.instrument.multiplier if first is None else Decimal(first)


def _risk(trade: Trade, opening: Fill, multiplier: Decimal) -> int | None:
    if trade.initial_stop_price is None:
        return None
    distance = abs(to_units(opening.price) - to_units(trade.initial_stop_price))
    return position.value_of(distance, to_units(opening.quantity), to_units(multiplier))


def _exits(trade: Trade, fills: list[Fill], realised: list[Realised], closed: ClosedTrade | None) -> list[Exit]:
    zone = trade.instrument.exchange.zone
    pairs = zip((fill for fill in fills if fill.role == Fill.Role.EXIT), realised, strict=True)
    return [
        Exit(
            fill.at,
            date_in(fill.at, zone),
            part.pnl,
            part.charges,
            closed if part.closes else None,
            is_open=closed is None,
        )
        for fill, part in pairs
    ]
