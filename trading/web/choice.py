"""What every page is asked for: one account (`?account=`, `main` by default), and on some pages one day (`?day=`)."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from trading.errors import UnknownAccount
from trading.models import Account
from trading.queries.accounts import all_accounts, get_account
from trading.queries.period import EARLIEST

MAIN = "main"
LATEST = date(2100, 1, 1)


def chosen_account(request: HttpRequest) -> Account:
    """Return the one account that the page answers for; an unknown one is a page that is not there."""
    code = request.GET.get("account") or MAIN
    try:
        return get_account(code)
    except UnknownAccount as error:
        raise Http404(f"There is no account “{code}”.") from error


def chosen_day(request: HttpRequest) -> date | None:
    """Return the day that was asked for, None where none was."""
    text = request.GET.get("day", "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Http404(f"“{text}” is not a day: write it as 2026-11-23.") from error
    if not EARLIEST <= day <= LATEST:
        raise Http404(f"No record is kept of {day}.")
    return day


def account_query(account: Account, **more: str) -> str:
    """Return `?account=…` for links that stay in this account; `main` needs none."""
    chosen = ({} if account.code == MAIN else {"account": account.code}) | more
    return f"?{urlencode(chosen)}" if chosen else ""


def page(request: HttpRequest, template: str, section: str, account: Account, **context: Any) -> HttpResponse:
    """Render a page of one account."""
    frame = {
        "section": section,
        "account": account,
        "accounts": all_accounts(),
        "account_query": account_query(account),
        "desk_zone": timezone.get_default_timezone_name(),
    }
    return render(request, template, frame | context)
