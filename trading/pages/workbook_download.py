"""A list of trades as a workbook: the columns and rows of its CSV, with numbers as numbers and times as times."""

from __future__ import annotations

from http import HTTPStatus
from itertools import chain

from django.db.models import QuerySet
from django.http import HttpResponse

from trading.domain.workbook import workbook
from trading.errors import InvalidValue
from trading.models import Account, Trade
from trading.moment import one_moment
from trading.pages.export_text import rows_of
from trading.queries.trade_export import HEADER, export_blocks

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@one_moment()
def workbook_response(trades: QuerySet[Trade], account: Account, *, name: str) -> HttpResponse:
    """Return an account's trades as a workbook; more than a sheet holds are answered 400 with the way out."""
    rows = chain.from_iterable(map(rows_of, export_blocks(trades, account)))
    try:
        content = workbook(name.capitalize(), HEADER, rows)
    except InvalidValue as error:
        return HttpResponse(str(error), status=HTTPStatus.BAD_REQUEST, content_type="text/plain; charset=utf-8")
    response = HttpResponse(content, content_type=XLSX)
    response["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    return response
