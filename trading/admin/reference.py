"""What trades refer to: accounts, exchanges and their hours, instruments, strategies."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from trading.admin.base import ModelAdmin, ReadOnly, RecordAdmin, TabularInline, Titled, money_column
from trading.models import Account, CapitalFlow, Exchange, ExchangeSession, Instrument, Strategy


@admin.action(description="Mark the selected as reviewed", permissions=["change"])
def mark_reviewed(model_admin: Any, request: HttpRequest, chosen: QuerySet[Any]) -> None:
    count = chosen.update(reviewed=True)
    model_admin.message_user(request, f"{count} marked as reviewed.")


class CapitalFlowInline(ReadOnly, TabularInline):
    model = CapitalFlow
    figure_amount = staticmethod(money_column("amount", "amount", lambda flow: flow.account.currency, signed=True))
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
class ExchangeSessionAdmin(Titled, ModelAdmin):
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


@admin.register(Instrument)
class InstrumentAdmin(Titled, ModelAdmin):
    """Instruments come into being at first use; operators check them here and mark them as reviewed."""

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
    list_filter = ("reviewed", "kind", "exchange", "session_group")
    list_select_related = ("exchange",)
    search_fields = ("symbol",)
    actions = (mark_reviewed,)

    def get_readonly_fields(self, request: HttpRequest, obj: Instrument | None = None) -> tuple[str, ...]:
        """What the P&L of booked trades was computed with stays as it was."""
        if obj is None:
            return ()
        return ("exchange", "symbol", *(("currency", "multiplier") if obj.trades.exists() else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Strategy)
class StrategyAdmin(Titled, ModelAdmin):
    """Strategies come into being at first use; operators name them here and mark them as reviewed."""

    list_display = ("code", "name", "reviewed")
    list_filter = ("reviewed",)
    search_fields = ("code", "name", "notes")
    fields = ("code", "name", "notes", "reviewed")
    readonly_fields = ("code",)
    actions = (mark_reviewed,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
