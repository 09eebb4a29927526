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
from trading.errors import FileLocked, VeloxError
from trading.models import BrokerFile
from trading.operations.import_files import ImportOptions, import_files
from trading.queries.corporate_actions import corporate_actions
from trading.queries.import_report import FileReport, totals
from trading.web import upload_stash
from trading.web.choice import AccountChoice, account_query, chosen_account, page
from trading.web.upload_stash import StashedFiles, StashReport

IMPORT = "trading.add_correction"  # who may correct the ledger may bring files into it
LISTED_MAX = 50


class PasswordForm(forms.Form):
    """The password of locked notes; it stays in this one request."""

    password = forms.CharField(
        required=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Only for a locked note. It is kept nowhere.",
    )


class UploadForm(PasswordForm):
    """Files as an operator hands them over."""

    strategy = forms.CharField(required=False, max_length=64, help_text="Of all fills. Empty: imported.")
    zone = forms.CharField(required=False, max_length=64, help_text="Only where a file has times and no zone.")
    field_order = ("strategy", "zone", "password")


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def brokers(request: HttpRequest) -> HttpResponse:
    """Show the files that an account has; for an operator look at files, and book those that were looked at."""
    choice = chosen_account(request)
    may_import = request.user.has_perm(IMPORT)
    if request.method != "POST":
        return _shown(request, choice, may_import=may_import)
    if not may_import:
        raise PermissionDenied("Only operators import files.")
    return _answered(request, choice) if "token" in request.POST else _looked_at(request, choice)


@sensitive_variables("form", "password")
def _looked_at(request: HttpRequest, choice: AccountChoice) -> HttpResponse:
    """Keep files that are handed over, and show what would be booked of them."""
    form = UploadForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _shown(request, choice, form=form)
    files = None
    try:
        strategy = form.cleaned_data["strategy"]
        files = upload_stash.stash(
            request.FILES.getlist("files"),
            user=request.user.pk or 0,
            account=choice.account.code,
            strategy=parse_name(strategy, "strategy") if strategy.strip() else "",
            zone=form.cleaned_data["zone"].strip(),
        )
        with upload_stash.alone(files):
            seen = _look(files, form.cleaned_data["password"] or None, request)
    except VeloxError as error:
        return _shown(request, choice, form=form, files=files, error=str(error))
    return _shown(request, choice, files=files, seen=seen)


@sensitive_variables("form", "password")
def _answered(request: HttpRequest, choice: AccountChoice) -> HttpResponse:
    """Book files that wait, look at them once more, or leave them; a second booking is answered with the first."""
    form, files, seen = PasswordForm(request.POST, label_suffix=""), None, None
    try:
        waiting = upload_stash.waiting_files(request.POST["token"], user=request.user.pk or 0)
        if waiting is None or waiting.account != choice.account.code:
            raise upload_stash.gone()
        with upload_stash.alone(waiting):
            files, seen = waiting, upload_stash.seen_of(waiting)
            if seen is not None and seen["is_booked"]:
                return _shown(request, choice, seen=seen, is_again=True)
            if "leave" in request.POST:
                upload_stash.forget(files)
                return redirect(reverse("brokers") + account_query(choice.account))
            if not form.is_valid():
                return _shown(request, choice, files=files, seen=seen, confirm=form)
            password = form.cleaned_data["password"] or None
            seen = (_look if "look" in request.POST else _book)(files, password, request)
    except VeloxError as error:
        return _shown(request, choice, files=files, seen=seen, error=str(error))
    return _shown(request, choice, files=files, seen=seen)


@sensitive_variables("password")
def _look(files: StashedFiles, password: str | None, request: HttpRequest) -> StashReport:
    reports = _import(files, password, request, is_trial=True)
    needs_password = password is not None or _is_locked(reports)
    return _kept(files, reports, needs_password=needs_password, heading="What would be booked")


@sensitive_variables("password")
def _book(files: StashedFiles, password: str | None, request: HttpRequest) -> StashReport:
    """Book files. Those that a wrong password leaves locked keep waiting, and the others are known by then."""
    reports = _import(files, password, request, is_trial=False)
    is_locked = _is_locked(reports)
    refused = sum(report.refusal is not None for report in reports)
    heading = "Booked" if not refused else "Nothing was booked" if refused == len(reports) else "Booked in part"
    return _kept(files, reports, needs_password=is_locked, heading=heading, is_booked=not is_locked)


def _is_locked(reports: Sequence[FileReport]) -> bool:
    """Return whether a file waits for its password; a locked workbook has none that would open it here."""
    return any(isinstance(report.refusal, FileLocked) and report.refusal.field == "password" for report in reports)


@sensitive_variables("password")
def _import(files: StashedFiles, password: str | None, request: HttpRequest, *, is_trial: bool) -> Sequence[FileReport]:
    rules = [StrategyRule(files.strategy)] if files.strategy else []
    options = ImportOptions(password=password, zone=files.zone or None, rules=rules, by=request.user.get_username())
    return import_files(files.account, files.uploads, options, is_trial=is_trial)


def _kept(
    files: StashedFiles, reports: Sequence[FileReport], *, needs_password: bool, heading: str, is_booked: bool = False
) -> StashReport:
    seen: StashReport = {
        "heading": heading,
        "reports": [report.as_dict() for report in reports],
        "totals": totals(reports),
        "needs_password": needs_password,
        "is_booked": is_booked,
    }
    upload_stash.keep_seen(files, seen)
    return seen


def _shown(
    request: HttpRequest,
    choice: AccountChoice,
    *,
    may_import: bool = True,
    form: UploadForm | None = None,
    confirm: PasswordForm | None = None,
    files: StashedFiles | None = None,
    seen: StashReport | None = None,
    error: str = "",
    is_again: bool = False,
) -> HttpResponse:
    is_waiting = files is not None and not (seen is not None and seen["is_booked"])
    return page(
        request,
        "velox/brokers.html",
        "brokers",
        choice,
        may_import=may_import,
        form=form or UploadForm(label_suffix=""),
        confirm=confirm or PasswordForm(label_suffix=""),
        waiting=files if is_waiting else None,
        may_book=seen is not None and any(report["refused"] is None for report in seen["reports"]),
        seen=seen,
        error=error,
        is_again=is_again,
        imported=BrokerFile.objects.filter(account=choice.account).order_by("-pk")[:LISTED_MAX],
        actions=corporate_actions(choice.account),
        can_decide=may_import and request.user.is_staff,
    )
