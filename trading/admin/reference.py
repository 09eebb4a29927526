"""The records that trades refer to: accounts, exchanges and their hours, instruments, strategies."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from trading.admin.base import Context, Listed, ModelAdmin, RecordAdmin, RecordInline, Row, money_column
from trading.admin.filters import GroupFilter
from trading.bookkeeping.contract_terms import FOLDED, PARSERS
from trading.errors import VeloxError
from trading.models import Account, CapitalFlow, Exchange, ExchangeSession, Instrument, Strategy
from trading.operations.correct_contract import correct_contract
from trading.queries.unreviewed import unreviewed_instruments, unreviewed_strategies

REASON_MAX = 1000


@admin.action(description="Mark the selected as reviewed", permissions=["change"])
def mark_reviewed(
    model_admin: ModelAdmin, request: HttpRequest, rows: QuerySet[Instrument] | QuerySet[Strategy]
) -> None:
    """Mark instruments or strategies as looked at by a person."""
    count = rows.update(reviewed=True)
    model_admin.message_user(request, f"{count} marked as reviewed.")


def _of_flow(flow: CapitalFlow) -> str:
    return flow.account.currency


class CapitalFlowInline(RecordInline):
    model = CapitalFlow
    figure_amount = staticmethod(money_column("amount", "amount", _of_flow, signed=True))
    fields = readonly_fields = ("day", "figure_amount", "note", "recorded_at")


@admin.register(Account)
class AccountAdmin(RecordAdmin):
    """Accounts and their capital, which `manage.py account` makes and dates."""

    list_display = ("code", "book", "currency", "zone")
    list_filter = ("book",)
    inlines = (CapitalFlowInline,)


@admin.register(Exchange)
class ExchangeAdmin(RecordAdmin):
    list_display = ("code", "name", "zone")


@admin.register(ExchangeSession)
class ExchangeSessionAdmin(Listed, ModelAdmin):
    """The hours of exchanges, which change: operators amend them here."""

    list_display = (
        "exchange",
        "kind",
        "group",
        "first_date",
        "last_date",
        "weekdays",
        "phase",
        "opens",
        "closes",
        "note",
    )
    list_filter = ("exchange", "kind", "group", "phase")
    list_select_related = ("exchange",)
    search_fields = ("note",)


class ToReview(admin.SimpleListFilter):
    """A filter for instruments or strategies in use that nobody has confirmed: money is counted with and by them."""

    title = "to review"
    parameter_name = "todo"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [("yes", "In use and not reviewed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Row]) -> QuerySet[Row]:
        if self.value() != "yes":
            return queryset
        rows = unreviewed_strategies() if queryset.model is Strategy else unreviewed_instruments()
        return queryset.filter(pk__in=rows)


class InstrumentForm(forms.ModelForm):  # type: ignore[type-arg]
    """The terms of an instrument, and why they change."""

    reason = forms.CharField(
        required=False,
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text="Needed once it was traded, where its trades are folded anew; kept with your name.",
    )

    class Meta:
        model = Instrument
        fields = "__all__"

    def clean(self) -> Context:
        """Ask for a reason where trades would be folded anew."""
        fields: Context = super().clean() or {}
        folded = [name for name in (*FOLDED, "currency") if name in self.changed_data]
        if folded and self.instance.pk and self.instance.trades.exists() and not fields.get("reason", "").strip():
            self.add_error("reason", f"Say why {', '.join(folded)} changes: every trade in it follows.")
        return fields


@admin.register(Instrument)
class InstrumentAdmin(Listed, ModelAdmin):
    """Instruments, which come into being at first use: operators correct their terms here and mark them as reviewed."""

    form = InstrumentForm

    list_display = (
        "symbol",
        "exchange",
        "kind",
        "currency",
        "multiplier",
        "lot",
        "price_tick",
        "session_group",
        "reviewed",
    )
    list_filter = (ToReview, "reviewed", "kind", "exchange", ("session_group", GroupFilter))
    list_select_related = ("exchange",)
    search_fields = ("symbol",)
    actions = (mark_reviewed,)

    def get_readonly_fields(self, request: HttpRequest, obj: Instrument | None = None) -> tuple[str, ...]:
        return () if obj is None else ("exchange", "symbol")

    def save_model(self, request: HttpRequest, obj: Instrument, form: InstrumentForm, change: bool) -> None:
        """Save a new instrument; correct the terms of an old one, and its trades follow."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        terms = {name: form.cleaned_data[name] for name in form.changed_data if name in PARSERS}
        by, reason = request.user.get_username(), form.cleaned_data["reason"].strip() or "looked at in the admin"
        corrected = correct_contract(obj.pk, by=by, reason=reason, reviewed=form.cleaned_data["reviewed"], **terms)
        if corrected.trades:
            self.message_user(request, f"{corrected.trades} trades were folded anew.")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Context | None = None,
    ) -> HttpResponse:
        # Not in the one transaction that the parent opens: the operation commits by itself.
        try:
            page: HttpResponse = self._changeform_view(  # type: ignore[attr-defined]
                request, object_id, form_url, extra_context
            )
            return page
        except VeloxError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def has_delete_permission(self, request: HttpRequest, obj: Instrument | None = None) -> bool:
        return False


@admin.register(Strategy)
class StrategyAdmin(Listed, ModelAdmin):
    """Strategies, which come into being at first use: operators name them here and mark them as reviewed."""

    list_display = ("code", "name", "reviewed")
    list_filter = (ToReview, "reviewed")
    search_fields = ("code", "name", "notes")
    fields = ("code", "name", "notes", "reviewed")
    readonly_fields = ("code",)
    actions = (mark_reviewed,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Strategy | None = None) -> bool:
        return False
