"""What the records' pages share: nothing of the ledger is added, changed or deleted here, one account at a time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import SuspiciousOperation
from django.db import DataError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from trading.domain import amounts
from trading.domain.amounts import condition
from trading.queries.accounts import all_accounts

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:  # generic for the type checker alone
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline

MAIN = "main"
UNREADABLE = (OverflowError, ValueError, DataError)


class ReadOnly:
    """A record that people look at. Saving one by any way around the permissions is refused as well."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        raise PermissionError(f"{type(obj).__name__} is written by operations, never by the admin")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        raise PermissionError(f"{type(obj).__name__} is never deleted here")


class Listed:
    """A list that is called by what it lists, not "Select trade to change", and answers whatever it is asked.

    Django's own list comes down on what no column can hold: a number beyond 64 bits, a day outside the calendar, a text
    with a NUL for PostgreSQL. It is sent to the whole list here, as Django does with other look-ups that make no sense.
    """

    list_per_page = 50

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            shown: ChangeList = super().get_changelist_instance(request)  # type: ignore[misc]
            return shown
        except UNREADABLE as error:
            raise IncorrectLookupParameters(error) from error

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = str(self.model._meta.verbose_name_plural).capitalize()  # type: ignore[attr-defined]
        try:
            return super().changelist_view(request, {"title": title} | (extra_context or {}))  # type: ignore[misc]
        except UNREADABLE as error:
            if "_selected_action" not in request.POST:
                raise
            raise SuspiciousOperation("No row has such a key.") from error


class RecordAdmin(ReadOnly, Listed, ModelAdmin):
    """A list and a page of records that nobody edits."""

    actions = None
    show_full_result_count = False


class AccountFilter(admin.SimpleListFilter):
    """One account at a time, `main` unless another is chosen: no list mixes two."""

    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(account.code, f"{account.code} ({account.book})") for account in all_accounts()]

    def has_output(self) -> bool:
        return True

    def value(self) -> str:
        return super().value() or MAIN

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # By its key: a join would keep the database from reading the rows in the order of their index.
        known = {account.code: account.pk for account in all_accounts()}
        return queryset.filter(account=known.get(self.value()))

    def choices(self, changelist: Any) -> Any:
        for code, label in self.lookup_choices:
            yield {
                "selected": code == self.value(),
                "query_string": changelist.get_query_string({self.parameter_name: code}),
                "display": label,
            }


def figure(text: str, tone: str = "") -> SafeString:
    """Return a right-aligned figure."""
    return format_html('<span class="figure {}">{}</span>', tone, text)


def price_column(name: str, title: str, currency_of: Callable[[Any], str]) -> Callable[[Any], SafeString]:
    """Return a column that writes a price exactly, in its currency."""

    @admin.display(description=title, ordering=name)
    def column(row: Any) -> SafeString:
        return figure(amounts.amount(getattr(row, name), currency_of(row)))

    return column


def money(value: Decimal | None, currency: str, *, signed: bool = False) -> SafeString:
    """Return an amount as a figure, rounded for reading; ``signed`` adds a plus to gains, and colour."""
    text = amounts.amount(amounts.rounded(value, currency), currency, signed=signed)
    return figure(text, amounts.tone(value) if signed else "")


def money_column(
    name: str, title: str, currency_of: Callable[[Any], str], *, signed: bool = False
) -> Callable[[Any], SafeString]:
    """Return a column that writes an amount as `money` does."""

    @admin.display(description=title, ordering=name)
    def column(row: Any) -> SafeString:
        return money(getattr(row, name), currency_of(row), signed=signed)

    return column


def quantity_column(name: str, title: str) -> Callable[[Any], SafeString]:
    """Return a column that writes a quantity without decimals that say nothing."""

    @admin.display(description=title, ordering=name)
    def column(row: Any) -> SafeString:
        return figure(amounts.number(getattr(row, name), "INR"))

    return column


def condition_list(conditions: dict[str, Any]) -> SafeString:
    """Return a signal's conditions as a list of names and values."""
    pairs = ((name, condition(value)) for name, value in conditions.items())
    return format_html('<ul class="conditions">{}</ul>', format_html_join("", "<li><span>{}</span> {}</li>", pairs))
