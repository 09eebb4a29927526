"""The filters of the list of trades that each user keeps: by name, in an order, nobody else's."""

from __future__ import annotations

import pytest
from django.test import Client

from tests import page_desk
from tests.trading.book import snapshot
from trading.errors import InvalidValue
from trading.models import Journal, SavedFilter
from trading.operations.save_filter import PER_USER_MAX, delete_filter, move_filter_up, save_filter
from trading.proof.verify import verify_ledger
from trading.queries.saved_filters import filters_of

pytestmark = pytest.mark.usefixtures("ledger")


def named(group: str) -> list[tuple[str, str]]:
    return [(row.name, row.query) for row in filters_of(page_desk.member(group))]


@pytest.mark.ledger
def test_filters_are_kept_in_the_order_of_their_user_and_no_fact_of_the_desk() -> None:
    viewer = page_desk.member("viewer")
    rows = [save_filter(viewer, name, f"side={name}") for name in ("LONG", "SHORT", "x")]
    save_filter(viewer, " SHORT ", "result=loss")
    move_filter_up(viewer, rows[2].pk)
    move_filter_up(viewer, rows[0].pk)
    assert named("viewer") == [("LONG", "side=LONG"), ("x", "side=x"), ("SHORT", "result=loss")]
    delete_filter(viewer, rows[2].pk)
    assert [name for name, _ in named("viewer")] == ["LONG", "SHORT"]
    assert not Journal.objects.exists() and verify_ledger().ok


def test_nobody_reaches_the_filter_of_another() -> None:
    row = save_filter(page_desk.member("viewer"), "mine", "side=LONG")
    before = snapshot()["trading_savedfilter"]
    other = page_desk.member("reviewer")
    delete_filter(other, row.pk)
    move_filter_up(other, row.pk)
    assert snapshot()["trading_savedfilter"] == before and named("reviewer") == []


@pytest.mark.parametrize(("name", "query"), [("", ""), ("x" * 61, ""), ("a\x00b", ""), ("long", "x" * 2001)])
def test_what_is_no_filter_is_refused(name: str, query: str) -> None:
    with pytest.raises(InvalidValue):
        save_filter(page_desk.member("viewer"), name, query)


def test_a_user_keeps_fifty() -> None:
    viewer = page_desk.member("viewer")
    SavedFilter.objects.bulk_create(
        [SavedFilter(user=viewer, name=f"f{number}", place=number, query="") for number in range(PER_USER_MAX)]
    )
    with pytest.raises(InvalidValue, match="Delete one"):
        save_filter(viewer, "another", "")
    save_filter(viewer, "f3", "side=LONG")


def test_the_page_keeps_offers_and_deletes_them(client: Client) -> None:
    page_desk.trades(4)
    client.force_login(page_desk.member("viewer"))
    query = "side=LONG&sort=-pnl&col=symbol&col=pnl"
    sent = {"do": "save", "name": 'say "<i>"', "query": f"{query}&page=3&account=replay&evil=1"}
    answer = client.post("/trades/filters/?account=replay", sent)
    assert answer["Location"] == f"/trades/?account=replay&{query}"
    assert named("viewer") == [('say "<i>"', query)]
    page = client.get(f"/trades/?{query}").content.decode()
    assert f'href="/trades/?{query.replace("&", "&amp;")}" aria-current="true">say &quot;&lt;i&gt;&quot;</a>' in page
    assert 'aria-current="true">say' not in client.get("/trades/").content.decode()
    refusal = client.post("/trades/filters/", {**sent, "name": " "})
    assert refusal.status_code == 400
    for pk in ("x", "9" * 30, ""):
        assert client.post("/trades/filters/", {"do": "delete", "pk": pk}).status_code in (302, 400)
    client.post("/trades/filters/", {"do": "delete", "pk": str(SavedFilter.objects.get().pk)})
    assert named("viewer") == []
    assert client.get("/trades/filters/?account=replay")["Location"] == "/trades/?account=replay"


def test_a_list_of_the_admin_keeps_filters_of_its_own(client: Client) -> None:
    viewer = page_desk.member("viewer")
    save_filter(viewer, "mine", "side=LONG")
    save_filter(page_desk.member("reviewer"), "another", "decision__exact=TAKEN", "trading.signal")
    client.force_login(viewer)
    address, query = "/admin/trading/signal/", "decision__exact=SKIPPED&q=x"
    list_page = client.get(f"{address}?q=x&decision__exact=SKIPPED&account=replay").content.decode()
    assert f'name="query" value="{query.replace("&", "&amp;")}"' in list_page
    sent = {"do": "save", "page": "trading.signal", "name": "mine", "query": f"{query}&account=main&p=3"}
    answer = client.post("/trades/filters/?account=replay", sent)
    assert answer["Location"] == f"{address}?account=replay&{query}"
    page = client.get(f"{address}?{query}").content.decode()
    assert f'href="{address}?{query.replace("&", "&amp;")}" aria-current="true">mine</a>' in page
    assert "another" not in page
    assert [named("viewer"), len(filters_of(viewer, "trading.signal"))] == [[("mine", "side=LONG")], 1]
    client.post("/trades/filters/", {**sent, "do": "delete", "pk": str(filters_of(viewer, "trading.signal")[0].pk)})
    assert ">mine</a>" not in client.get(address).content.decode() and named("viewer")
    for page_name in ("trading.nothing", "x", "", "trading:signal", "../", "\0"):
        assert client.post("/trades/filters/", {**sent, "page": page_name}).status_code == 404, page_name
