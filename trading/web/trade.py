"""One trade: its page, its review in place, its chart and the same as tables, its rows of the journal."""

from __future__ import annotations

from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from timeseries.wiring import open_reader
from trading.domain.flags import BY_HAND
from trading.errors import InvalidValue, StoreUnavailable, VeloxError
from trading.models import Trade, User
from trading.moment import one_moment
from trading.operations.review_trade import review_trade
from trading.pages.filter_form import FilterForm
from trading.pages.review_form import ReviewForm
from trading.proof.journal_rows import proved
from trading.queries import facts
from trading.queries.accounts import all_accounts
from trading.queries.chart_candles import chart_scales
from trading.queries.screenshots import screenshots_of
from trading.queries.trade_charges import trade_charges
from trading.queries.trade_chart import TradeChart, trade_chart
from trading.queries.trade_filter import matching
from trading.queries.trade_list import related, trade_row
from trading.queries.trade_order import TradesBeside, neighbours
from trading.web.choice import AccountChoice, account_query, page, query_of
from trading.web.guard import REVIEW
from trading.web.posted import form_on
from trading.web.screenshots import may_withdraw
from trading.web.static_files import CHART_LIBRARY

CORRECT = "trading.add_correction"  # who may correct may enter by hand


@require_safe
@one_moment()
def trade_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one trade with all that is known of it, between its neighbours under the filter that was asked for."""
    trade = _trade(pk)
    return _shown(request, trade, ReviewForm(instance=trade, label_suffix=""))


@form_on("trade", "pk")
def review(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Keep the review of a trade; lead back to it, or where that is asked for to the older one under the filter."""
    if not request.user.has_perm(REVIEW) or not isinstance(request.user, User):
        raise PermissionDenied("Only reviewers and operators review trades.")
    trade = _trade(pk)
    form, (narrowing, beside) = ReviewForm(request.POST, instance=trade, label_suffix=""), _beside(request, trade)
    if not form.is_valid():
        return _shown(request, trade, form)
    try:
        review_trade(trade.pk, by=request.user, **form.review_fields())
    except VeloxError as error:
        return _shown(request, trade, form, error=str(error))
    is_next = "next" in request.POST and beside.older is not None
    return redirect(reverse("trade", args=[beside.older if is_next else trade.pk]) + query_of(narrowing))


@require_safe
def chart(request: HttpRequest, pk: int) -> JsonResponse:
    """Return what the chart of a trade draws, as JSON; in place of it one line on what is wrong."""
    try:
        drawn = trade_chart(_trade(pk), open_reader(), scale=request.GET.get("scale", ""), now=timezone.now())
    except InvalidValue as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
    except StoreUnavailable as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return JsonResponse(drawn.as_dict())


@require_safe
def prices(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the same as the chart as tables: what happened in order of time, indicators, candles, gaps."""
    trade = _trade(pk)
    drawn, error = _tables(trade, request.GET.get("scale", ""))
    choice = AccountChoice(trade.account, all_accounts())
    return page(request, "velox/trade_prices.html", "trades", choice, row=trade_row(trade), chart=drawn, error=error)


@require_safe
def journal(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the journal's rows of a trade, each with what its proof says."""
    trade = _trade(pk)
    rows = proved(trade.account, facts.journal_of(trade))
    choice = AccountChoice(trade.account, all_accounts())
    return page(request, "velox/trade_journal.html", "trades", choice, row=trade_row(trade), rows=rows)


def _tables(trade: Trade, scale: str = "") -> tuple[TradeChart | None, str]:
    """Return what stands in the tables of a trade's prices, or what keeps them away; an odd scale is the usual one."""
    now = timezone.now()
    try:
        return trade_chart(
            trade, open_reader(), scale=scale if scale in chart_scales(trade, now=now)[1] else "", now=now
        ), ""
    except StoreUnavailable as fault:
        return None, str(fault)


def _trade(pk: int) -> Trade:
    return get_object_or_404(related(Trade.objects.all()).select_related("review__reviewed_by"), pk=pk)


def _beside(request: HttpRequest, trade: Trade) -> tuple[dict[str, str], TradesBeside]:
    """Return the filter of the address, and the trade's neighbours under it."""
    form = FilterForm(request.GET, trade.account)
    narrowing = form.narrowing()
    return narrowing, neighbours(matching(trade.account, form.filter()), trade)


def _shown(request: HttpRequest, trade: Trade, form: ReviewForm, *, error: str = "") -> HttpResponse:
    narrowing, beside = _beside(request, trade)
    scale, scales = chart_scales(trade, now=timezone.now())
    library = CHART_LIBRARY if CHART_LIBRARY.is_served() else None
    tables, tables_error = _tables(trade) if library is None else (None, "")
    return page(
        request,
        "velox/trade.html",
        "trades",
        AccountChoice(trade.account, all_accounts()),
        row=trade_row(trade),
        form=form,
        error=error,
        query=query_of(narrowing),
        list_query=account_query(trade.account, **narrowing),
        is_filtered=bool(narrowing),
        beside=beside,
        scale=scale,
        scales=scales,
        chart_library=library,
        tables=tables,
        tables_error=tables_error,
        can_review=request.user.has_perm(REVIEW),
        can_enter=request.user.has_perm(CORRECT),
        can_correct=request.user.is_staff and request.user.has_perm(CORRECT),
        fills=facts.fills_with_pnl(trade),
        corrections=facts.corrections_of(trade),
        pictures=[(shot, may_withdraw(request.user, shot)) for shot in screenshots_of(trade)],
        stops=trade.stop_changes.order_by("at", "pk"),
        signals=trade.signals.order_by("at", "pk"),
        charges=trade_charges(trade),
        entered_by=facts.authors_of(trade) if BY_HAND in trade.flags else [],
    )
