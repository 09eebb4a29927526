"""The figures of every strategy of one account over a period, and all of FACE §5 for one of them."""

from __future__ import annotations

from datetime import date, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trading.domain.shapes import Stats
from trading.models import Account
from trading.queries.period import EARLIEST, desk_date, last_days
from trading.queries.statistics import strategy_stats, totals_by
from trading.web.choice import chosen_account, page

PERIODS = {"1": "Today", "7": "7 days", "30": "30 days", "90": "90 days", "365": "A year", "all": "All"}
PERIOD_DEFAULT = "30"


@require_safe
def strategy_list(request: HttpRequest) -> HttpResponse:
    account, now = chosen_account(request), timezone.now()
    period = request.GET.get("days", PERIOD_DEFAULT)
    if period not in PERIODS:
        raise Http404(f"“{period}” is not a period of this page.")
    first, last = _span(period, now)
    rows = totals_by(account, first, last, "strategy")
    names = {row["key"] for row in rows}
    one = request.GET.get("strategy", "")
    return page(
        request,
        "velox/strategies.html",
        "strategies",
        account,
        rows=rows,
        periods=PERIODS,
        period=period,
        first=None if period == "all" else first,
        last=last,
        one=one,
        figures=_figures(account, one, period, now) if one in names else None,
    )


def _span(period: str, now: datetime) -> tuple[date, date]:
    return (EARLIEST, desk_date(now)) if period == "all" else last_days(int(period), now=now)


def _figures(account: Account, strategy: str, period: str, now: datetime) -> Stats:
    return strategy_stats(account, strategy, None if period == "all" else int(period), now=now)
