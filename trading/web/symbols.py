"""The symbols of one account beside each other, and one of them over a period."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trading.models import Instrument, Trade
from trading.queries.instruments import shown_symbol
from trading.queries.period import desk_date
from trading.queries.reports import selection, symbol_report
from trading.web.choice import chosen_account
from trading.web.comparison import comparison
from trading.web.older import may_be_older
from trading.web.period import chosen_period
from trading.web.period_page import ROWS_MAX, period_page


@require_safe
@may_be_older
def symbol_list(request: HttpRequest) -> HttpResponse:
    """Show what each symbol brought in a period, over all strategies of the account."""
    choice, now = chosen_account(request), timezone.now()
    named = Instrument.objects.order_by("-pk").values_list("exchange__code", "symbol", "pk")
    keys = {shown_symbol(exchange, symbol): pk for exchange, symbol, pk in named}
    return comparison(request, choice, chosen_period(request, now), cut="symbol", keys=keys)


@require_safe
@may_be_older
def symbol_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one symbol's period: figures, curves, distributions, hours and every cut."""
    choice, now = chosen_account(request), timezone.now()
    period = chosen_period(request, now)
    instrument = Instrument.objects.select_related("exchange").filter(pk=pk).first()
    if instrument is None or not Trade.objects.filter(account=choice.account, instrument=instrument).exists():
        raise Http404("This account has never traded such a symbol.")
    name = shown_symbol(instrument.exchange.code, instrument.symbol)
    selected = selection(choice.account, first=period.first, last=period.last, symbol=name, today=desk_date(now))
    return period_page(
        request,
        choice,
        period,
        selected,
        symbol_report(selected, now=now, newest=ROWS_MAX),
        cut="symbol",
        name=name,
        address=reverse("symbol", args=[pk]),
    )
