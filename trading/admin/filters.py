"""Filters of lists beyond their own columns: trades by result and by review, instruments by session group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from trading.admin.base import ModelAdmin
from trading.domain.display import outcome
from trading.models import Trade
from trading.queries.results import RESULTS, with_result
from trading.queries.trade_list import REVIEW_STATES, with_review

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices


class GroupFilter(admin.AllValuesFieldListFilter):
    """A filter by session group; an instrument without one of its own has that of its exchange."""

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "the exchange's own"}


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
