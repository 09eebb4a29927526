"""The page on which an operator corrects a trade: two forms, each one call of an operation with the user as author."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from trading.domain import amounts
from trading.errors import VeloxError
from trading.models import Fill, Trade
from trading.operations.amend import amend
from trading.operations.set_charges import set_charges_of
from trading.operations.void import void
from trading.queries import facts
from trading.queries.trade_list import related, trade_row

CORRECT = "trading.add_correction"
REASON_MAX = 1000


class Correction(forms.Form):
    """What every correction asks: which fill, and why."""

    fill = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    reason = forms.CharField(max_length=REASON_MAX, widget=forms.Textarea(attrs={"rows": 2, "cols": 60}))

    def __init__(self, data: Any, trade: Trade, *, whole: str, prefix: str) -> None:
        super().__init__(data, prefix=prefix, label_suffix="")
        fills = [(fill.sequence, _named(fill, trade)) for fill in facts.fills_of(trade)]
        self.fields["fill"].choices = [("", whole), *fills]  # type: ignore[attr-defined]


class AmendForm(Correction):
    """What is right; an empty field stays as it is. Figures are typed as text: the operation reads them exactly."""

    price = forms.CharField(required=False, max_length=32)
    quantity = forms.CharField(required=False, max_length=32)
    at = forms.DateTimeField(required=False, label="Time", help_text="At the desk, such as 2024-03-15 09:31:05.")
    charges = forms.CharField(
        required=False, max_length=32, help_text="Without a fill: of the whole trade, shared among its fills."
    )
    strategy_id = forms.CharField(required=False, max_length=64, label="Strategy")
    field_order = ("fill", "price", "quantity", "at", "charges", "strategy_id", "reason")

    def apply(self, trade: Trade, by: str) -> None:
        given = {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
        if given.keys() == {"charges", "reason"}:
            set_charges_of(trade.pk, given["charges"], by=by, reason=given["reason"])
        else:
            amend(trade.pk, by=by, **given)


class VoidForm(Correction):
    """The trade, or one fill of it, never was."""

    field_order = ("fill", "reason")

    def apply(self, trade: Trade, by: str) -> None:
        void(trade.pk, by=by, reason=self.cleaned_data["reason"], fill=self.cleaned_data["fill"])


def correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the two forms; carry out the one that was sent."""
    if not request.user.has_perm(CORRECT):
        raise PermissionDenied
    trade = get_object_or_404(related(Trade.objects.all()), pk=pk)
    sent = request.POST if request.method == "POST" else None
    amending, voiding = (
        AmendForm(sent if sent and "amend" in sent else None, trade, whole="the only one", prefix="amend"),
        VoidForm(sent if sent and "void" in sent else None, trade, whole="the whole trade", prefix="void"),
    )
    for form in (amending, voiding):
        if form.is_bound and form.is_valid() and _applied(form, form.apply, trade, request):
            messages.success(request, f"Trade {trade.trade_id} is corrected.")
            return HttpResponseRedirect(reverse("admin:trading_trade_change", args=[trade.pk]))
    shown = {"trade": trade, "row": trade_row(trade), "amending": amending, "voiding": voiding}
    context = {**admin.site.each_context(request), **shown, "title": f"Correct trade {trade.trade_id}"}
    return TemplateResponse(request, "admin/trade_correct.html", {**context, "opts": Trade._meta})


def _applied(form: forms.Form, apply: Callable[[Trade, str], None], trade: Trade, request: HttpRequest) -> bool:
    try:
        apply(trade, request.user.get_username())
    except VeloxError as error:
        form.add_error(None, f"{error} {error.hint}".strip())
        return False
    return True


def _named(fill: Fill, trade: Trade) -> str:
    currency = trade.account.currency
    quantity, price = amounts.number(fill.quantity, currency), amounts.amount(fill.price, currency)
    return f"{fill.sequence}: {fill.side.lower()} {quantity} at {price}"
