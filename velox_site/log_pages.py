"""Pages that read the logs back: the lines of one trade."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from trading.models import Trade
from trading.queries.accounts import all_accounts
from trading.queries.trade_list import related, trade_row
from trading.web.choice import AccountChoice, page
from velox_site.log_lines import as_text
from velox_site.log_reader import Filter, LogReader

LINES_MAX = 500
BEFORE = timedelta(minutes=5)  # what led to a trade was logged before it was recorded


@require_safe
def trade_log(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was logged about one trade since shortly before it was recorded, the oldest line first."""
    trade = get_object_or_404(related(Trade.objects.all()), pk=pk)
    reader = LogReader(settings.LOG_DIR, Filter(trade_id=trade.trade_id, since=trade.recorded_at - BEFORE))
    zone = timezone.get_default_timezone()
    lines = [as_text(line, zone) for line in islice(reader.lines(), LINES_MAX + 1)]
    return page(
        request,
        "velox/trade_log.html",
        "trades",
        AccountChoice(trade.account, list(all_accounts())),
        row=trade_row(trade),
        text="".join(lines[:LINES_MAX]),
        lines_max=LINES_MAX,
        has_more=len(lines) > LINES_MAX,
        unreadable=reader.unreadable,
    )
