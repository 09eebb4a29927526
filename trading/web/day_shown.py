"""What the overview shows of a day: gathered once for the page and for its live sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypedDict

from trading.domain.drawing import Drawing
from trading.domain.limits import LimitState
from trading.domain.shapes import OutcomeFigures
from trading.models import Account, Signal
from trading.moment import one_moment
from trading.queries.day import Neighbours, SignalCounts
from trading.queries.day_record import DayCurve
from trading.queries.kept import LedgerMark, mark_of
from trading.queries.period import desk_date
from trading.queries.trade_list import TradeRow
from trading.web.choice import account_query
from trading.web.kept_day import DayFacts, DayTrades, kept_facts, kept_latest_day, kept_trades
from trading.web.limits import limits_now
from trading.web.positions import OpenPosition, positions_then, priced_positions

LATEST = 8
SLIPS_MAX = 12


@dataclass(frozen=True, slots=True)
class Unrealised:
    """The unrealised P&L of the positions whose last price is known; ``total`` is None where none is."""

    total: Decimal | None
    priced: int
    positions: int


class DayShown(TypedDict):
    """One day of one account as the overview shows it."""

    kept: DayFacts  # all below that the ledger alone tells, with the next
    kept_trades: DayTrades
    day: date
    is_past: bool
    neighbours: Neighbours
    figures: OutcomeFigures
    signals: SignalCounts
    positions: list[OpenPosition]
    unrealised: Unrealised
    limits: list[LimitState]  # as they are now, none of a past day
    total: Decimal | None  # realised after known charges and unrealised; None where no price of what is open is known
    curve: DayCurve
    chart: Drawing | None
    latest_signals: list[Signal]
    trades: list[TradeRow]
    has_more: bool
    slips: list[TradeRow]
    may_have_opening_sales: bool
    day_query: str
    before_query: str
    after_query: str


@one_moment()
def day_shown(account: Account, asked: date | None, *, now: datetime, mark: LedgerMark | None = None) -> DayShown:
    """Return what the overview shows of the day asked for, else of the latest that has data.

    ``mark`` is that of the account's ledger where it was read just before.
    """
    mark = mark or mark_of(account)
    today = desk_date(now)
    day = asked or kept_latest_day(account, now=now, mark=mark) or today
    is_past = asked is not None and asked < today  # without a day asked for, what is open is what is open now
    positions = positions_then(account, day) if is_past else priced_positions(account, mark=mark)
    kept = kept_facts(account, day, signals=LATEST, mark=mark)
    lists = kept_trades(account, day, trades=LATEST, slips=SLIPS_MAX, mark=mark)
    overview, unrealised = kept.overview, unrealised_of(positions)
    before, after = overview.neighbours.before, overview.neighbours.after
    return {
        "kept": kept,
        "kept_trades": lists,
        "day": day,
        "is_past": is_past,
        "neighbours": overview.neighbours,
        "figures": overview.figures,
        "signals": overview.signals,
        "positions": positions,
        "unrealised": unrealised,
        "limits": [] if is_past else limits_now(account, positions, mark=mark),
        "total": None
        if positions and unrealised.total is None
        else overview.figures["total_pnl"] + (unrealised.total or 0),
        "curve": kept.curve,
        "chart": kept.chart,
        "latest_signals": kept.signals,
        "trades": lists.trades,
        "has_more": lists.has_more_trades,
        "slips": lists.slips,
        "may_have_opening_sales": overview.may_have_opening_sales,
        "day_query": account_query(account, day=day.isoformat()),
        "before_query": account_query(account, day=before.isoformat()) if before else "",
        "after_query": account_query(account, day=after.isoformat()) if after else "",
    }


def unrealised_of(positions: Sequence[OpenPosition]) -> Unrealised:
    """Add up what is known; an unknown price is never taken as zero."""
    pnls = [entry.position.unrealised_pnl for entry in positions if entry.position.unrealised_pnl is not None]
    return Unrealised(sum(pnls, Decimal(0)) if pnls else None, len(pnls), len(positions))
