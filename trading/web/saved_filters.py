"""The filters that users keep of the list of trades and of the lists of the admin: kept, put in order, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse

from trading.errors import VeloxError
from trading.models import Account, User
from trading.models.saved_filter import TRADES
from trading.operations.save_filter import delete_filter, move_filter_up, save_filter
from trading.pages.filter_form import FilterForm
from trading.queries.saved_filters import filters_of
from trading.web.choice import MAIN, chosen_account, page
from trading.web.posted import form_on

KEPT = (*FilterForm.base_fields, "sort", "col")  # of an address; the account and the page are where one stands
NOT_KEPT = ("account", "p", "e", "all", "_popup", "_to_field", "_changelist_filters")  # of a list in the admin


@dataclass(frozen=True, slots=True)
class FilterLink:
    """A filter as its list shows it: the address that it leads to, and whether that is the one shown."""

    pk: int
    name: str
    query: str
    is_shown: bool


def filter_query(parameters: QueryDict, page: str = TRADES) -> str:
    """Return the part of an address that a filter of a list keeps, in one order whatever form it came from."""
    keys = KEPT if page == TRADES else sorted(key for key in parameters if key not in NOT_KEPT)
    return urlencode([(key, text) for key in keys for text in parameters.getlist(key) if text])


def links_of(request: HttpRequest, account: Account, page: str = TRADES) -> list[FilterLink]:
    """Return the filters that whoever asks keeps of a list, in their order, as links into an account."""
    rows = filters_of(request.user, page) if isinstance(request.user, User) else []
    current = filter_query(request.GET, page)
    return [FilterLink(row.pk, row.name, _address(account, row.query), row.query == current) for row in rows]


@form_on("trades")
def saved_filters(request: HttpRequest) -> HttpResponse:
    """Keep the filter that was sent, delete one or put it further up, and lead back to the list."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Only users keep filters.")
    choice, kind = chosen_account(request), request.POST.get("page", TRADES)
    try:
        address = reverse(TRADES if kind == TRADES else f"admin:{kind.replace('.', '_')}_changelist")
    except NoReverseMatch as error:
        raise Http404("There is no such list.") from error
    query, pk = filter_query(QueryDict(request.POST.get("query", "")), kind), request.POST.get("pk", "")
    back = address + _address(choice.account, query)
    try:
        if request.POST.get("do") == "save":
            save_filter(request.user, request.POST.get("name", ""), query, kind)
        elif request.POST.get("do") == "delete" and pk.isdecimal():
            delete_filter(request.user, int(pk))
        elif request.POST.get("do") == "up" and pk.isdecimal():
            move_filter_up(request.user, int(pk))
    except VeloxError as error:
        response = page(request, "velox/filter_refused.html", "trades", choice, error=str(error), back=back)
        response.status_code = 400
        return response
    return redirect(back)


def _address(account: Account, query: str) -> str:
    """Return a filter as an address ends with it, in an account; `main` needs no word of its own."""
    texts = ["" if account.code == MAIN else urlencode({"account": account.code}), query]
    return "?" + "&".join(text for text in texts if text)
