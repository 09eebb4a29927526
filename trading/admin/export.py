"""Trades as CSV: every trade of a list, not only the page that is shown; one account, plain decimals, desk time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime

from django.http import HttpResponse
from django.utils import timezone

from trading.domain.spreadsheet import cell
from trading.models import Review, Trade
from trading.queries.trade_list import TradeRow, trade_row

HEADER = (
    "account", "currency", "trade_id", "strategy", "symbol", "side", "state", "result",
    "trading_day", "opened_at", "closed_at", "entry_quantity", "open_quantity", "entry_price",
    "stop_price", "target_price", "initial_risk", "gross_pnl", "charges", "r_multiple",
    "exit_reason", "reported_pnl", "flags",
    "review", "rating", "tags", "mistakes", "notes", "reviewed_by", "reviewed_at",
)  # fmt: skip


def csv_response(trades: Iterable[Trade], *, name: str) -> HttpResponse:
    """Return the trades as a file to keep; a spreadsheet that opens it runs nothing."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows([cell(value) for value in _line(trade_row(trade), trade)] for trade in trades)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _line(row: TradeRow, record: Trade) -> tuple[object, ...]:
    trade, review = row.trade, row.review
    return (
        trade.account, record.account.currency, trade.trade_id, trade.strategy_id, trade.symbol, trade.side,
        trade.state, row.result, row.trading_day, _desk(trade.opened_at), _desk(trade.closed_at), row.quantity,
        trade.open_quantity, row.entry_price, trade.stop_price, trade.target_price, trade.initial_risk,
        trade.realised_pnl, trade.charges, row.r_multiple,
        trade.exit_reason, trade.reported_pnl, " ".join(trade.flags),
        row.review_state, *(_review(review) if review is not None else (None,) * 6),
    )  # fmt: skip


def _review(review: Review) -> tuple[object, ...]:
    who = review.reviewed_by.get_username() if review.reviewed_by else None
    return review.rating, ", ".join(review.tags), review.mistakes, review.notes, who, _desk(review.reviewed_at)


def _desk(at: datetime | None) -> datetime | None:
    return None if at is None else timezone.localtime(at)
