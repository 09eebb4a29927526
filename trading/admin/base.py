"""Bases, filters and columns of the admin's pages: read-only records, one account at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import SuspiciousOperation
from django.db import DataError
from django.db.models import Model, QuerySet
from django.forms.widgets import Media
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from trading.domain import amounts
from trading.domain.amounts import condition
from trading.queries.accounts import all_accounts

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices

    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:  # generic for the type checker alone
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline

MAIN = "main"
UNREADABLE = (OverflowError, ValueError, DataError)
# A range reads a text letter by letter, and a pattern may be none, or one that keeps the database busy for hours.
REFUSED_LOOKUPS = ("range", "regex", "iregex")
LIST_MEDIA = Media(js=("admin/js/core.js", "admin/js/actions.js"))  # the rest of Django's scripts serves forms alone
Context = dict[str, Any]  # of a template: what Django's views hand on
Row = TypeVar("Row", bound=Model)


class ReadOnly:
    """A page of records that nobody edits; saving one by any way around the permissions is refused as well."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        raise PermissionError(f"{type(obj).__name__} is written by operations, never by the admin")

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        raise PermissionError(f"{type(obj).__name__} is never deleted here")


class DeskList(ChangeList):
    """A list in an account. One whose records belong to none shows them all, and its links keep the account."""

    def get_filters_params(self, params: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
        parameters: dict[str, list[str]] = super().get_filters_params(params)
        if AccountFilter not in self.list_filter:
            parameters.pop(AccountFilter.parameter_name, None)
        return parameters

    def url_for_result(self, row: Model) -> str:
        """Return the address of a row's page."""
        before, after = self._around_key
        return f"{before}{quote(row.pk)}{after}"

    @cached_property
    def _around_key(self) -> tuple[str, str]:
        """What stands before and after a row's key in its address: looked up once, not for each row."""
        opts, site = self.model._meta, self.model_admin.admin_site
        name = f"{site.name}:{opts.app_label}_{opts.model_name}_change"
        before, key, after = reverse(name, args=["0"]).rpartition("/0/")
        return before + key[:1], key[-1:] + after


class Listed:
    """A list whose title is what it lists, not "Select trade to change", and that answers whatever it is asked.

    Django's own list comes down on what no column can hold: a number beyond 64 bits, a day outside the calendar, a text
    with a NUL for PostgreSQL. It is sent to the whole list here, as Django does with other look-ups that make no sense.
    """

    list_per_page = 50

    def action_checkbox(self, row: Model) -> SafeString:
        """Write the box with which a row is chosen; Django draws a form's template for each."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{} {}">',
            *(ACTION_CHECKBOX_NAME, row.pk, "Select this object for an action -", row),
        )

    def get_changelist(self, request: HttpRequest, **_keywords: str) -> type[ChangeList]:
        return DeskList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        if any(name.rpartition("__")[2] in REFUSED_LOOKUPS for name in request.GET):
            raise IncorrectLookupParameters("No list offers this look-up.")
        try:
            changelist: ChangeList = super().get_changelist_instance(request)  # type: ignore[misc]
            return changelist
        except UNREADABLE as error:
            raise IncorrectLookupParameters(error) from error

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        title = capfirst(str(self.model._meta.verbose_name_plural))  # type: ignore[attr-defined]
        try:
            about = {"title": title, "media": LIST_MEDIA}
            page: HttpResponse = super().changelist_view(request, about | (extra_context or {}))  # type: ignore[misc]
            return page
        except UNREADABLE as error:
            if "_selected_action" not in request.POST:
                raise
            raise SuspiciousOperation("No row has such a key.") from error


class RecordInline(ReadOnly, TabularInline):
    """Rows beside a record, which nobody edits."""

    template = "admin/records.html"
    extra = 0


class RecordAdmin(ReadOnly, Listed, ModelAdmin):
    """A list and pages of records that nobody edits."""

    actions = None
    show_full_result_count = False


class AccountFilter(admin.SimpleListFilter):
    """A filter by account, `main` unless another is chosen: no list mixes two."""

    title = "account"
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(account.code, f"{account.code} ({account.book})") for account in all_accounts()]

    def has_output(self) -> bool:
        return True

    def value(self) -> str:
        return super().value() or MAIN

    def queryset(self, request: HttpRequest, queryset: QuerySet[Row]) -> QuerySet[Row]:
        # By its key: a join would keep the database from reading the rows in the order of their index.
        keys = {account.code: account.pk for account in all_accounts()}
        return queryset.filter(account=keys.get(self.value()))

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        for code, label in self.lookup_choices:
            yield {
                "selected": code == self.value(),
                "query_string": changelist.get_query_string({self.parameter_name: code}),
                "display": label,
            }


def figure(text: str, tone: str = "") -> SafeString:
    """Return a text as a right-aligned figure, in the colour of its tone."""
    return format_html('<span class="figure {}">{}</span>', tone, text)


def price_column(name: str, title: str, currency_of: Callable[[Row], str]) -> Callable[[Row], SafeString]:
    """Return a column that writes a price exactly, in its currency."""

    @admin.display(description=title, ordering=name)
    def column(row: Row) -> SafeString:
        return figure(amounts.amount(getattr(row, name), currency_of(row)))

    return column


def money(amount: Decimal | None, currency: str, *, signed: bool = False) -> SafeString:
    """Return an amount as a figure, rounded for reading; ``signed`` adds a plus to gains, and colour."""
    text = amounts.amount(amounts.rounded(amount, currency), currency, signed=signed)
    return figure(text, amounts.tone(amount) if signed else "")


def money_column(
    name: str, title: str, currency_of: Callable[[Row], str], *, signed: bool = False
) -> Callable[[Row], SafeString]:
    """Return a column that writes an amount as `money` does."""

    @admin.display(description=title, ordering=name)
    def column(row: Row) -> SafeString:
        return money(getattr(row, name), currency_of(row), signed=signed)

    return column


def quantity_column(name: str, title: str) -> Callable[[Model], SafeString]:
    """Return a column that writes a quantity without decimals that say nothing."""

    @admin.display(description=title, ordering=name)
    def column(row: Model) -> SafeString:
        return figure(amounts.number(getattr(row, name), "INR"))

    return column


def condition_list(conditions: Mapping[str, Any]) -> SafeString:
    """Return a signal's conditions as a list of names and values."""
    # Written as text: a list has hundreds of them.
    pairs = "".join(
        f"<li><span>{escape(name)}</span> {escape(condition(seen))}</li>" for name, seen in conditions.items()
    )
    return SafeString(f'<ul class="conditions">{pairs}</ul>')
