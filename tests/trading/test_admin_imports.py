"""What files brought, in the admin: actions to decide, costs of sold holdings, charges that a person states."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests.trading.book import closed, opened, row, snapshot
from tests.trading.statements import DAY, line
from tests.trading.test_admin_trades import As, as_user
from tests.trading.test_corporate_actions import CALL, action, imported, option, trades, waiting
from trading.models import BrokerFill, HoldingCost, Journal, StatedCharge, Trade

__all__ = ["as_user"]

pytestmark = pytest.mark.usefixtures("proved")

ACTIONS, COSTS, CHARGES = (f"/admin/trading/{name}/" for name in ("corporateaction", "holdingcost", "statedcharge"))
SALES = f"{COSTS}sales/"


def words(client: Client, address: str) -> str:
    answer = client.get(address, follow=True)
    assert answer.status_code == 200, address
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def sent(client: Client, address: str, form: str, **fields: Any) -> int:
    """Send a form of a page: its fields have its name before them."""
    body = {form: "go", **{f"{form}-{name}": text for name, text in fields.items()}}
    return int(client.post(address, body).status_code)


def test_an_operator_confirms_what_a_file_proposes(as_user: As) -> None:
    imported(line("1", "BUY", 100, 100), actions=(action(), action("other", day=7)))
    split, other = waiting()
    client = as_user("operator")
    assert "Split RELIANCE waiting SPLIT" in words(client, ACTIONS)
    assert "The file says 2." in words(client, f"{ACTIONS}{split}/decide/")
    assert sent(client, f"{ACTIONS}{split}/decide/", "split", kind="split", reason="") == 200  # with what is wrong
    assert trades()[0][3] == 100
    assert sent(client, f"{ACTIONS}{split}/decide/", "split", kind="split", reason="notice") == 302
    assert sent(client, f"{ACTIONS}{other}/decide/", "dismiss", reason="in two files") == 302
    assert (trades()[0][3], waiting()) == (200, [])
    assert Journal.objects.filter(operation="decide_action", recorded_by="operator").count() == 2
    page = words(client, f"{ACTIONS}{split}/change/")
    assert "booked: split 2:1 of RELIANCE from 2026-06-06" in page and "notice" in page
    assert "decide/" not in client.get(f"{ACTIONS}{split}/change/").content.decode()
    assert client.get(f"{ACTIONS}{split}/decide/").status_code == 302  # nothing is left to decide


def test_an_operator_says_how_a_contract_was_settled(as_user: As) -> None:
    imported(option("1", "BUY", 500, 20), last_day=date(2026, 6, 30))
    address = f"{ACTIONS}{waiting()[0]}/decide/"
    client = as_user("operator")
    assert sent(client, address, "settlement", price="-1", reason="note") == 200
    assert trades()[0][2] == "OPEN"
    assert sent(client, address, "settlement", shares="RELIANCE", day="2026-06-30", reason="note") == 302
    assert sorted(trades()) == [("RELIANCE", "LONG", "OPEN", 500, 0), (CALL, "LONG", "CLOSED", 0, -10000)]


def test_an_operator_sees_sales_of_unknown_cost_and_gives_it(as_user: As) -> None:
    imported(line("5", "SELL", 10, 120))
    pk = BrokerFill.objects.get().pk
    client = as_user("operator")
    assert "2026-06-01 RELIANCE imported 10 ₹120.00 Give it" in words(client, SALES)
    assert sent(client, f"{SALES}{pk}/", "cost", price="80", day=str(DAY), reason="note") == 200  # not before the sale
    assert not HoldingCost.objects.exists()
    assert sent(client, f"{SALES}{pk}/", "cost", price="80", day="2020-03-23", reason="note of 2020") == 302
    assert Trade.objects.get().realised_pnl == 400
    assert "There is none." in words(client, SALES)
    page = words(client, COSTS)
    assert "operator note of 2020" in page and "80" in page


def test_an_operator_states_charges_head_by_head(as_user: As) -> None:
    opened()
    closed()
    client, address = as_user("operator"), f"{CHARGES}state/"
    assert sent(client, address, "charges", day="2024-03-15", stt="much", reason="note") == 200
    assert sent(client, address, "charges", day="2024-03-15", stt="12", brokerage="40.5", reason="by telephone") == 302
    assert {(each.head, each.amount, each.source) for each in StatedCharge.objects.all()} == {
        ("stt", 12, "person"), ("brokerage", Decimal("40.5"), "person"),
    }  # fmt: skip
    assert row().charges == Decimal("52.5")
    assert "by telephone operator" in words(client, CHARGES)


@pytest.mark.parametrize("group", ["viewer", "reviewer"])
def test_others_see_and_decide_nothing(as_user: As, group: str) -> None:
    imported(line("1", "BUY", 100, 100), line("2", "SELL", 150, 90, day=1), actions=(action(),))
    client = as_user(group)
    before = snapshot()
    decide, cost = f"{ACTIONS}{waiting()[0]}/decide/", f"{SALES}{BrokerFill.objects.last().pk}/"  # type: ignore[union-attr]
    for address, form in ((decide, "split"), (decide, "dismiss"), (cost, "cost"), (f"{CHARGES}state/", "charges")):
        assert client.get(address).status_code == 403
        assert sent(client, address, form, kind="split", reason="x", price="1", day="2020-01-01", stt="1") == 403
    assert "waiting" in words(client, ACTIONS)
    assert "unknown" in words(client, SALES)
    assert "State charges" not in words(client, CHARGES)
    assert snapshot() == before


def test_the_page_of_files_lists_what_waits(as_user: As) -> None:
    imported(line("1", "BUY", 100, 100), actions=(action(),))
    (pk,) = waiting()
    assert f"{pk} 2026-06-06 split RELIANCE SPLIT" in words(as_user("viewer"), "/brokers/")
    page = as_user("operator").get("/brokers/").content.decode()
    assert f'href="{ACTIONS}{pk}/decide/"' in page
