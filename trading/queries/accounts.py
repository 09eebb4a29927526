"""Accounts and their capital."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from operator import sub

from timeseries.values import parse_name
from trading.errors import InvalidValue, UnknownAccount
from trading.models import Account, CapitalFlow, DayTotal
from trading.queries.columns import UnitsSum, fetched_columns, whole_sum
from trading.rows import fetch, one


def get_account(code: str) -> Account:
    """Return the account of this code.

    Raises: UnknownAccount.
    """
    try:
        account = one(Account, code=parse_name(code, "account"))
    except InvalidValue as error:
        raise _unknown(code) from error
    if account is None:
        raise _unknown(code)
    return account


def pick_account(accounts: Iterable[Account], code: str) -> Account:
    """Return the account of this code among those that are loaded.

    Raises: UnknownAccount.
    """
    try:
        name = parse_name(code, "account")
    except InvalidValue as error:
        raise _unknown(code) from error
    for account in accounts:
        if account.code == name:
            return account
    raise _unknown(code)


def _unknown(code: str) -> UnknownAccount:
    return UnknownAccount(
        f"There is no account {code!r}.", field="account", hint="`manage.py account create` makes one."
    )


def all_accounts() -> list[Account]:
    """Return every account by code."""
    return fetch(Account, order_by="code")  # every page asks for them


def capital_flows(account: Account, *, until: date, known_at: datetime | None = None) -> dict[date, int]:
    """Return what came in (or, negative, went out) per date, in units, up to and including ``until``.

    ``known_at`` leaves out what was recorded later.
    """
    flows = CapitalFlow.objects.filter(account=account, day__lte=until)
    flows = flows if known_at is None else flows.filter(recorded_at__lt=known_at)
    return dict(flows.values("day").annotate(units=UnitsSum("amount")).values_list("day", "units").order_by("day"))


def pnl_by_day(account: Account, *, until: date) -> dict[date, int]:
    """Return the account's realised P&L after known charges per trading day, in units, up to and including
    ``until``."""
    rows = DayTotal.objects.filter(account=account, day__lte=until).values("day")
    sums = rows.annotate(gross=UnitsSum("gross_pnl"), costs=UnitsSum("charges"))
    days, gross, costs = fetched_columns(sums.order_by("day").values_list("day", "gross", "costs"))
    earned, paid = ([whole_sum(total) or 0 for total in column] for column in (gross, costs))
    return dict(zip(days, map(sub, earned, paid), strict=True))
