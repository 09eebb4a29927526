"""The signals of one account: a filtered list, what their conditions were worth, and what came after them."""

from __future__ import annotations

from datetime import date, timedelta

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from timeseries.wiring import open_reader
from trading.domain.shapes import SignalGroup
from trading.errors import VeloxError
from trading.models import Account, Signal
from trading.pages.filter_form import ANY, any_of
from trading.queries.period import EARLIEST, desk_date
from trading.queries.reports import Selection, selection
from trading.queries.signal_list import SignalFilter, listed_signals, signalled_names
from trading.queries.signal_report import condition_rows, followed_groups, looked_at
from trading.web.choice import LATEST, chosen_account, page
from trading.web.older import may_be_older

PER_PAGE = 50
DAYS_SHOWN = 30
FOLLOWED = ("5", "15", "60")  # minutes


class SignalForm(forms.Form):
    """What the list and both tables are narrowed to; the days are those at the desk."""

    strategy = forms.ChoiceField(required=False)
    symbol = forms.ChoiceField(required=False)
    decision = forms.ChoiceField(required=False, choices=any_of("TAKEN", "SKIPPED"))
    reason = forms.CharField(required=False, max_length=200, label="Reason has")
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, query: QueryDict, account: Account) -> None:
        super().__init__(query, label_suffix="")
        # Only what this account has signals of: a name from another account would tell of it.
        strategies, symbols = signalled_names(account)
        for name, words in (("strategy", strategies), ("symbol", symbols)):
            choices = [ANY, *((word, word) for word in words)]
            self.fields[name] = forms.ChoiceField(required=False, choices=choices)

    def filter(self, newest: date) -> SignalFilter:
        """Return the filter, by default of the days up to ``newest``; what cannot be read narrows nothing, and the form
        says so beside it."""
        self.is_valid()
        cleaned = self.cleaned_data
        until, others = cleaned.get("until") or newest, timedelta(days=DAYS_SHOWN - 1)
        since = (
            cleaned.get("since") or max(until, EARLIEST + others) - others
        )  # the first of all dates has none before it
        if not EARLIEST <= since <= until <= LATEST:
            self.add_error("since", "The first day lies after the last, or no record is kept of such days.")
            since, until = newest - others, newest
        words = {name: cleaned.get(name, "") for name in ("strategy", "symbol", "decision", "reason")}
        return SignalFilter(**words, first=since, last=until)


@require_safe
@may_be_older
def signal_list(request: HttpRequest) -> HttpResponse:
    """Show the signals under a filter, the newest first, what their conditions were worth, and on demand the prices
    after them."""
    choice, now = chosen_account(request), timezone.now()
    minutes = request.GET.get("followed", "")
    if minutes and minutes not in FOLLOWED:
        raise Http404(f"“{minutes}” is not one of {', '.join(FOLLOWED)} minutes.")
    newest = Signal.objects.filter(account=choice.account).order_by("-at").values_list("at", flat=True).first()
    form = SignalForm(request.GET, choice.account)
    filters = form.filter(desk_date(newest or now))
    signals = Paginator(listed_signals(choice.account, filters), PER_PAGE).get_page(request.GET.get("page"))
    selected = selection(
        choice.account,
        first=filters.first,
        last=filters.last,
        strategy_id=filters.strategy or None,
        symbol=filters.symbol or None,
        today=desk_date(now),
        with_signals=True,
    )
    conditions = condition_rows(selected)
    groups, fault = _followed(selected, int(minutes)) if minutes else ([], "")
    query = {name: str(text) for name, text in request.GET.items() if text and name != "page"}
    return page(
        request,
        "velox/signals.html",
        "signals",
        choice,
        form=form,
        filters=filters,
        has_any=newest is not None,
        page=signals,
        kept=urlencode(query),
        is_filtered=bool(query.keys() & form.fields.keys()),
        conditions=conditions,
        looked_at=looked_at(conditions),
        minutes=minutes,
        choices=FOLLOWED,
        groups=groups,
        fault=fault,
    )


def _followed(selected: Selection, minutes: int) -> tuple[list[SignalGroup], str]:
    """Return what came after the signals, or in words why nobody can say now."""
    try:
        return followed_groups(selected, open_reader(), minutes=minutes), ""
    except VeloxError as error:
        return [], str(error)
