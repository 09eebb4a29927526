"""The trades of one account: filtered, sorted, added up, and as a file to download."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from trading.models import Account, Trade
from trading.moment import one_moment
from trading.pages.csv_download import csv_response
from trading.pages.filter_form import FilterForm
from trading.pages.workbook_download import workbook_response
from trading.queries.trade_filter import matching
from trading.queries.trade_list import related, trade_rows
from trading.queries.trade_order import NEWEST, ordered
from trading.queries.trade_totals import filtered_totals
from trading.web.choice import chosen_account, page, query_of
from trading.web.drawn import drawn
from trading.web.saved_filters import filter_query, links_of
from trading.web.trade_columns import COLUMNS, asked_for, headings

PER_PAGE = 50


@require_safe
@one_moment()
def trade_list(request: HttpRequest) -> HttpResponse:
    """Show the trades of one account under a filter with their totals, the newest opening first."""
    choice = chosen_account(request)
    form = FilterForm(request.GET, choice.account)
    filters, order = form.filter(), request.GET.get("sort", "")
    trades, totals = matching(choice.account, filters), filtered_totals(choice.account, filters)
    # The totals have counted them: a page is a stretch of the numbers.
    numbers = Paginator(range(totals.trades), PER_PAGE).get_page(request.GET.get("page"))
    start = (numbers.number - 1) * PER_PAGE
    columns = asked_for(request.GET.getlist("col"))
    # A trade's page leads to its neighbours under the same filter.
    narrowing = form.narrowing()
    trade_query = query_of(narrowing)

    def rows() -> dict[str, Any]:
        listed = ordered(related(trades), order or NEWEST)[start : start + PER_PAGE]
        about = {"account": choice.account, "columns": columns, "trade_query": trade_query, "show_day": True}
        return {**about, "rows": trade_rows(listed)}

    question = filters, order, numbers.number, columns, trade_query, totals.trades
    return page(
        request,
        "velox/trades.html",
        "trades",
        choice,
        form=form,
        saved_filters=links_of(request, choice.account),
        filter_query=filter_query(request.GET),
        totals=totals,
        page=numbers,
        drawn_rows=drawn(choice.account, "velox/parts/trade_rows.html", question, rows),
        order=order,
        columns=columns,
        all_columns=COLUMNS,
        headings=headings(columns, order or NEWEST),
        is_filtered=bool(narrowing),
    )


@require_safe
def trades_xlsx(request: HttpRequest) -> HttpResponse:
    """Return every trade under the filter as a workbook, in the order of the list."""
    return workbook_response(*_for_a_file(request), name="trades")


@require_safe
def trades_csv(request: HttpRequest) -> HttpResponse:
    """Return every trade under the filter as a CSV file, in the order of the list."""
    return csv_response(*_for_a_file(request), name="trades")


def _for_a_file(request: HttpRequest) -> tuple[QuerySet[Trade], Account]:
    """Return the trades of a file, and their account.

    Raises: Http404 for a field that cannot be read: a file cannot tell that it narrows nothing, as the list does.
    """
    account = chosen_account(request).account
    form = FilterForm(request.GET, account)
    filters = form.filter()
    for name, errors in form.errors.items():
        raise Http404(f"{name} is “{form.data[name]:.80}”: {' '.join(map(str, errors))}")
    return ordered(matching(account, filters), request.GET.get("sort") or NEWEST), account
