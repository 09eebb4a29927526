"""What every page is asked for: one account (`?account=`, `main` by default), and on some pages one day (`?day=`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from trading.errors import UnknownAccount
from trading.models import Account
from trading.queries.accounts import all_accounts, pick_account
from trading.queries.period import EARLIEST

MAIN = "main"
LATEST = date(2100, 1, 1)
_MONTH = re.compile("[0-9]{4}-[0-9]{2}")


class AccountChoice(NamedTuple):
    """The one account that a page answers for, among all by code."""

    account: Account
    accounts: list[Account]


def chosen_account(request: HttpRequest) -> AccountChoice:
    """Return the account that was asked for; an unknown one is a page that is not there."""
    code, accounts = request.GET.get("account") or MAIN, all_accounts()
    try:
        return AccountChoice(pick_account(accounts, code), accounts)
    except UnknownAccount as error:
        raise Http404(f"There is no account “{code}”.") from error


def chosen_day(request: HttpRequest) -> date | None:
    """Return the day that was asked for, None where none was."""
    text = request.GET.get("day", "")
    return day_named(text) if text else None


def day_named(text: str) -> date:
    """Return the day that an address names; what is none is a page that is not there."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Http404(f"“{text}” is not a day: write it as 2026-11-23.") from error
    if not EARLIEST <= day <= LATEST:
        raise Http404(f"No record is kept of {day}.")
    return day


def chosen_month(request: HttpRequest) -> date | None:
    """Return the first day of the month that was asked for (`?month=2026-11`), None where none was."""
    text = request.GET.get("month", "")
    if not text:
        return None
    if not _MONTH.fullmatch(text):
        raise Http404(f"“{text}” is not a month: write it as 2026-11.")
    return day_named(f"{text}-01")


def account_query(account: Account, **parameters: str) -> str:
    """Return `?account=…` for links that stay in this account; `main` needs none."""
    return query_of(({} if account.code == MAIN else {"account": account.code}) | parameters)


def query_of(parameters: Mapping[str, str]) -> str:
    """Return parameters as they end an address, nothing of none."""
    return f"?{urlencode(parameters)}" if parameters else ""


def page(
    request: HttpRequest,
    template: str,
    section: str,
    choice: AccountChoice,
    **context: Any,
) -> HttpResponse:
    """Render a page of one account. Another is chosen at ``address`` of the context, by default the section's list."""
    frame = {
        "section": section,
        "address": reverse(section),
        "account": choice.account,
        "accounts": choice.accounts,
        "account_query": account_query(choice.account),
        "desk_zone": timezone.get_default_timezone_name(),
    }
    return render(request, template, frame | context)
