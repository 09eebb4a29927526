"""A list of trades as CSV: every trade, not only those of the page; one account, plain decimals, desk time."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse

from trading.models import Account, Trade
from trading.moment import one_moment
from trading.pages.export_text import csv_header, csv_lines
from trading.queries.trade_export import HEADER, export_blocks


@one_moment()
def csv_response(trades: QuerySet[Trade], account: Account | None = None, *, name: str) -> HttpResponse:
    """Return trades (``account``: all of it) as a CSV file to download; a spreadsheet that opens it runs nothing."""
    lines = [csv_header(HEADER).encode(), *map(csv_lines, export_blocks(trades, account))]
    response = HttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
