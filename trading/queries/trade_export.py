"""Trades with everything that is known of them, one flat row each: for files that other tools read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from trading.models import Review, Trade
from trading.queries.excursions import FIELDS as EXCURSION
from trading.queries.excursions import fields_of
from trading.queries.reports import Selection
from trading.queries.trade_list import TradeRow, trade_row

HEADER = (
    "account", "currency", "trade_id", "strategy", "symbol", "side", "state", "result",
    "trading_day", "opened_at", "closed_at", "entry_quantity", "open_quantity", "entry_price",
    "stop_price", "target_price", "initial_risk", "gross_pnl", "charges", "r_multiple",
    "exit_reason", "reported_pnl", "flags",
    "review", "rating", "tags", "mistakes", "notes", "reviewed_by", "reviewed_at",
    *EXCURSION,
)  # fmt: skip
_AMOUNTS = ("entry_quantity", "open_quantity", "entry_price", "stop_price", "target_price", "initial_risk")
_EXTREMES = ("mae", "mae_price", "mae_r", "mfe", "mfe_price", "mfe_r", "given_back")
MONEY = frozenset((*_AMOUNTS, *_EXTREMES, "gross_pnl", "charges", "r_multiple", "reported_pnl"))
TIMES = frozenset(("opened_at", "closed_at", "reviewed_at", "mae_at", "mfe_at"))
DAYS = frozenset(("trading_day",))
COUNTS = frozenset(("rating", "ticks"))


def export_rows(trades: Iterable[Trade]) -> Iterator[tuple[Any, ...]]:
    """Yield one tuple of `HEADER` per trade that came from `exported` (or `trade_list.listed`); money Decimal, times at
    the desk."""
    return (_line(trade_row(trade), trade) for trade in trades)


def exported(chosen: Selection) -> QuerySet[Trade]:
    """Return the trades that were opened on the days chosen, void ones too, the oldest first."""
    if chosen.first is None or chosen.last is None:
        return Trade.objects.none()
    days = {"trading_day__gte": chosen.first, "trading_day__lte": chosen.last}
    found = Trade.objects.filter(**chosen.cut.lookups(), **days)
    # What many trades share is read once, not joined and built for each: a third of the time of a large export.
    shared = found.prefetch_related("account", "strategy", "instrument__exchange")
    return shared.select_related("review__reviewed_by", "excursion").order_by("opened_at", "pk")


def _line(row: TradeRow, record: Trade) -> tuple[Any, ...]:
    trade, review = row.trade, row.review
    return (
        trade.account, record.account.currency, trade.trade_id, trade.strategy_id, trade.symbol, trade.side,
        trade.state, row.result, row.trading_day, _desk(trade.opened_at), _desk(trade.closed_at), row.quantity,
        trade.open_quantity, row.entry_price, trade.stop_price, trade.target_price, trade.initial_risk,
        trade.realised_pnl, trade.charges, row.r_multiple,
        trade.exit_reason, trade.reported_pnl, " ".join(trade.flags),
        row.review_state, *(_review(review) if review is not None else (None,) * 6),
        *(_desk(value) if isinstance(value, datetime) else value for value in fields_of(record).values()),
    )  # fmt: skip


def _review(review: Review) -> tuple[Any, ...]:
    who = review.reviewed_by.get_username() if review.reviewed_by else None
    return review.rating, ", ".join(review.tags), review.mistakes, review.notes, who, _desk(review.reviewed_at)


def _desk(at: datetime | None) -> datetime | None:
    return None if at is None else timezone.localtime(at)
