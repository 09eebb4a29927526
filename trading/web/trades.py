"""The trades of one account: a filtered list, and one trade with all that is known of it."""

from __future__ import annotations

from django import forms
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from trading.domain.display import outcome
from trading.models import Account, Strategy, Trade
from trading.queries import facts
from trading.queries.accounts import all_accounts
from trading.queries.charge_estimates import estimates_of
from trading.queries.excursions import fields_of
from trading.queries.results import RESULTS
from trading.queries.trade_list import REVIEW_STATES, TradeFilter, listed, related, trade_row, trade_rows
from trading.web.choice import AccountChoice, chosen_account, page

PER_PAGE = 50


ANY = ("", "Any")


def any_of(*words: str) -> list[tuple[str, str]]:
    """Return code words as the choices of a field, written for people, and before them that it narrows nothing."""
    return [ANY, *((word, word.replace("_", " ").capitalize()) for word in words)]


class FilterForm(forms.Form):
    """What the list can be narrowed to; the fields are those of `TradeFilter`."""

    strategy = forms.ChoiceField(required=False)
    symbol = forms.CharField(required=False, max_length=64)
    side = forms.ChoiceField(required=False, choices=any_of("LONG", "SHORT"))
    state = forms.ChoiceField(required=False, choices=any_of("OPEN", "CLOSED", "VOID"))
    result = forms.ChoiceField(required=False, choices=[ANY, *((key, outcome(key).capitalize()) for key in RESULTS)])
    review = forms.ChoiceField(required=False, choices=any_of(*REVIEW_STATES))
    day = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, query: QueryDict, account: Account) -> None:
        super().__init__(query, label_suffix="")
        # Only what this account traded: a name from another account would tell of it.
        traded = Exists(Trade.objects.filter(account=account, strategy=OuterRef("pk")))
        names = Strategy.objects.filter(traded).order_by("code").values_list("code", flat=True)
        self.fields["strategy"] = forms.ChoiceField(required=False, choices=[ANY, *((name, name) for name in names)])

    def filter(self) -> TradeFilter:
        """Return the filter; a field that cannot be read narrows nothing, and the form tells so beside it."""
        self.is_valid()
        return TradeFilter(**{name: choice for name, choice in self.cleaned_data.items() if choice})


@require_safe
def trade_list(request: HttpRequest) -> HttpResponse:
    """Show the trades of one account under a filter, the newest opening first."""
    choice = chosen_account(request)
    form = FilterForm(request.GET, choice.account)
    trades = Paginator(listed(choice.account, form.filter()), PER_PAGE).get_page(request.GET.get("page"))
    query = {name: str(text) for name, text in request.GET.items() if text and name != "page"}
    return page(
        request,
        "velox/trades.html",
        "trades",
        choice,
        form=form,
        page=trades,
        rows=trade_rows(trades),
        kept=urlencode(query),
        is_filtered=bool(query.keys() & form.fields.keys()),
    )


@require_safe
def trade_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one trade with all that is known of it."""
    row = get_object_or_404(related(Trade.objects.all()), pk=pk)
    return page(
        request,
        "velox/trade.html",
        "trades",
        AccountChoice(row.account, list(all_accounts())),
        row=trade_row(row),
        excursion=fields_of(row),
        can_review=request.user.is_staff and request.user.has_perm("trading.change_review"),
        can_correct=request.user.is_staff and request.user.has_perm("trading.add_correction"),
        fills=facts.fills_with_pnl(row),
        corrections=facts.corrections_of(row),
        stops=row.stop_changes.order_by("at", "pk"),
        signals=row.signals.order_by("at", "pk"),
        charges_estimated=estimates_of(Trade.objects.filter(pk=pk)).get(pk),
    )
