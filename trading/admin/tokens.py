"""Tokens of programs: made by operators, shown once; revoked by operators, at once; when each was last used."""

from __future__ import annotations

from datetime import UTC, datetime

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from trading.admin.base import MAIN, AccountFilter, Context, RecordAdmin
from trading.admin.correct import CORRECT
from trading.admin.import_forms import OperationForm
from trading.admin.imports import operation_page
from trading.errors import VeloxError
from trading.models import Account, ApiToken, TokenScope
from trading.operations.make_token import NewToken, make_token
from trading.operations.revoke_token import revoke_token
from trading.queries.tokens import is_alive
from trading.token_use import last_use


class TokenForm(OperationForm):
    """Make a token of an account."""

    name, button = "token", "Make it"
    program = forms.CharField(max_length=60, help_text="Who uses it. The journal names what it records after it.")
    scopes = forms.MultipleChoiceField(choices=TokenScope.choices, widget=forms.CheckboxSelectMultiple)
    expires_at = forms.DateTimeField(
        required=False, help_text="When it ends, at the desk, such as 2027-01-01. Empty: never."
    )
    networks = forms.CharField(
        required=False, max_length=1000, help_text="From where alone: 10.0.0.0/8 ::1. Empty: anywhere."
    )

    def make(self, by: str) -> NewToken:
        """Make the token and return it with its secret. Raises: VeloxError."""
        sent = self.cleaned_data
        return make_token(
            str(self.key), sent["program"], sent["scopes"], by=by, expires_at=sent["expires_at"],
            networks=sent["networks"].split(),
        )  # fmt: skip


class RevokeForm(OperationForm):
    """End a token."""

    name, button = "revoke", "Revoke it"

    def carry_out(self, by: str) -> str:
        revoke_token(str(self.key), by=by)
        return f"The token {self.key} is revoked: nobody uses it any more."


for form in (TokenForm, RevokeForm):
    del form.base_fields["reason"]  # neither keeps one


@admin.register(ApiToken)
class ApiTokenAdmin(RecordAdmin):
    list_display = (
        "name",
        "account",
        "scopes",
        "shown_networks",
        "state",
        "last_used",
        "expires_at",
        "author",
        "made_at",
    )
    list_filter = (AccountFilter,)
    list_select_related = ("account", "revocation")
    search_fields = ("name", "author")
    change_list_template = "admin/apitoken_list.html"
    change_form_template = "admin/apitoken_change.html"
    fields = readonly_fields = (
        "account", "name", "scopes", "shown_networks", "state", "last_used", "expires_at", "author", "made_at",
        "revoked",
    )  # fmt: skip

    @admin.display(description="from")
    def shown_networks(self, token: ApiToken) -> str:
        return token.networks or "anywhere"

    @admin.display(description="state")
    def state(self, token: ApiToken) -> str:
        if hasattr(token, "revocation"):
            return "revoked"
        return "alive" if is_alive(token, datetime.now(UTC)) else "expired"

    @admin.display(description="last used on this host")
    def last_used(self, token: ApiToken) -> str:
        at = last_use(token)
        return "—" if at is None else f"{timezone.localtime(at):%d %b %Y %H:%M}"

    @admin.display(description="revoked")
    def revoked(self, token: ApiToken) -> str:
        end = getattr(token, "revocation", None)
        return "—" if end is None else f"{timezone.localtime(end.revoked_at):%d %b %Y %H:%M:%S} by {end.author}"

    def get_urls(self) -> list[URLPattern]:
        make = path("make/", self.admin_site.admin_view(make_page), name="trading_make_token")
        revoke = path("<int:pk>/revoke/", self.admin_site.admin_view(revoke_page), name="trading_revoke_token")
        return [make, revoke, *super().get_urls()]


def make_page(request: HttpRequest) -> HttpResponse:
    """Make a token of an account, and show its secret in this one answer."""
    if not request.user.has_perm(CORRECT):
        raise PermissionDenied
    account = get_object_or_404(Account, code=request.GET.get("account", MAIN))
    form = TokenForm(request.POST if request.method == "POST" else None, account.code)
    context: Context = {
        **admin.site.each_context(request),
        "title": "Make a token",
        "facts": f"A program uses account {account.code} with it. No token corrects, voids or approves.",
        "account": account,
        "sections": [("Token", form)],
        "back": f"{reverse('admin:trading_apitoken_changelist')}?account={account.code}",
    }
    if form.is_bound and form.is_valid():
        try:
            return TemplateResponse(
                request, "admin/token_made.html", context | {"made": form.make(request.user.get_username())}
            )
        except VeloxError as error:
            form.add_error(None, f"{error} {error.hint}".strip())
    return TemplateResponse(request, "admin/operation.html", context)


def revoke_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke a token."""
    if not request.user.has_perm(CORRECT):
        raise PermissionDenied
    token = get_object_or_404(ApiToken.objects.select_related("account"), pk=pk)
    form = RevokeForm(request.POST if request.method == "POST" else None, token.name)
    words = f"The token {token.name} of account {token.account.code} ends at once; what it recorded stays."
    back = reverse("admin:trading_apitoken_change", args=[pk])
    return operation_page(request, token.account, "Revoke a token", words, [("Revoke", form)], back)
