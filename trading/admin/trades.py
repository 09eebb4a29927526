"""Trades to review: facts of the ledger are shown and cannot be edited, the review is edited by its operation."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from trading.admin.base import (
    AccountFilter,
    Context,
    Listed,
    ModelAdmin,
    ReadOnly,
    RecordInline,
    condition_list,
    figure,
    money,
    money_column,
    price_column,
    quantity_column,
)
from trading.admin.correct import correct
from trading.admin.filters import DatedTrades, InstrumentFilter, ResultFilter, ReviewFilter, StrategyFilter
from trading.domain import amounts, corrections, flags
from trading.domain.averages import AveragePrices
from trading.domain.display import outcome
from trading.domain.sessions import trading_day
from trading.errors import VeloxError
from trading.models import Fill, Review, Signal, StopChange, Trade, User
from trading.operations.review_trade import review_trade
from trading.pages.csv_download import csv_response
from trading.pages.review_form import FIELDS, ReviewForm
from trading.queries import facts
from trading.queries.average_prices import averages_of
from trading.queries.instruments import shown_symbol
from trading.queries.results import earned_by, result_of
from trading.queries.trade_list import REVIEWED, r_multiple, related, review_state

if TYPE_CHECKING:
    from django.contrib.admin.options import _FieldsetSpec

EDIT = "trading.change_review"
AVERAGES = "average_prices"  # where a list keeps those of its rows


def _of_account(trade: Trade) -> str:
    return trade.account.currency


def _of_trade(row: Fill | StopChange) -> str:
    return row.trade.account.currency


class FillInline(RecordInline):
    model = Fill
    verbose_name_plural = "Fills as they were recorded"
    figure_price = staticmethod(price_column("price", "price", _of_trade))
    figure_quantity = staticmethod(quantity_column("quantity", "quantity"))
    figure_charges = staticmethod(money_column("charges", "charges", _of_trade))
    fields = readonly_fields = (
        "when", "side", "role", "settlement", "figure_quantity", "figure_price", "figure_pnl", "figure_charges",
        "fill_id", "order_id",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fill]:
        related = ("realisation", "trade__account", "trade__instrument__exchange")
        return super().get_queryset(request).select_related(*related)

    @admin.display(description="at")
    def when(self, fill: Fill) -> str:
        zone = ZoneInfo(fill.trade.instrument.exchange.zone)
        day = trading_day(fill.at, zone)
        return f"{day:%d %b %Y}" if fill.is_day_only else f"{timezone.localtime(fill.at):%d %b %Y %H:%M:%S}"

    @admin.display(description="P&L before charges")
    def figure_pnl(self, fill: Fill) -> SafeString:
        realised = getattr(fill, "realisation", None)
        pnl = None if realised is None else realised.pnl
        return money(pnl, _of_trade(fill), signed=True)


class StopInline(RecordInline):
    model = StopChange
    figure_stop = staticmethod(price_column("stop_price", "stop", _of_trade))
    figure_extreme = staticmethod(price_column("extreme_price", "extreme", _of_trade))
    fields = readonly_fields = ("at", "figure_stop", "figure_extreme", "method", "direction")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StopChange]:
        return super().get_queryset(request).select_related("trade__account")

    @admin.display(description="remark")
    def direction(self, change: StopChange) -> str:
        return "moved back" if change.moved_back else ""


class SignalInline(RecordInline):
    model = Signal
    fields = readonly_fields = ("at", "decision", "reason", "shown_conditions")

    @admin.display(description="conditions")
    def shown_conditions(self, signal: Signal) -> SafeString:
        return condition_list(signal.conditions)


@admin.register(Trade)
class TradeAdmin(ReadOnly, Listed, ModelAdmin):
    form = ReviewForm
    inlines = (FillInline, StopInline, SignalInline)
    change_list_template = "admin/trade_list.html"
    change_form_template = "admin/trade_change.html"
    figure_quantity = staticmethod(quantity_column("entry_quantity", "quantity"))
    figure_open = staticmethod(quantity_column("open_quantity", "still open"))
    figure_pnl = staticmethod(money_column("realised_pnl", "P&L before charges", _of_account, signed=True))
    figure_charges = staticmethod(money_column("charges", "charges", _of_account))
    figure_stop = staticmethod(price_column("stop_price", "stop", _of_account))
    figure_target = staticmethod(price_column("target_price", "target", _of_account))
    figure_risk = staticmethod(money_column("initial_risk", "initial risk", _of_account))
    figure_reported = staticmethod(money_column("reported_pnl", "reported P&L", _of_account, signed=True))
    list_display = (
        "trade_id", "symbol", "figure_pnl", "result", "side", "strategy", "opened", "figure_charges", "figure_r",
        "figure_quantity", "figure_entry", "review_shown",
    )  # fmt: skip
    list_filter = (
        AccountFilter, ReviewFilter, ResultFilter, "state", "side",
        ("strategy", StrategyFilter), ("instrument", InstrumentFilter),
    )  # fmt: skip
    date_hierarchy = "trading_day"
    search_fields = (
        "trade_id", "strategy__code", "instrument__symbol", "exit_reason", "review__notes", "review__mistakes",
    )  # fmt: skip
    show_full_result_count = False
    actions = ("download",)
    facts = (
        ("account", "trading_day"), ("strategy", "symbol"), ("side", "state"), ("opened_moment", "closed_moment"),
        ("figure_quantity", "figure_open"), ("figure_entry", "figure_risk"), ("figure_stop", "figure_target"),
        ("figure_pnl", "figure_charges"), ("result", "figure_r"), ("exit_reason", "figure_reported"), "shown_flags",
        "shown_corrections",
    )  # fmt: skip
    who = ("reviewed_by", "reviewed_at")
    readonly_fields = (
        *(name for line in facts for name in ([line] if isinstance(line, str) else line)), *who,
        "rating_shown", "tags_shown", "mistakes_shown", "notes_shown", "review_shown",
    )  # fmt: skip

    # -- who may do what: ledger facts nobody, the review whoever may change reviews --------------------------------
    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(EDIT)

    def save_model(self, request: HttpRequest, obj: Trade, form: ReviewForm, change: bool) -> None:
        """Save the review, and nothing of the trade."""
        review_trade(obj.pk, by=cast(User, request.user), **form.review_fields())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Context | None = None,
    ) -> HttpResponse:
        # Not in the one transaction that the parent opens: the operation commits by itself.
        title = {"title": "Review a trade" if self.has_change_permission(request) else "Trade"}
        try:
            page: HttpResponse = self._changeform_view(  # type: ignore[attr-defined]
                request, object_id, form_url, title | (extra_context or {})
            )
            return page
        except VeloxError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def view_on_site(self, trade: Trade) -> str:
        return reverse("trade", args=[trade.pk])

    # -- the page of a trade ------------------------------------------------------------------------------------------
    def get_fieldsets(self, request: HttpRequest, obj: Trade | None = None) -> _FieldsetSpec:
        columns = ("rating_shown", "tags_shown", "mistakes_shown", "notes_shown", "review_shown")
        review = FIELDS if self.has_change_permission(request, obj) else columns
        return ((None, {"fields": self.facts}), ("Review", {"fields": (*review, self.who)}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trade]:
        rows = related(super().get_queryset(request)).select_related("review__reviewed_by")
        return DatedTrades(Trade, rows.query, rows.db)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Give the rows of a list their averages all at once."""
        changelist = super().get_changelist_instance(request)
        averages = averages_of(changelist.result_list)
        for trade in changelist.result_list:
            setattr(trade, AVERAGES, averages[trade.pk])
        return changelist

    @admin.display(description="symbol", ordering="instrument__symbol")
    def symbol(self, trade: Trade) -> str:
        return shown_symbol(trade.instrument.exchange.code, trade.instrument.symbol)

    @admin.display(description="opened", ordering="opened_at")
    def opened(self, trade: Trade) -> str:
        is_day_only = flags.DAY_ONLY in trade.flags
        return f"{timezone.localtime(trade.opened_at):{'%d %b' if is_day_only else '%d %b %H:%M:%S'}}"

    @admin.display(description="opened at")
    def opened_moment(self, trade: Trade) -> str:
        return _moment(trade.opened_at, trade)

    @admin.display(description="closed at")
    def closed_moment(self, trade: Trade) -> str:
        return _moment(trade.closed_at, trade)

    @admin.display(description="entry", ordering="entry_value")
    def figure_entry(self, trade: Trade) -> SafeString:
        averages: AveragePrices | None = getattr(trade, AVERAGES, None)
        if averages is None:  # a page by itself, or a CSV
            averages = averages_of([trade])[trade.pk]
        return figure(amounts.amount(averages.entry, trade.account.currency))

    @admin.display(description="R")
    def figure_r(self, trade: Trade) -> SafeString:
        multiple = r_multiple(trade, earned_by(trade))
        return figure(amounts.signed(multiple), amounts.tone(multiple))

    @admin.display(description="result")
    def result(self, trade: Trade) -> SafeString:
        result = result_of(trade)
        return format_html('<span class="badge {}">{}</span>', result, outcome(result))

    @admin.display(description="flags")
    def shown_flags(self, trade: Trade) -> str:
        return ", ".join(map(flags.meaning, trade.flags)) or "—"

    @admin.display(description="corrections")
    def shown_corrections(self, trade: Trade) -> SafeString | str:
        lines = []
        for correction in facts.corrections_of(trade):
            fill = "" if correction.fill is None else f" fill {correction.fill.sequence}"
            zone = timezone.get_default_timezone()
            changed = corrections.changes(correction.body, trade.account.currency, zone)
            texts = ", ".join(f"{name} {before} → {after}" for name, before, after in changed)
            at = f"{timezone.localtime(correction.recorded_at):%d %b %Y %H:%M:%S}"
            head = f"{at} {correction.get_kind_display()}{fill}{': ' if texts else ''}{texts}"
            lines.append((f"{head}; by {correction.author}: {correction.reason}",))
        return format_html_join("", "{}<br>", lines) or "—"

    @admin.display(description="rating", ordering="review__rating")
    def rating_shown(self, trade: Trade) -> SafeString | str:
        review = _review_of(trade)
        if review is None or not review.rating:
            return "—"
        stars = "★" * review.rating + "☆" * (5 - review.rating)
        return format_html('<span title="{} of 5">{}</span>', review.rating, stars)

    @admin.display(description="review", ordering="review__state")
    def review_shown(self, trade: Trade) -> SafeString | str:
        state = review_state(trade)
        rated = self.rating_shown(trade)
        return rated if state == REVIEWED and rated != "—" else state.replace("_", " ")

    @admin.display(description="tags")
    def tags_shown(self, trade: Trade) -> str:
        review = _review_of(trade)
        return ("" if review is None else ", ".join(review.tags)) or "—"

    @admin.display(description="mistakes")
    def mistakes_shown(self, trade: Trade) -> str:
        review = _review_of(trade)
        return ("" if review is None else review.mistakes) or "—"

    @admin.display(description="notes")
    def notes_shown(self, trade: Trade) -> str:
        review = _review_of(trade)
        return ("" if review is None else review.notes) or "—"

    @admin.display(description="reviewed by")
    def reviewed_by(self, trade: Trade) -> str:
        review = _review_of(trade)
        return "—" if review is None or review.reviewed_by is None else str(review.reviewed_by)

    @admin.display(description="reviewed at")
    def reviewed_at(self, trade: Trade) -> str:
        review = _review_of(trade)
        if review is None or review.reviewed_at is None:
            return "—"
        return f"{timezone.localtime(review.reviewed_at):%d %b %Y %H:%M:%S}"

    # -- CSV ----------------------------------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        export = path("csv/", self.admin_site.admin_view(self.export), name="trading_trade_csv")
        page = path("<int:pk>/correct/", self.admin_site.admin_view(correct), name="trading_trade_correct")
        return [export, page, *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Return every trade of the list as it is filtered."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            trades = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:trading_trade_changelist"))
        return csv_response(trades, name="trades")

    @admin.action(description="Download the selected as CSV", permissions=["view"])
    def download(self, request: HttpRequest, trades: QuerySet[Trade]) -> HttpResponse:
        return csv_response(trades, name="trades")


def _moment(at: datetime | None, trade: Trade) -> str:
    """Return date and time at the desk; the date alone where no time of day is known of the trade."""
    if at is None:
        return "—"
    return f"{timezone.localtime(at):{'%d %b %Y' if flags.DAY_ONLY in trade.flags else '%d %b %Y %H:%M:%S'}}"


def _review_of(trade: Trade) -> Review | None:
    return getattr(trade, "review", None)
