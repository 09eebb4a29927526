"""Pages that read the logs back: the newest lines under a filter, and the lines of one trade."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from itertools import islice

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from trading.errors import InvalidValue
from trading.models import Trade
from trading.queries.accounts import all_accounts
from trading.queries.trade_list import related, trade_row
from trading.web.choice import AccountChoice, chosen_account, page
from trading.web.guard import MAINTAIN
from velox_site.log_lines import as_cells, as_text
from velox_site.log_reader import LEVELS, Filter, LogReader, parse_since
from velox_site.logs import NAMES

LINES_MAX = 500
NEWEST_MAX, NEWEST_BYTES_MAX = 100, 8 << 20
BEFORE = timedelta(minutes=5)  # what led to a trade was logged before it was recorded


class LogForm(forms.Form):
    """What the lines are narrowed to, in the words of `manage.py logs`."""

    trade = forms.CharField(required=False, max_length=200)
    logger = forms.CharField(required=False, max_length=200, widget=forms.TextInput(attrs={"list": "loggers"}))
    level = forms.ChoiceField(required=False, choices=[(level, level) for level in LEVELS], label="At least")
    since = forms.CharField(
        required=False, max_length=40, widget=forms.TextInput(attrs={"placeholder": "15m, 2h, 2026-11-23T09:15"})
    )

    def filter(self, account: str, now: datetime, zone: tzinfo) -> Filter:
        """Return the filter of one account's lines; what cannot be read narrows nothing, and the form says so."""
        self.is_valid()
        cleaned, since = self.cleaned_data, None
        if cleaned.get("since"):
            try:
                since = parse_since(cleaned["since"], now, zone)
            except InvalidValue as error:
                self.add_error("since", str(error))
        return Filter(
            trade_id=cleaned.get("trade") or None,
            logger=cleaned.get("logger") or None,
            level=cleaned.get("level") or "debug",
            since=since,
            account=account,
        )


@require_safe
def log_list(request: HttpRequest) -> HttpResponse:
    """Show an operator the newest lines of one account, and those that name no account."""
    if not request.user.has_perm(MAINTAIN):
        raise PermissionDenied("Only operators read the logs: they tell of people as well.")
    choice, zone = chosen_account(request), timezone.get_default_timezone()
    form = LogForm(request.GET, label_suffix="")
    wanted = form.filter(choice.account.code, timezone.now(), zone)
    newest = LogReader(settings.LOG_DIR, wanted).newest(lines_max=NEWEST_MAX, bytes_max=NEWEST_BYTES_MAX)
    return page(
        request,
        "velox/logs.html",
        "system",
        choice,
        address=request.path,
        form=form,
        is_elsewhere=settings.VELOX_RECORDER_ELSEWHERE,
        loggers=NAMES,
        is_filtered=any(request.GET.get(name) for name in form.fields),
        lines=[as_cells(line, zone) for line in newest.lines],
        has_more=newest.has_more,
        unreadable=newest.unreadable,
    )


@require_safe
def trade_log(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was logged about one trade since shortly before it was recorded, the oldest line first."""
    trade = get_object_or_404(related(Trade.objects.all()), pk=pk)
    wanted = Filter(trade_id=trade.trade_id, since=trade.recorded_at - BEFORE, account=trade.account.code)
    reader, zone = LogReader(settings.LOG_DIR, wanted), timezone.get_default_timezone()
    lines = [as_text(line, zone) for line in islice(reader.lines(), LINES_MAX + 1)]
    return page(
        request,
        "velox/trade_log.html",
        "trades",
        AccountChoice(trade.account, all_accounts()),
        row=trade_row(trade),
        text="".join(lines[:LINES_MAX]),
        lines_max=LINES_MAX,
        has_more=len(lines) > LINES_MAX,
        unreadable=reader.unreadable,
    )
