"""The strategies of one account beside each other, and one of them over a period."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trading.models import DayTotal, Strategy, Trade
from trading.queries.period import desk_date
from trading.queries.reports import selection, strategy_report
from trading.queries.statistics import strategy_stats
from trading.web.choice import chosen_account
from trading.web.comparison import comparison
from trading.web.older import may_be_older
from trading.web.period import chosen_period
from trading.web.period_page import ROWS_MAX, period_page


@require_safe
@may_be_older
def strategy_list(request: HttpRequest) -> HttpResponse:
    """Show what each strategy brought in a period, and all statistics of the one that was asked for."""
    choice, now = chosen_account(request), timezone.now()
    period, code = chosen_period(request, now), request.GET.get("strategy", "")
    keys = dict(Strategy.objects.values_list("code", "pk"))
    is_traded = code in keys and DayTotal.objects.filter(account=choice.account, strategy_id=keys[code]).exists()
    figures = strategy_stats(choice.account, code, period.days, now=now) if is_traded else None
    return comparison(request, choice, period, cut="strategy", keys=keys, name=code, figures=figures)


@require_safe
@may_be_older
def strategy_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one strategy's period: figures, curves, distributions, hours and every cut."""
    choice, now = chosen_account(request), timezone.now()
    period = chosen_period(request, now)
    strategy = Strategy.objects.filter(pk=pk).first()
    if strategy is None or not Trade.objects.filter(account=choice.account, strategy=strategy).exists():
        raise Http404("This account has no such strategy.")
    selected = selection(
        choice.account, first=period.first, last=period.last, strategy_id=strategy.code, today=desk_date(now)
    )
    return period_page(
        request,
        choice,
        period,
        selected,
        strategy_report(selected, now=now, newest=ROWS_MAX),
        cut="strategy",
        name=strategy.code,
        address=reverse("strategy", args=[pk]),
    )
