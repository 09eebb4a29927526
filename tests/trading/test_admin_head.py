"""The head of the admin's pages: the account that they stand in, which links to the desk's pages and back keep."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tests import page_desk
from tests.trading.test_admin_trades import As, as_user
from trading.models import Instrument, Trade

__all__ = ["as_user"]

pytestmark = pytest.mark.usefixtures("ledger")


def read(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def head_account(page: str) -> str:
    """Return the account that the head of a page names."""
    [code] = re.findall(r"Account: <strong>([^<]*)</strong>", page)
    return str(code)


def test_the_head_names_the_account_and_offers_the_others(as_user: As) -> None:
    page_desk.trades(1)
    client, pk = as_user("operator"), Instrument.objects.values_list("pk", flat=True)[0]
    for address in ("/admin/", "/admin/trading/", "/admin/trading/trade/", "/admin/trading/instrument/"):
        for account in ("main", "replay"):
            page = read(client, f"{address}?account={account}")
            assert head_account(page) == account
            assert f'href="{address}?account=replay"' in page
    assert head_account(read(client, "/admin/")) == "main"
    assert head_account(read(client, "/admin/?account=nobody")) == "none of this name"
    behind = read(client, f"/admin/trading/instrument/{pk}/change/?_changelist_filters=account%3Dreplay")
    assert (head_account(behind), 'href="/admin/trading/instrument/?account=main"' in behind) == ("replay", True)


def test_a_record_stands_in_its_own_account_whatever_its_address_says(as_user: As) -> None:
    page_desk.trades(1, account="replay")
    client, pk = as_user("operator"), Trade.objects.get().pk
    for rest in ("change", "history", "correct"):
        page = read(client, f"/admin/trading/trade/{pk}/{rest}/?_changelist_filters=account%3Dmain")
        assert (head_account(page), 'href="/?account=replay"' in page) == ("replay", True), rest
    assert head_account(read(client, "/admin/trading/statedcharge/state/?account=replay")) == "replay"


def test_the_way_from_the_desk_to_a_list_and_back_keeps_the_account(as_user: As) -> None:
    page_desk.trades(1)
    client = as_user("operator")
    assert 'href="/admin/?account=replay"' in read(client, "/?account=replay")
    index = read(client, "/admin/?account=replay")
    assert 'href="/?account=replay"' in index and 'href="/admin/trading/trade/?account=replay"' in index
    assert 'href="/admin/?account=replay"' in read(client, "/admin/trading/strategy/?account=replay")
    plain = read(client, "/admin/")
    assert 'href="/admin/trading/trade/"' in plain and 'href="/"' in plain


def test_a_list_of_what_belongs_to_no_account_shows_all_in_each(as_user: As) -> None:
    page_desk.trades(1)
    client = as_user("operator")
    plain, kept = (read(client, f"/admin/trading/strategy/{query}") for query in ("", "?account=replay"))
    assert "1 strategy" in plain and "1 strategy" in kept
    assert "1 strategy" in read(client, "/admin/trading/strategy/?account=replay&todo=yes")
