"""The alerts of an account and of the whole desk; operators send a test message and keep channels here."""

from __future__ import annotations

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from trading.alerts.channels import all_channels, channels_of_environment
from trading.alerts.trial import raise_test
from trading.errors import InvalidValue, VeloxError
from trading.models import Alert
from trading.operations.write_alert_channel import switch_alert_channel, write_alert_channel
from trading.pages.filter_form import ANY
from trading.queries.alerts import alerts_of, channel_rows
from trading.web.choice import account_query, chosen_account, page
from trading.web.guard import MAINTAIN

PER_PAGE = 50


class KindForm(forms.Form):
    """What the list is narrowed to."""

    kind = forms.ChoiceField(required=False, choices=[ANY, *Alert.Kind.choices])


class ChannelForm(forms.Form):
    """A channel as an operator writes it; the address is never shown again."""

    name = forms.CharField(max_length=60)
    url = forms.CharField(
        label="Address",
        max_length=2000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def alerts(request: HttpRequest) -> HttpResponse:
    """Show the alerts; for an operator send a test message, or write or switch a channel."""
    choice = chosen_account(request)
    may_act = request.user.has_perm(MAINTAIN)
    error = ""
    if request.method == "POST":
        if not may_act:
            raise PermissionDenied("Only operators send test messages and keep channels.")
        try:
            _do(request)
            return redirect(reverse("alerts") + account_query(choice.account))
        except VeloxError as fault:
            error = str(fault)
    kept = request.GET.copy()
    kept.pop("page", None)
    form = KindForm(request.GET, label_suffix="")
    kind = form.cleaned_data["kind"] if form.is_valid() else ""
    pages = Paginator(alerts_of(choice.account, kind=kind), PER_PAGE)
    response = page(
        request,
        "velox/alerts.html",
        "alerts",
        choice,
        form=form,
        is_filtered=bool(kind),
        kept=kept.urlencode(),
        page=pages.get_page(request.GET.get("page")),
        may_act=may_act,
        channel_form=ChannelForm(label_suffix=""),
        of_environment=channels_of_environment(),
        channels=channel_rows(),
        count=len(all_channels()),
        error=error,
    )
    response.status_code = 400 if error else 200
    return response


def _do(request: HttpRequest) -> None:
    """Do what the form asks for. Raises: InvalidValue, LedgerBusy, LedgerNotReady, LedgerReadOnly."""
    now, by, deed = timezone.now(), request.user.get_username(), request.POST.get("do")
    if deed == "test":
        raise_test(by=by, now=now)
    elif deed == "write":
        form = ChannelForm(request.POST)
        if not form.is_valid():
            raise InvalidValue("A channel has a name of at most 60 characters and an address.", field="url")
        write_alert_channel(form.cleaned_data["name"], form.cleaned_data["url"], by=by, now=now)
    elif deed in {"on", "off"}:
        switch_alert_channel(request.POST.get("name", ""), is_active=deed == "on", by=by, now=now)
    else:
        raise InvalidValue("Nothing was asked for.", field="do")
