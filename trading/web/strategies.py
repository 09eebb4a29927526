"""The figures of every strategy of one account over a period, and the statistics of one of them."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trading.queries.period import EARLIEST, desk_date, last_days
from trading.queries.statistics import strategy_stats, totals_by
from trading.web.choice import chosen_account, page

PERIODS = {"1": "Today", "7": "7 days", "30": "30 days", "90": "90 days", "365": "A year", "all": "All"}
PERIOD_DEFAULT = "30"


@require_safe
def strategy_list(request: HttpRequest) -> HttpResponse:
    """Show what each strategy brought in a period, and all statistics of the one that was asked for."""
    choice, now = chosen_account(request), timezone.now()
    period = request.GET.get("days", PERIOD_DEFAULT)
    if period not in PERIODS:
        raise Http404(f"“{period}” is not a period of this page.")
    first, last = (EARLIEST, desk_date(now)) if period == "all" else last_days(int(period), now=now)
    rows = totals_by(choice.account, first, last, "strategy")
    strategy = request.GET.get("strategy", "")
    figures = None
    if strategy in {row["key"] for row in rows}:
        days = None if period == "all" else int(period)
        figures = strategy_stats(choice.account, strategy, days, now=now)
    return page(
        request,
        "velox/strategies.html",
        "strategies",
        choice,
        rows=rows,
        periods=PERIODS,
        period=period,
        first=None if period == "all" else first,
        last=last,
        one=strategy,
        figures=figures,
    )
