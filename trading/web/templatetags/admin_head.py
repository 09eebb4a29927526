"""What a page of the admin stands in: the account that its head names and its links keep, and a user's own filters."""

from __future__ import annotations

from typing import NamedTuple

from django import template
from django.http import HttpRequest, QueryDict
from django.template import Context

from trading.models import Account
from trading.queries.accounts import all_accounts
from trading.web.choice import MAIN, account_query
from trading.web.saved_filters import FilterLink, filter_query, links_of

register = template.Library()

RECORD_NAMES = ("original", "object", "trade")  # what Django's pages of one record, and our own, call it
KEYS = {"object_id", "pk", "id"}  # and how their addresses name its key


class HeadAccount(NamedTuple):
    """The account of a page (None where the address names one that is not there), and where another is chosen."""

    account: Account | None
    accounts: list[Account]
    address: str
    query: str  # `?account=…`, nothing for `main`


class OwnFilters(NamedTuple):
    """The filters that a user keeps of a list in the admin, and ``query``, what would be kept of its address now."""

    page: str
    links: list[FilterLink]
    query: str
    account_query: str


@register.simple_tag(takes_context=True)
def admin_filters(context: Context) -> OwnFilters:
    """Return the filters of whoever looks at a list; none in an account that is not there."""
    request: HttpRequest = context["request"]
    head, page = admin_account(context), context["cl"].opts.label_lower
    links = [] if head.account is None else links_of(request, head.account, page)
    return OwnFilters(page, links, filter_query(request.GET, page), head.query)


@register.simple_tag(takes_context=True)
def admin_account(context: Context) -> HeadAccount:
    """Return the account of the record on the page, else the one that its address or the list before it names.

    Another account is chosen at this address; on the page of one record at the list that it is of.
    """
    request: HttpRequest | None = context.get("request")
    if request is None:  # Django's page for a list that cannot read its address knows of none
        return HeadAccount(None, [], "", "")
    accounts = all_accounts()
    current = _account_of_record(context)
    if current is None:
        code = request.GET.get("account") or _account_of_list(request) or MAIN
        current = next((account for account in accounts if account.code == code), None)
    is_of_one = request.resolver_match is not None and bool(KEYS & request.resolver_match.kwargs.keys())
    address = "/".join([*request.path.split("/")[:4], ""]) if is_of_one else request.path
    return HeadAccount(current, accounts, address, "" if current is None else account_query(current))


def _account_of_record(context: Context) -> Account | None:
    for record in (context.get("account"), *(context.get(name) for name in RECORD_NAMES)):
        account = record if isinstance(record, Account) else getattr(record, "account", None)
        if isinstance(account, Account):
            return account
    return None


def _account_of_list(request: HttpRequest) -> str | None:
    return QueryDict(request.GET.get("_changelist_filters", "")).get("account")
