"""Whatever an address asks, the answer is a page or a word about what is wrong with it, never a fault of the desk.

The queries are made here: every list of the admin with every parameter that it knows, every page with each of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from tests import page_desk
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.pages.filter_form import FilterForm
from trading.queries.accounts import get_account

pytestmark = pytest.mark.usefixtures("ledger")

LONG = "9" * 30
WORDS = ("", "-1", LONG, "9" * 5000, "x", "%00", "%ED%A0%80", "nan", "1.1.1", "%D9%A1", "a" * 5000)
KEYS = (LONG, "%00", "1,%00", "9223372036854775808", "0001-01-01 00:00:00%2B14:00", "9999-12-31 23:59:59-12:00", "x")
PARTS_OF_DAY = ("0", "13", "9999", "10000", LONG, "%00", "x")
PAGES: dict[str, tuple[str, ...]] = {
    "/": ("account", "day"),
    "/trades/": ("account", "page", "sort", "col", *FilterForm.base_fields),
    "/trades/csv/": ("account", "sort", "strategy", "tag", "r_min", "pnl_max", "since"),
    "/strategies/": ("account", "days", "strategy"),
    "/calendar/": ("account", "month"),
    "/days/2024-03-15/": ("account", "day"),
    "/strategies/1/": ("account", "days"),
    "/symbols/": ("account", "days"),
    "/symbols/38/": ("account", "days"),
    "/signals/": ("account", "strategy", "symbol", "decision", "reason", "since", "until", "followed", "page"),
    "/admin/trading/trade/csv/": ("account", "o", "q", "state", "instrument__id__exact", "opened_at__gte"),
}
DAYS = ("0000-00-00", "2024-W01", "20240315", "9999-12-31", "0001-01-01")
LISTS = sorted(f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry)
# The lists share one way of reading a question: one of them is asked everything, and tells whether PostgreSQL takes it,
# too; the others are asked what hangs on their own columns and filters.
ASKED_ALL = "/admin/trading/trade/"


def admin_of(address: str) -> tuple[type, Any]:
    return next(pair for pair in admin.site._registry.items() if f"/{pair[0]._meta.model_name}/" in address)


def filters(of: Any) -> Iterator[str]:
    """Yield the parameters of a list's filters, with every look-up that Django lets through for them."""
    for one in of.list_filter:
        name = one[0] if isinstance(one, tuple) else one
        if isinstance(name, str):
            yield from (f"{name}{end}" for end in ("", "__exact", "__id__exact", "__gte", "__in", "__isnull"))
        else:
            yield name.parameter_name


def queries(address: str) -> Iterator[str]:
    _, of = admin_of(address)
    for name in ("o", "q"):
        yield from (f"{name}={word}" for word in (WORDS if address == ASKED_ALL else WORDS[1:6]))
    if address == ASKED_ALL:
        yield from (f"p={word}" for word in WORDS)
        for name in ("e", "_popup", "_to_field", "_facets", "all"):
            yield from (f"{name}={word}" for word in WORDS[:6])
    for name in dict.fromkeys([*filters(of), "pk", "id__in", "id__gte", "nothing__x", "password__startswith"]):
        yield from (f"{name}={key}" for key in KEYS)
    if day := of.date_hierarchy:
        for part in PARTS_OF_DAY:
            yield f"{day}__year={part}"
            yield f"{day}__year=2024&{day}__month={part}"
            yield f"{day}__year=2024&{day}__month=3&{day}__day={part}"


def keys_of_rows() -> Iterator[str]:
    for key in ("0", "-1", "9223372036854775808", "9" * 5000, "x", "%00", "_5F", "1%2F2"):
        yield from (f"{key}/{page}/" for page in ("change", "history", "delete"))


@pytest.fixture
def faults(client: Client) -> Any:
    """Ask one address after the other; return those that came down, each with what broke."""
    page_desk.trades(2)
    page_desk.skipped(1)
    publish_daily_summary(get_account("main"), page_desk.DAY.date())
    client.force_login(page_desk.member("asha"))

    def ask(addresses: Iterator[str]) -> dict[str, str]:
        broken, count = {}, 0
        for address in addresses:
            count += 1
            try:
                status = client.get(address).status_code
                if status not in (200, 302, 400, 403, 404):
                    broken[address[:200]] = str(status)
            except Exception as error:
                broken[address[:200]] = repr(error)[:200]
        assert count > 20
        return broken

    return ask


@pytest.mark.parametrize(
    "address", [pytest.param(one, marks=pytest.mark.ledger) if one == ASKED_ALL else one for one in LISTS]
)
def test_a_list_of_the_admin_answers_whatever_it_is_asked(faults: Any, address: str) -> None:
    assert faults(f"{address}?{query}" for query in queries(address)) == {}


@pytest.mark.parametrize(
    "address",
    [pytest.param(ASKED_ALL, marks=pytest.mark.ledger), "/admin/trading/instrument/", "/admin/trading/user/"],
)
def test_a_key_that_no_row_can_have_is_a_page_that_says_so(faults: Any, address: str) -> None:
    assert faults(f"{address}{rest}" for rest in keys_of_rows()) == {}


@pytest.mark.parametrize("address", PAGES)
def test_a_page_answers_whatever_it_is_asked(faults: Any, address: str) -> None:
    assert faults(f"{address}?{name}={word}" for name in PAGES[address] for word in (*WORDS, *DAYS)) == {}


def test_other_addresses_answer_whatever_stands_in_them(faults: Any) -> None:
    words = ("%00", "9223372036854775808", "9" * 5000, "-1", "x")
    forms = (
        "/trades/{}/",
        "/days/{}/",
        "/strategies/{}/",
        "/symbols/{}/",
        "/trades/{}/chart/",
        "/trades/{}/prices/",
        "/trades/{}/journal/",
        "/trades/{}/log/",
        "/admin/trading/trade/{}/correct/",
        "/admin/r/{}/1/",
        "/admin/r/1/{}/",
        "/admin/{}/",
        "/{}",
    )
    more = ("/login/?next={}", "/admin/login/?next={}", "/static/{}", "/admin/autocomplete/?app_label={}")
    assert faults(form.format(word) for form in (*forms, *more) for word in words) == {}


@pytest.mark.ledger
@pytest.mark.parametrize("chosen", [LONG, "9223372036854775808", "x", "\x00"])
def test_an_action_on_rows_that_cannot_be_is_no_fault(client: Client, chosen: str) -> None:
    page_desk.trades(1)
    client.force_login(page_desk.member("asha"))
    for address, action in (("trade", "download"), ("instrument", "mark_reviewed"), ("user", "delete_selected")):
        sent = {"action": action, "_selected_action": [chosen]}
        assert client.post(f"/admin/trading/{address}/", sent).status_code in (200, 302, 400)


def test_a_list_that_cannot_read_the_question_shows_everything_and_loses_nothing(client: Client) -> None:
    page_desk.trades(2)
    client.force_login(page_desk.member("viewer"))
    answer = client.get(f"/admin/trading/trade/?id__in={LONG}", follow=True)
    assert answer.status_code == 200
    assert answer.context["cl"].result_count == 2
