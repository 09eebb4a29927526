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
    is_day_only: bool = False  # its times are known to the day only


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
        known_trade = _retold(trade, at)
        if known_trade is not None:
            yield known_trade


def _retold(trade: Trade, at: datetime) -> KnownTrade | None:
    corrections = sorted(trade.corrections.all(), key=lambda row: row.pk)
    before, later = ([row for row in corrections if (row.recorded_at < at) is is_before] for is_before in (True, False))
    if any(row.kind == facts.VOID and row.fill_id is None for row in before):
        return None
    recorded = sorted((row for row in trade.fills.all() if row.recorded_at < at), key=lambda row: row.sequence)
    fills = facts.corrected(recorded, before)
    if not fills:
        return None
    # What the trade was folded with, and whose it was: the first correction since then tells what was before it.
    contracts = (row.body["was"].get("multiplier") for row in later if row.kind == facts.CONTRACT)
    was = next((text for text in contracts if text is not None), None)
    multiplier = trade.instrument.multiplier if was is None else Decimal(was)
    moves = [row.body["was"] for row in later if row.kind == facts.AMEND and "strategy" in row.body["was"]]
    strategy_id = moves[0]["strategy"] if moves else trade.strategy.code
    holding, realised = facts.folded(trade, fills, multiplier=multiplier)
    closed_at = None if holding.open_quantity else fills[-1].at
    is_day_only = any(fill.is_day_only for fill in fills)
    closed, reason = None, ""
    if closed_at is not None:
        risk = None
        if trade.initial_stop_price is not None:
            distance = abs(to_units(fills[0].price) - to_units(trade.initial_stop_price))
            risk = position.value_of(distance, to_units(fills[0].quantity), to_units(multiplier))
        seconds = None if is_day_only else (closed_at - fills[0].at).total_seconds()
        closed = ClosedTrade(holding.realised_pnl, holding.charges, risk, seconds)
        # What was said last before then, by a close or by how a correction left it: one that opens a trade again takes
        # the reason away, and fills may close it once more without any.
        bodies = (json.loads(row.body) for row in reversed(facts.journal_of(trade)) if row.recorded_at < at)
        standings = (body.get("stands", body) for body in bodies)
        reason = next((stands["exit_reason"] for stands in standings if "exit_reason" in stands), "")
    zone = trade.instrument.exchange.zone
    exits = [
        Exit(fill.at, date_in(fill.at, zone), exit.pnl, exit.charges, closed if exit.closes else None, closed is None)
        for fill, exit in zip((fill for fill in fills if fill.role == Fill.Role.EXIT), realised, strict=True)
    ]
    return KnownTrade(trade, strategy_id, fills[0].at, closed_at, reason, exits, is_day_only)
