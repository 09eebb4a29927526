"""The trades of one account: a filtered list, and one trade with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from trading.domain.display import outcome
from trading.models import Account, Strategy, Trade
from trading.queries import facts
from trading.queries.excursions import fields_of
from trading.queries.results import RESULTS
from trading.queries.trade_list import REVIEW_STATES, TradeFilter, listed, related, trade_row, trade_rows
from trading.web.choice import chosen_account, page

PER_PAGE = 50


def _any(*words: str) -> list[tuple[str, str]]:
    return [("", "Any"), *((word, word.replace("_", " ").capitalize()) for word in words)]


def _any_of(names: Iterable[str]) -> list[tuple[str, str]]:
    return [("", "Any"), *((name, name) for name in names)]


class FilterForm(forms.Form):
    """What the list can be narrowed to; the fields are those of `TradeFilter`."""

    strategy = forms.ChoiceField(required=False)
    symbol = forms.CharField(required=False, max_length=64)
    side = forms.ChoiceField(required=False, choices=_any("LONG", "SHORT"))
    state = forms.ChoiceField(required=False, choices=_any("OPEN", "CLOSED", "VOID"))
    result = forms.ChoiceField(
        required=False, choices=[("", "Any"), *((key, outcome(key).capitalize()) for key in RESULTS)]
    )
    review = forms.ChoiceField(required=False, choices=_any(*REVIEW_STATES))
    day = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: Any, account: Account) -> None:
        super().__init__(data, label_suffix="")
        # Only what this account traded: a name from another account would tell of it.
        traded = Exists(Trade.objects.filter(account=account, strategy=OuterRef("pk")))
        names = Strategy.objects.filter(traded).order_by("code").values_list("code", flat=True)
        self.fields["strategy"] = forms.ChoiceField(required=False, choices=_any_of(names))

    def chosen(self) -> TradeFilter:
        """Return the filter; a field that cannot be read narrows nothing, and the form says so beside it."""
        self.is_valid()
        return TradeFilter(**{name: value for name, value in self.cleaned_data.items() if value})


@require_safe
def trade_list(request: HttpRequest) -> HttpResponse:
    account = chosen_account(request)
    form = FilterForm(request.GET, account)
    shown = Paginator(listed(account, form.chosen()), PER_PAGE).get_page(request.GET.get("page"))
    kept = {name: str(value) for name, value in request.GET.items() if value and name != "page"}
    return page(
        request,
        "velox/trades.html",
        "trades",
        account,
        form=form,
        page=shown,
        rows=trade_rows(shown),
        kept=urlencode(kept),
        is_filtered=bool(kept.keys() & form.fields.keys()),
    )


@require_safe
def trade_page(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(related(Trade.objects.all()), pk=pk)
    return page(
        request,
        "velox/trade.html",
        "trades",
        row.account,
        row=trade_row(row),
        excursion=fields_of(row),
        can_review=request.user.is_staff and request.user.has_perm("trading.change_review"),
        can_correct=request.user.is_staff and request.user.has_perm("trading.add_correction"),
        fills=facts.fills_with_pnl(row),
        corrections=facts.corrections_of(row),
        stops=row.stop_changes.order_by("at", "pk"),
        signals=row.signals.order_by("at", "pk"),
    )
