"""The page on which an operator corrects a trade: two forms, each one call of an operation with the user as author."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from trading.domain import amounts
from trading.errors import VeloxError
from trading.models import Trade
from trading.operations.amend import amend
from trading.operations.set_charges import set_charges_of
from trading.operations.void import void
from trading.queries import facts
from trading.queries.trade_list import related, trade_row

CORRECT = "trading.add_correction"
REASON_MAX = 1000


class CorrectionForm(forms.Form):
    """The fields of every correction: the fill, and the reason."""

    fill = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    reason = forms.CharField(max_length=REASON_MAX, widget=forms.Textarea(attrs={"rows": 2, "cols": 60}))

    def __init__(self, sent: QueryDict | None, trade: Trade, *, whole: str, prefix: str) -> None:
        super().__init__(sent, prefix=prefix, label_suffix="")
        self.trade = trade
        currency = trade.account.currency
        choices: list[tuple[str | int, str]] = [("", whole)]
        for fill in facts.fills_of(trade):
            quantity, price = amounts.number(fill.quantity, currency), amounts.amount(fill.price, currency)
            choices.append((fill.sequence, f"{fill.sequence}: {fill.side.lower()} {quantity} at {price}"))
        self.fields["fill"].choices = choices  # type: ignore[attr-defined]


class AmendForm(CorrectionForm):
    """A correction by facts that are right; empty fields stay. Figures are text: the operation reads them exactly."""

    price = forms.CharField(required=False, max_length=32)
    quantity = forms.CharField(required=False, max_length=32)
    at = forms.DateTimeField(required=False, label="Time", help_text="At the desk, such as 2024-03-15 09:31:05.")
    charges = forms.CharField(
        required=False, max_length=32, help_text="Without a fill: of the whole trade, shared among its fills."
    )
    strategy_id = forms.CharField(required=False, max_length=64, label="Strategy")
    field_order = ("fill", "price", "quantity", "at", "charges", "strategy_id", "reason")

    def apply(self, by: str) -> None:
        facts_sent = {name: fact for name, fact in self.cleaned_data.items() if fact not in ("", None)}
        if facts_sent.keys() == {"charges", "reason"}:
            set_charges_of(self.trade.pk, facts_sent["charges"], by=by, reason=facts_sent["reason"])
        else:
            amend(self.trade.pk, by=by, **facts_sent)


class VoidForm(CorrectionForm):
    """A correction that takes back the trade, or one fill of it."""

    field_order = ("fill", "reason")

    def apply(self, by: str) -> None:
        void(self.trade.pk, by=by, reason=self.cleaned_data["reason"], fill=self.cleaned_data["fill"])


def correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the two forms; carry out the one that was sent."""
    if not request.user.has_perm(CORRECT):
        raise PermissionDenied
    trade = get_object_or_404(related(Trade.objects.all()), pk=pk)
    sent = request.POST if request.method == "POST" else None
    amending = AmendForm(sent if sent and "amend" in sent else None, trade, whole="the only one", prefix="amend")
    voiding = VoidForm(sent if sent and "void" in sent else None, trade, whole="the whole trade", prefix="void")
    forms_sent: tuple[AmendForm | VoidForm, ...] = (amending, voiding)
    for form in forms_sent:
        if not (form.is_bound and form.is_valid()):
            continue
        try:
            form.apply(request.user.get_username())
        except VeloxError as error:
            form.add_error(None, f"{error} {error.hint}".strip())
        else:
            messages.success(request, f"Trade {trade.trade_id} is corrected.")
            return HttpResponseRedirect(reverse("admin:trading_trade_change", args=[trade.pk]))
    context = {
        **admin.site.each_context(request),
        "trade": trade,
        "row": trade_row(trade),
        "amending": amending,
        "voiding": voiding,
        "title": f"Correct trade {trade.trade_id}",
        "opts": Trade._meta,
    }
    return TemplateResponse(request, "admin/trade_correct.html", context)
