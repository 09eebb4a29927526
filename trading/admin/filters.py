"""Filters of lists beyond their own columns: trades by result and by review, instruments by session group; and what
Django's own ask of the ledger, asked so that it takes no longer over years."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Literal

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Aggregate, Exists, Max, Min, OuterRef, QuerySet
from django.db.models.fields.related import RelatedField
from django.http import HttpRequest
from django.utils.functional import cached_property

from trading.admin.base import ModelAdmin
from trading.domain.display import outcome
from trading.models import Instrument, Strategy, Trade
from trading.queries.results import RESULTS, with_result
from trading.queries.trade_list import REVIEW_STATES, with_review

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices
    from django.utils.functional import _StrPromise


class GroupFilter(admin.AllValuesFieldListFilter):
    """A filter by session group; an instrument without one of its own has that of its exchange."""

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "the exchange's own"}


class InstrumentFilter(admin.RelatedOnlyFieldListFilter):
    """A filter by the instruments of the list, named by one question for all and not by one each."""

    def field_choices(
        self, field: RelatedField[Instrument, Instrument], request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[str, str | _StrPromise]]:
        # By the index of each instrument: to tell those of all rows apart would read every row.
        listed = model_admin.get_queryset(request).order_by().filter(instrument=OuterRef("pk"))
        named = Instrument.objects.filter(Exists(listed)).order_by("exchange__code", "symbol")
        columns = named.values_list("pk", "exchange__code", "symbol")
        return [(str(pk), f"{exchange}:{symbol}") for pk, exchange, symbol in columns]


class StrategyFilter(admin.RelatedOnlyFieldListFilter):
    """A filter by the strategies of the list."""

    def field_choices(
        self, field: RelatedField[Strategy, Strategy], request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[str, str | _StrPromise]]:
        listed = model_admin.get_queryset(request).order_by().filter(strategy=OuterRef("pk"))  # by the index, as above
        return [(str(strategy.pk), str(strategy)) for strategy in Strategy.objects.filter(Exists(listed))]


class DatedTrades(QuerySet[Trade]):
    """Trades whose days are told apart as they are, once: on SQLite Django's own asks Python about each row."""

    @cached_property
    def _days(self) -> list[date]:
        return sorted(self.order_by().values_list("trading_day", flat=True).distinct())

    def aggregate(self, *expressions: Aggregate, **named: Aggregate) -> dict[str, date | None]:
        """Return what is asked; the first and the last day, as a list's dates ask, are those of the days."""
        if named == {"first": Min("trading_day"), "last": Max("trading_day")}:
            return {"first": min(self._days, default=None), "last": max(self._days, default=None)}
        return super().aggregate(*expressions, **named)

    def dates(
        self,
        field_name: str,
        kind: Literal["year", "month", "week", "day"],
        order: Literal["ASC", "DESC"] = "ASC",
    ) -> QuerySet[Trade, date]:
        parts = {"year": {"month": 1, "day": 1}, "month": {"day": 1}}.get(kind, {})
        firsts = super().dates(field_name, kind, order)
        firsts._result_cache = sorted({day.replace(**parts) for day in self._days}, reverse=order == "DESC")
        return firsts


class ResultFilter(admin.SimpleListFilter):
    """A filter by result: won, lost, even by the P&L after known charges, or open."""

    title = "result"
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(result, outcome(result).capitalize()) for result in RESULTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Trade]) -> QuerySet[Trade]:
        result = self.value()
        return queryset.filter(with_result(result)) if result in RESULTS else queryset


class ReviewFilter(admin.SimpleListFilter):
    """A filter by review: a trade that nobody opened for review is to be reviewed."""

    title = "review"
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(state, state.replace("_", " ").capitalize()) for state in REVIEW_STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Trade]) -> QuerySet[Trade]:
        state = self.value()
        return queryset.filter(with_review(state)) if state in REVIEW_STATES else queryset
