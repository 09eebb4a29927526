"""What brokers' files brought and persons add: actions to decide, costs of holdings, stated charges.

Each form is one call of an operation with the user as author; the rows themselves nobody edits.
"""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from trading.admin.base import MAIN, AccountFilter, Context, RecordAdmin, price_column
from trading.admin.correct import CORRECT
from trading.admin.import_forms import ChargesForm, CostForm, OperationForm, forms_of
from trading.domain import amounts
from trading.errors import VeloxError
from trading.models import Account, BrokerFill, CorporateAction, HoldingCost, StatedCharge
from trading.queries.corporate_actions import WAITING, proposed
from trading.queries.opening_sales import opening_sales


def operation_page(
    request: HttpRequest, account: Account, title: str, facts: str, sections: list[tuple[str, OperationForm]], back: str
) -> HttpResponse:
    """Show forms of an account by their headings; carry out the one that was sent, and go back."""
    for _, form in sections:
        if not (form.is_bound and form.is_valid()):
            continue
        try:
            sentence = form.carry_out(request.user.get_username())
        except VeloxError as error:
            form.add_error(None, f"{error} {error.hint}".strip())
        else:
            messages.success(request, sentence)
            return HttpResponseRedirect(back)
    context: Context = {**admin.site.each_context(request), "title": title, "facts": facts, "sections": sections}
    return TemplateResponse(request, "admin/operation.html", context | {"back": back, "account": account})


def _must_be_operator(request: HttpRequest) -> None:
    if not request.user.has_perm(CORRECT):
        raise PermissionDenied


@admin.register(CorporateAction)
class CorporateActionAdmin(RecordAdmin):
    """Splits, bonuses and settlements that files propose: an operator confirms or dismisses each."""

    list_display = ("day", "kind", "symbol", "state", "text", "account")
    list_filter = (AccountFilter, "kind", ("decision", admin.EmptyFieldListFilter))
    list_select_related = ("account", "decision")
    search_fields = ("symbol", "text")
    change_form_template = "admin/action_change.html"
    fields = readonly_fields = (
        "account", "day", "kind", "symbol", "text", "new", "old", "quantity", "file", "recorded_at", "state",
        "decided_by", "why",
    )  # fmt: skip

    @admin.display(description="state", ordering="decision")
    def state(self, action: CorporateAction) -> str:
        each = proposed(action)
        return f"{each.state}: {each.terms}" if each.terms else each.state

    @admin.display(description="decided by")
    def decided_by(self, action: CorporateAction) -> str:
        return proposed(action).author or "—"

    @admin.display(description="reason")
    def why(self, action: CorporateAction) -> str:
        return proposed(action).reason or "—"

    def get_urls(self) -> list[URLPattern]:
        page = path("<int:pk>/decide/", self.admin_site.admin_view(decide_action), name="trading_action_decide")
        return [page, *super().get_urls()]


def decide_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Confirm or dismiss a proposed action."""
    _must_be_operator(request)
    action = get_object_or_404(CorporateAction.objects.select_related("account", "decision"), pk=pk)
    back = reverse("admin:trading_corporateaction_change", args=[pk])
    if proposed(action).state != WAITING:
        return HttpResponseRedirect(back)
    sections = forms_of(action, request.POST if request.method == "POST" else None)
    words = f"{action.day}: {action.text}"
    return operation_page(request, action.account, "Decide a corporate action", words, sections, back)


def _currency(row: HoldingCost | StatedCharge) -> str:
    return row.account.currency


@admin.register(HoldingCost)
class HoldingCostAdmin(RecordAdmin):
    """What persons said that holdings cost, and the sales whose cost nobody has given."""

    change_list_template = "admin/holdingcost_list.html"
    figure_price = staticmethod(price_column("price", "cost of one", _currency))
    list_display = ("symbol", "sold_on", "figure_price", "day", "author", "reason", "account")
    list_filter = (AccountFilter,)
    list_select_related = ("account", "sale__instrument")
    fields = readonly_fields = (
        "account", "symbol", "sold_on", "figure_price", "day", "reason", "author", "recorded_at",
    )  # fmt: skip

    @admin.display(description="symbol", ordering="sale__instrument__symbol")
    def symbol(self, cost: HoldingCost) -> str:
        return cost.sale.instrument.symbol

    @admin.display(description="sold on", ordering="sale__day")
    def sold_on(self, cost: HoldingCost) -> str:
        return cost.sale.day.isoformat()

    def get_urls(self) -> list[URLPattern]:
        sales = path("sales/", self.admin_site.admin_view(sales_page), name="trading_opening_sales")
        page = path("sales/<int:pk>/", self.admin_site.admin_view(cost_page), name="trading_give_cost")
        return [sales, page, *super().get_urls()]


def sales_page(request: HttpRequest) -> HttpResponse:
    """Show the sales of an account whose cost nobody has given."""
    if not request.user.has_perm("trading.view_holdingcost"):
        raise PermissionDenied
    account = get_object_or_404(Account, code=request.GET.get("account", MAIN))
    context: Context = {
        **admin.site.each_context(request),
        "title": "Sales of unknown cost",
        "account": account,
        "accounts": Account.objects.order_by("code"),
        "sales": [
            (
                sale,
                amounts.number(sale.quantity, account.currency),
                amounts.amount(sale.price, account.currency),
            )
            for sale in opening_sales(account)
        ],
        "may_give": request.user.has_perm(CORRECT),
    }
    return TemplateResponse(request, "admin/opening_sales.html", context)


def cost_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Give what holdings cost that a sale was of."""
    _must_be_operator(request)
    sale = get_object_or_404(BrokerFill.objects.select_related("account", "instrument"), pk=pk)
    form = CostForm(request.POST if request.method == "POST" else None, pk)
    words = f"{sale.instrument.symbol}, {sale.quantity:f} sold at {sale.price:f} on {sale.day}"
    back = f"{reverse('admin:trading_opening_sales')}?account={sale.account.code}"
    return operation_page(request, sale.account, "Give the cost of holdings", words, [("What they cost", form)], back)


@admin.register(StatedCharge)
class StatedChargeAdmin(RecordAdmin):
    """What notes, files and persons stated of charges; an operator states charges here."""

    change_list_template = "admin/statedcharge_list.html"
    figure_amount = staticmethod(price_column("amount", "amount", _currency))
    list_display = (
        "day", "last_day", "segment", "exchange", "head", "figure_amount", "source", "text", "author", "account",
    )  # fmt: skip
    list_filter = (AccountFilter, "source", "head", "day")
    list_select_related = ("account",)
    fields = readonly_fields = (
        "account", "day", "last_day", "segment", "exchange", "head", "figure_amount", "source", "document", "text",
        "author", "recorded_at",
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        page = path("state/", self.admin_site.admin_view(charges_page), name="trading_state_charges")
        return [page, *super().get_urls()]


def charges_page(request: HttpRequest) -> HttpResponse:
    """State charges of an account."""
    _must_be_operator(request)
    account = get_object_or_404(Account, code=request.GET.get("account", MAIN))
    form = ChargesForm(request.POST if request.method == "POST" else None, account.code)
    back = f"{reverse('admin:trading_statedcharge_changelist')}?account={account.code}"
    words = f"Of account {account.code}, in {account.currency}; a rebate is below 0. Notes and files stand before it."
    return operation_page(request, account, "State charges", words, [("Head by head", form)], back)
