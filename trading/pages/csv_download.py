"""A list of trades as CSV: every trade, not only those of the page; one account, plain decimals, desk time."""

from __future__ import annotations

import csv
import io

from django.db.models import QuerySet
from django.http import HttpResponse

from trading.domain.spreadsheet import cell
from trading.models import Trade
from trading.queries.trade_export import HEADER, export_rows


def csv_response(trades: QuerySet[Trade], *, name: str) -> HttpResponse:
    """Return trades as a CSV file to download; a spreadsheet that opens it runs nothing."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows([cell(field) for field in row] for row in export_rows(trades))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
