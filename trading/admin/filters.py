"""What the list of trades can be narrowed to beyond its own columns."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from trading.models import Trade
from trading.queries.results import RESULTS, with_result
from trading.queries.trade_list import REVIEW_STATES, with_review


class ResultFilter(admin.SimpleListFilter):
    """Won, lost, even, or still open: by the P&L after known charges."""

    title = "result"
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(result, result.capitalize()) for result in RESULTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Trade]) -> QuerySet[Trade]:
        chosen = self.value()
        return queryset.filter(with_result(chosen)) if chosen in RESULTS else queryset


class ReviewFilter(admin.SimpleListFilter):
    """Reviewed, or still to be; a trade that nobody opened for review is to be reviewed."""

    title = "review"
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state.replace("_", " ").capitalize()) for state in REVIEW_STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Trade]) -> QuerySet[Trade]:
        chosen = self.value()
        return queryset.filter(with_review(chosen)) if chosen in REVIEW_STATES else queryset
