"""Brokers' files: what was imported, and for operators the way in: hand over, look at what would be done, confirm."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from timeseries.values import parse_name
from trading.domain.strategy_rules import StrategyRule
from trading.errors import InvalidValue, VeloxError
from trading.models import BrokerFile
from trading.operations.import_files import ImportOptions, import_files
from trading.queries.corporate_actions import corporate_actions
from trading.queries.import_report import FileReport, totals
from trading.web import upload_stash
from trading.web.choice import AccountChoice, account_query, chosen_account, page
from trading.web.upload_stash import StashedFiles

IMPORT = "trading.add_correction"  # who may correct the ledger may bring files into it
LISTED_MAX = 50


class UploadForm(forms.Form):
    """Files as an operator hands them over; the password stays in this one request."""

    strategy = forms.CharField(required=False, max_length=64, help_text="Of all fills. Empty: imported.")
    zone = forms.CharField(required=False, max_length=64, help_text="Only where a file has times and no zone.")
    password = forms.CharField(
        required=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Only for a locked note. It is kept nowhere.",
    )


@sensitive_variables("password")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def brokers(request: HttpRequest) -> HttpResponse:
    """Show the files that an account has; for an operator look at files, and book those that were looked at."""
    choice = chosen_account(request)
    may_import = request.user.has_perm(IMPORT)
    if request.method != "POST":
        return _shown(request, choice, may_import=may_import, form=UploadForm(label_suffix=""))
    if not may_import:
        raise PermissionDenied("Only operators import files.")
    form = UploadForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _shown(request, choice, may_import=True, form=form)
    password = form.cleaned_data["password"] or None
    user = request.user.pk or 0
    try:
        if "token" not in request.POST:
            files = upload_stash.stash(
                request.FILES.getlist("files"),
                user=user,
                account=choice.account.code,
                strategy=_strategy(form.cleaned_data["strategy"]),
                zone=form.cleaned_data["zone"].strip(),
            )
            reports = _import(files, password, request, is_trial=True)
            return _shown(
                request,
                choice,
                may_import=True,
                form=form,
                reports=reports,
                waiting=files,
                needs_password=password is not None,
            )
        waiting = upload_stash.waiting_files(request.POST["token"], user=user)
        if waiting is None or waiting.account != choice.account.code:
            raise InvalidValue("These files are gone.", field="token", hint="Hand them over again.")
        if "leave" in request.POST:
            upload_stash.forget(waiting)
            return redirect(reverse("brokers") + account_query(choice.account))
        reports = _import(waiting, password, request, is_trial=False)
        upload_stash.forget(waiting)
    except VeloxError as error:
        return _shown(request, choice, may_import=True, form=form, error=str(error))
    return _shown(request, choice, may_import=True, form=UploadForm(label_suffix=""), reports=reports, is_booked=True)


@sensitive_variables("password")
def _import(files: StashedFiles, password: str | None, request: HttpRequest, *, is_trial: bool) -> Sequence[FileReport]:
    rules = [StrategyRule(files.strategy)] if files.strategy else []
    options = ImportOptions(password=password, zone=files.zone or None, rules=rules, by=request.user.get_username())
    return import_files(files.account, files.uploads, options, is_trial=is_trial)


def _strategy(name: str) -> str:
    return parse_name(name, "strategy") if name.strip() else ""


def _shown(
    request: HttpRequest,
    choice: AccountChoice,
    *,
    may_import: bool,
    form: UploadForm,
    reports: Sequence[FileReport] = (),
    **context: StashedFiles | str | bool,
) -> HttpResponse:
    files = BrokerFile.objects.filter(account=choice.account).order_by("-pk")[:LISTED_MAX]
    return page(
        request,
        "velox/brokers.html",
        "brokers",
        choice,
        may_import=may_import,
        form=form,
        reports=[report.as_dict() for report in reports],
        totals=totals(reports),
        files=files,
        actions=corporate_actions(choice.account),
        can_decide=may_import and request.user.is_staff,
        **context,
    )
