"""An operator has the ledger proved at the press of a button."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group

from tests.trading.book import opened
from tests.trading.tampering import unguarded
from trading.models import User

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]
PAGE = "/admin/trading/journal/verify/"


def _as(client: Any, group: str) -> Any:
    user = User.objects.create_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


def test_an_operator_sees_the_proof_and_what_it_found(client: Any) -> None:
    opened()
    operator = _as(client, "operator")
    assert PAGE in operator.get("/admin/trading/journal/").content.decode()
    assert "Verify now" in operator.get(PAGE).content.decode()
    assert "The ledger is proved." in operator.post(PAGE).content.decode()
    with unguarded() as cursor:
        cursor.execute("UPDATE trading_fill SET price = price + 1")
    page = operator.post(PAGE).content.decode()
    assert "1 difference found." in page and "trading_fill" in page


@pytest.mark.parametrize("group", ["viewer", "reviewer"])
def test_nobody_else_does(client: Any, group: str) -> None:
    opened()
    other = _as(client, group)
    assert (other.get(PAGE).status_code, other.post(PAGE).status_code) == (403, 403)
    assert PAGE not in other.get("/admin/trading/journal/").content.decode()
