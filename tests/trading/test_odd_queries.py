"""Whatever an address asks, the answer is a page or a word about what is wrong with it, never a fault of the desk.

The addresses are those of the URLs: every page, fragment, file and list of the admin. What is asked of them is what
their code reads: the parameters of `request.GET`, the fields of forms, the columns and filters of the admin's lists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django import forms
from django.contrib import admin
from django.db.models import Field
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import page_desk
from tests.routes import Route, fill_desk, first_keys, routes, sample
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.queries.accounts import get_account

pytestmark = pytest.mark.usefixtures("ledger", "alone")

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("VELOX_ODD_QUERIES", "500"))
ANSWERS = (200, 302, 400, 404)
TRADES = "/admin/trading/trade/"
LONG = "9" * 30
KEYS = ("0", "-1", "1", LONG, "9" * 5000, "9223372036854775808", "x", "\0", "1,\0", "_5F", "1/2", "٣", "nan", "")
TIMES = (
    *("0000-00-00", "2024-W01", "20240315", "2024-03-15", "9999-12-31", "0001-01-01", "2024-13", "2024-03", "1999-12"),
    *("0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59-12:00", "0", "13", "9999", "10000", "15m", LONG + "w"),
)
NUMBERS = ("1e999", "-Infinity", "nan", "1.1.1", "-0", "0.005", "1.123456789", "9" * 400, "१२", "true", "NaN")
WORDS = ("main", "replay", "nobody", "\ud800", "a" * 5000, "<b>", "'; --", "%", "\\", "\u202e", "-r", "pnl", "all")
TEXTS = st.sampled_from([*KEYS, *TIMES, *NUMBERS, *WORDS]) | st.text(max_size=8)
# All that Django knows, and one that it does not.
LOOKUPS = ("", *(f"__{name}" for name in ("id__exact", "date", "day", "year", "x", *Field.class_lookups)))


@cache
def words_of_pages() -> list[str]:
    """Return every parameter that the code of a page reads."""
    sources = [
        *ROOT.glob("trading/web/*.py"),
        *ROOT.glob("lab/web/*.py"),
        *ROOT.glob("trading/pages/*.py"),
        *ROOT.glob("velox_site/*.py"),
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    read = re.findall(r"""GET(?:\.get(?:list)?\(|\[)["'](\w+)["']""", text)
    assert {"account", "day", "days", "month", "sort", "col", "page", "scale", "followed"} <= set(read)
    return sorted({*read, *(name for form in _forms(forms.Form) for name in form.base_fields), "next"})


def _forms(form: type[forms.Form]) -> Iterator[type[forms.Form]]:
    if form.__module__.partition(".")[0] in ("trading", "velox_site") and ".admin." not in form.__module__:
        yield form
    for kind in form.__subclasses__():
        yield from _forms(kind)


@cache
def words_of_list(pattern: str) -> list[str]:
    """Return every parameter of one of the admin's lists, with every look-up that Django knows for its filters."""
    names = ["o", "q", "p", "e", "_popup", "_to_field", "_facets", "all", "account", "app_label", "field_name", "term"]
    fields = ["pk", "id", "nothing", "password"]
    for model, listed in admin.site._registry.items():
        if pattern.startswith(f"/admin/{model._meta.app_label}/{model._meta.model_name}/"):
            for entry in listed.list_filter:
                name = entry[0] if isinstance(entry, tuple) else entry
                names += [] if isinstance(name, str) else [name.parameter_name]
                fields += [name] if isinstance(name, str) else []
            fields += [listed.date_hierarchy] if listed.date_hierarchy else []
    return names + [field + lookup for field in fields for lookup in LOOKUPS]


def asked(client: Client, keys: dict[str, str]) -> list[Route]:
    """Return the routes that answer a GET, of which a page of the admin that shows a row is one kind for all models.

    Left out is what answers only a POST, what nobody may, and the stream, which is 501 without the ASGI server.
    """
    kinds: dict[str, Route] = {}
    for route in routes():
        kind = re.sub(r"^/admin/\w+/\w+/(<path:object_id>/\w*)", r"/admin/\1", route.pattern)
        if kind not in kinds and client.get(sample(route, keys)).status_code in ANSWERS:
            kinds[kind] = route
    assert len(kinds) > 60
    return list(kinds.values())


@st.composite
def addresses(draw: st.DrawFn, candidates: list[Route], keys: dict[str, str]) -> str:
    """Draw an address: mostly of something that is there, with a query of up to five parameters, some twice."""
    route = draw(st.sampled_from(candidates))
    if route.parts and draw(st.integers(0, 3)) == 0:
        path = route.address(lambda _, __: quote(draw(TEXTS) or "x", safe="", errors="surrogatepass"))
    else:
        path = sample(route, keys)
    is_of_admin = route.pattern.startswith("/admin/")
    names = st.sampled_from(words_of_list(route.pattern) if is_of_admin else words_of_pages())
    query = draw(st.lists(st.tuples(names | st.text(max_size=4), TEXTS), max_size=4))
    if query and draw(st.booleans()):
        query.append((query[0][0], draw(TEXTS)))
    return f"{path}?{urlencode(query, errors='surrogatepass')}"


def test_whatever_an_address_asks_it_answers_with_words(client: Client) -> None:
    """Five hundred addresses at random; `make chaos` asks ten thousand."""
    fill_desk()
    publish_daily_summary(get_account("main"), page_desk.DAY.date())
    client.force_login(page_desk.member("asha"))
    keys = first_keys()
    drawn = addresses(asked(client, keys), keys)

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(drawn)
    def answers(address: str) -> None:
        answer = client.get(address)
        assert answer.status_code in ANSWERS, address
        assert answer.status_code != 200 or len(answer.getvalue()) > 10, address

    answers()


HARD = (LONG, "1,\0", "9223372036854775808", "9999-12-31 23:59:59-12:00")


@pytest.mark.ledger
def test_a_list_of_the_admin_answers_whatever_no_column_can_hold(client: Client) -> None:
    page_desk.trades(2)
    client.force_login(page_desk.member("asha"))
    names = [name for name in words_of_list(TRADES) if name.partition("__")[2] in ("", "exact", "in", "range", "regex")]
    assert len(names) > 40
    for name in names:
        for text in HARD:
            address = f"{TRADES}?{urlencode([(name, text)])}"
            assert client.get(address).status_code in ANSWERS, address


@pytest.mark.ledger
@pytest.mark.parametrize("chosen", [LONG, "9223372036854775808", "x", "\x00"])
def test_an_action_on_rows_that_cannot_be_is_no_fault(client: Client, chosen: str) -> None:
    page_desk.trades(1)
    client.force_login(page_desk.member("asha"))
    for address, action in (("trade", "download"), ("instrument", "mark_reviewed"), ("user", "delete_selected")):
        sent = {"action": action, "_selected_action": [chosen]}
        assert client.post(f"/admin/trading/{address}/", sent).status_code in (200, 302, 400)


def test_a_list_that_cannot_read_the_question_twice_says_so(client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    page = client.get("/admin/trading/signal/?e=0&id__range=0")
    assert (page.status_code, "Nothing is wrong with the ledger" in page.content.decode()) == (200, True)


def test_a_list_that_cannot_read_the_question_shows_everything_and_loses_nothing(client: Client) -> None:
    page_desk.trades(2)
    client.force_login(page_desk.member("viewer"))
    answer = client.get(f"/admin/trading/trade/?id__in={LONG}", follow=True)
    assert answer.status_code == 200
    assert answer.context["cl"].result_count == 2
