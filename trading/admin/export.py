"""Trades as CSV: every trade of a list, not only the page that is shown; one account, plain decimals, desk time."""

from __future__ import annotations

import csv
import io

from django.db.models import QuerySet
from django.http import HttpResponse

from trading.domain.spreadsheet import cell
from trading.models import Trade
from trading.queries.trade_export import HEADER, export_rows


def csv_response(trades: QuerySet[Trade], *, name: str) -> HttpResponse:
    """Return the trades as a file to keep; a spreadsheet that opens it runs nothing."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows([cell(value) for value in row] for row in export_rows(trades))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
