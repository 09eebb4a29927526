"""The months of one account, each day coloured by its result, and the page of one day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from trading.errors import InvalidValue, VeloxError
from trading.models import Account, Signal
from trading.operations.write_day_note import CHARACTERS_MAX, write_day_note
from trading.queries.month_calendar import first_before, months, next_month
from trading.queries.period import EARLIEST, desk_date
from trading.queries.trade_list import TradeRow
from trading.web.choice import LATEST, AccountChoice, account_query, chosen_account, chosen_month, day_named, page
from trading.web.drawn import drawn
from trading.web.kept_day import kept_facts, kept_latest_day, kept_record, kept_trades
from trading.web.older import may_be_older

MONTHS_SHOWN = 3
TRADES_MAX = 100
SIGNALS_MAX = 50
NOTE = "trading.change_review"  # who reviews trades writes about their day, too


class NoteForm(forms.Form):
    """A day's note as it is written; ``after`` is the version that stood on the page."""

    text = forms.CharField(
        required=False,
        strip=False,
        max_length=CHARACTERS_MAX,
        label="Note",
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": CHARACTERS_MAX}),
    )
    after = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


@require_safe
@may_be_older
def calendar(request: HttpRequest) -> HttpResponse:
    """Show the newest months of one account, or those up to a month that was asked for."""
    choice, now = chosen_account(request), timezone.now()
    today = desk_date(now)
    newest_day = kept_latest_day(choice.account, now=now)
    newest = chosen_month(request) or (newest_day or today).replace(day=1)
    older, newer = first_before(newest, MONTHS_SHOWN - 1) - timedelta(days=1), next_month(newest)

    def squares() -> dict[str, Any]:
        newest_months = months(choice.account, newest, MONTHS_SHOWN)
        return {
            "account": choice.account,
            "account_query": account_query(choice.account),
            "today": today,
            "months": newest_months,
        }

    return page(
        request,
        "velox/calendar.html",
        "calendar",
        choice,
        months=drawn(choice.account, "velox/parts/calendar_months.html", (newest, today), squares),
        newest=newest,
        newest_day=newest_day,
        older=older if older >= EARLIEST else None,
        newer=newer if newer <= min(today, LATEST) else None,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@may_be_older
def day_page(request: HttpRequest, day: str) -> HttpResponse:
    """Show all that is kept of one day; whoever reviews trades writes its note."""
    choice, date_shown = chosen_account(request), day_named(day)
    if request.method != "POST":
        return _day_shown(request, choice, date_shown)
    if not request.user.has_perm(NOTE):
        raise PermissionDenied("Only reviewers and operators write notes.")
    form = NoteForm(request.POST, label_suffix="")
    if form.is_valid():
        text = form.cleaned_data["text"].replace("\r\n", "\n").strip()
        try:
            write_day_note(
                choice.account, date_shown, text, by=request.user.get_username(), after=form.cleaned_data["after"]
            )
        except VeloxError as error:
            form.add_error("text", str(error))
        else:
            return redirect(f"{reverse('day', args=[day])}{account_query(choice.account)}#note")
    return _day_shown(request, choice, date_shown, form=form)


def _day_shown(request: HttpRequest, choice: AccountChoice, day: date, *, form: NoteForm | None = None) -> HttpResponse:
    account, now = choice.account, timezone.now()
    try:
        record = kept_record(account, day, now=now)
    except InvalidValue as error:
        raise Http404(f"{day} has not begun: its page will be here.") from error

    def trades() -> dict[str, Account | list[TradeRow] | date]:
        rows = kept_trades(account, day, trades=TRADES_MAX, slips=0).trades
        return {"account": account, "rows": rows, "day": day}

    def signals() -> dict[str, str | list[Signal]]:
        return {"caption": "signals", "signals": kept_facts(account, day, signals=SIGNALS_MAX).signals}

    kept = kept_facts(account, day, signals=SIGNALS_MAX)
    lists = kept_trades(account, day, trades=TRADES_MAX, slips=0)
    note = record.notes[0] if record.notes else None
    written = {"text": note.text if note else "", "after": note.version if note else 0}
    if form is not None:  # what was typed stays; the version that is shown now is the one that was read
        typed = request.POST.copy()
        typed["after"] = str(written["after"])
        form.data = typed
    response = page(
        request,
        "velox/day.html",
        "calendar",
        choice,
        address=reverse("day", args=[day.isoformat()]),
        day=day,
        record=record,
        published=[(version, json.loads(version.body)["total"]) for version in record.published],
        total=record.summary["total"],
        chart=kept.chart,
        neighbours=kept.overview.neighbours,
        signal_counts=kept.overview.signals,
        trades=lists.trades,
        drawn_rows=drawn(account, "velox/parts/trade_rows.html", day, trades),
        drawn_signals=drawn(account, "velox/parts/signal_table.html", day, signals),
        has_more_trades=lists.has_more_trades,
        signals=kept.signals,
        has_more_signals=kept.has_more_signals,
        note=note,
        older_notes=record.notes[1:],
        note_form=form or NoteForm(initial=written, label_suffix=""),
        may_write=request.user.has_perm(NOTE),
    )
    response.status_code = 200 if form is None else 400
    return response
