"""What an operator enters by hand: a new trade, one more fill of an open one, its close.

What is sent is booked at once where nothing about it is odd. A likely slip is shown first, and booked when the form is
sent again with it. An id in the form keeps what is sent twice from being booked twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from trading.errors import VeloxError
from trading.models import Trade
from trading.newest import price_beside
from trading.operations.enter_by_hand import EnteredTrade, enter_close, enter_fill, enter_trade
from trading.pages.hand_forms import CloseForm, FillForm, HandForm, NewTradeForm, minted_id, now_at_desk
from trading.queries.accounts import all_accounts
from trading.queries.instruments import shown_symbol
from trading.queries.traded_names import strategies_of, symbols_of
from trading.web.choice import AccountChoice, chosen_account, page

RECORD = "trading.add_correction"  # who may correct the ledger may write into it by hand


@require_http_methods(["GET", "HEAD", "POST"])
def new_trade(request: HttpRequest) -> HttpResponse:
    """Show the form of a new trade, and book what it sends."""
    _must_be_operator(request)
    choice = chosen_account(request)
    account = choice.account
    form = NewTradeForm(
        request.POST if request.method == "POST" else None,
        initial={"entry_time": now_at_desk(), "trade_id": minted_id()},
    )

    def book() -> EnteredTrade:
        newest = price_beside(account.code, form.cleaned_data["symbol"])
        entry = form.entry(request.user.get_username())
        return enter_trade(account.code, form.opening(), form.closing(), entry, newest=newest)

    names = {"symbols": symbols_of(account), "strategies": strategies_of(account)}
    return _answer(request, choice, form, book, address=reverse("new_trade"), **names)


@require_http_methods(["GET", "HEAD", "POST"])
def add_fill(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of one more fill of a trade, and book what it sends."""
    _must_be_operator(request)
    trade, choice = _trade(pk)
    form = FillForm(
        request.POST if request.method == "POST" else None, initial={"at": now_at_desk(), "fill_id": minted_id()}
    )

    def book() -> EnteredTrade:
        return enter_fill(pk, form.fill(), form.entry(request.user.get_username()), newest=_newest(trade))

    return _answer(request, choice, form, book, trade=trade)


@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of a trade's close, and book what it sends."""
    _must_be_operator(request)
    trade, choice = _trade(pk)
    shown = {"exit_time": now_at_desk(), "open_quantity": f"{trade.open_quantity:f}"}
    form = CloseForm(request.POST if request.method == "POST" else None, initial=shown)

    def book() -> EnteredTrade:
        closing = form.closing()
        assert closing is not None  # its price is required here
        return enter_close(pk, closing, form.entry(request.user.get_username()), newest=_newest(trade))

    return _answer(request, choice, form, book, trade=trade)


def _must_be_operator(request: HttpRequest) -> None:
    if not request.user.has_perm(RECORD):
        raise PermissionDenied("Only operators enter trades by hand.")


def _trade(pk: int) -> tuple[Trade, AccountChoice]:
    trade = get_object_or_404(Trade.objects.select_related("account", "strategy", "instrument__exchange"), pk=pk)
    return trade, AccountChoice(trade.account, all_accounts())


def _newest(trade: Trade) -> Callable[[str], tuple[Decimal, datetime] | None]:
    return price_beside(trade.account.code, shown_symbol(trade.instrument.exchange.code, trade.instrument.symbol))


def _answer(
    request: HttpRequest,
    choice: AccountChoice,
    form: HandForm,
    book: Callable[[], EnteredTrade],
    **context: Trade | str | list[str] | None,
) -> HttpResponse:
    """Book a form that was sent and lead to its trade; else show it, with what is wrong beside its field."""
    form.label_suffix = ""
    if form.is_bound and form.is_valid():
        try:
            entered = book()
        except VeloxError as error:
            form.refuse(error)
        else:
            return redirect("trade", entered.pk)
    form.focus()
    response = page(request, "velox/hand_entry.html", "trades", choice, form=form, **context)
    response.status_code = 400 if form.is_bound else 200
    return response
