"""Records beside the trades that nobody edits: signals, published summaries, the journal."""

from __future__ import annotations

import json

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.generic import RedirectView

from trading.admin.base import MAIN, AccountFilter, RecordAdmin, condition_list
from trading.admin.filters import InstrumentFilter
from trading.models import DailySummary, Journal, Limit, Signal, Trade
from trading.queries.accounts import all_accounts
from trading.queries.kept import KeptAnswers

_counts: KeptAnswers[int] = KeptAnswers(2**20, lambda _count: 2**10)
UNNAMED = [f"trade__{field.name}" for field in Trade._meta.concrete_fields if field.name not in ("id", "trade_id")]


@admin.register(Signal)
class SignalAdmin(RecordAdmin):
    list_display = ("at", "strategy", "symbol", "decision", "reason", "shown_conditions", "shown_trade")
    # No date hierarchy here and in the journal: it would read every row of the account to name the years.
    list_filter = (AccountFilter, "decision", "at", "strategy", ("instrument", InstrumentFilter))
    list_select_related = ("strategy", "instrument", "trade")
    search_fields = ("instrument__symbol", "strategy__code", "reason")
    fields = (
        "account", "strategy", "instrument", "at", "decision", "reason", "shown_conditions", "shown_trade",
        "recorded_at",
    )  # fmt: skip
    readonly_fields = fields

    def get_paginator(
        self,
        request: HttpRequest,
        queryset: QuerySet[Signal],
        per_page: int,
        orphans: int = 0,
        allow_empty_first_page: bool = True,
    ) -> Paginator[Signal]:
        # Counting takes the longest of all that a page of them asks; the address tells all that it follows from.
        pages = super().get_paginator(request, queryset, per_page, orphans, allow_empty_first_page)
        code = request.GET.get(AccountFilter.parameter_name) or MAIN
        account = next((account for account in all_accounts() if account.code == code), None)
        if account is not None:
            pages.count = _counts.of(account, request.GET.urlencode(), queryset.count)
        return pages

    def get_queryset(self, request: HttpRequest) -> QuerySet[Signal]:
        # A list names the trades that it links to: nothing else of them is read.
        return super().get_queryset(request).defer(*UNNAMED)

    @admin.display(description="symbol", ordering="instrument__symbol")
    def symbol(self, signal: Signal) -> str:
        return signal.instrument.symbol

    @admin.display(description="conditions")
    def shown_conditions(self, signal: Signal) -> SafeString:
        return condition_list(signal.conditions)

    @admin.display(description="trade", ordering="trade__trade_id")
    def shown_trade(self, signal: Signal) -> SafeString | str:
        if signal.trade is None:
            return "—"
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:trading_trade_change", args=[signal.trade_id]), signal.trade.trade_id
        )


@admin.register(DailySummary)
class DailySummaryAdmin(RecordAdmin):
    list_display = ("day", "version", "account", "created_at", "journal_sequence")
    list_filter = (AccountFilter,)
    list_select_related = ("account",)
    date_hierarchy = "day"
    fields = readonly_fields = (
        "account", "day", "version", "created_at", "journal_sequence", "journal_head", "shown_body",
    )  # fmt: skip

    @admin.display(description="body")
    def shown_body(self, summary: DailySummary) -> SafeString:
        return pretty(summary.body)


@admin.register(Limit)
class LimitAdmin(RecordAdmin):
    list_display = ("number", "kind", "strategy", "amount", "first_day", "author", "reason", "account")
    list_filter = (AccountFilter, "kind")
    list_select_related = ("account", "strategy")
    search_fields = ("reason", "author", "strategy__code")
    ordering = ("-number",)
    fields = readonly_fields = (
        "account", "number", "kind", "strategy", "amount", "first_day", "reason", "author", "recorded_at",
    )  # fmt: skip


@admin.register(Journal)
class JournalAdmin(RecordAdmin):
    list_display = ("sequence", "operation", "recorded_at", "recorded_by", "account", "shown_mac")
    list_filter = (AccountFilter, "recorded_at")
    search_fields = ("operation", "recorded_by")
    list_select_related = ("account",)
    ordering = ("-sequence",)
    change_list_template = "admin/journal_list.html"
    fields = readonly_fields = (
        "account", "sequence", "operation", "recorded_at", "recorded_by", "shown_body", "mac", "previous_mac",
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        # Where the proof was once: bookmarks lead on to its page.
        proof = self.admin_site.admin_view(RedirectView.as_view(pattern_name="proof"))
        return [path("verify/", proof, name="trading_journal_verify"), *super().get_urls()]

    @admin.display(description="head")
    def shown_mac(self, entry: Journal) -> SafeString:
        return format_html('<code title="{}">{}</code>', entry.mac, entry.mac[:12])

    @admin.display(description="body")
    def shown_body(self, entry: Journal) -> SafeString:
        return pretty(entry.body)


def pretty(body: str) -> SafeString:
    """Return canonical JSON spread over lines; text that is no JSON unchanged."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        text = body
    return format_html('<pre class="body">{}</pre>', text)
