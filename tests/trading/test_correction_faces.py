"""Corrections by command, in the admin and through the facade; what reports, pages and histories show of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from tests import page_desk
from tests.trading.book import AT, closed, filled, opened, row, snapshot
from tests.trading.test_web_pages import words
from trading.data_manager import DataManager
from trading.models import Correction, DailySummary, Trade
from trading.operations.amend import amend
from trading.operations.void import void

pytestmark = pytest.mark.usefixtures("ledger", "alone")
WHO = {"by": "asha", "reason": "typing error"}
SAID = ("--by", "asha", "--reason", "typing error")
As = Callable[[str], Client]


def answer(*args: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*args, "--format", "json", stdout=out, stderr=io.StringIO())
    return dict(json.loads(out.getvalue()))


@pytest.fixture
def as_user(client: Client) -> As:
    def log_in(group: str) -> Client:
        client.force_login(page_desk.member(group))
        return client

    return log_in


@pytest.mark.ledger
class TestCommands:
    def test_a_trade_is_amended_by_its_id(self) -> None:
        opened()
        closed()
        said = answer("amend", "T1", "--fill", "2", "--price", "2460.05", *SAID)
        assert (said["pk"], said["trade_id"], said["realised_pnl"], said["state"]) == (row().pk, "T1", "100", "CLOSED")
        said = answer("amend", "T1", "--fill", "1", "--at", "2024-03-15 09:29:00", "--to-strategy", "orb", *SAID)
        assert (said["opened_at"][:19], said["strategy_id"]) == ("2024-03-15T03:59:00", "orb")
        assert answer("amend", "T1", "--charges", "12.5", *SAID)["charges"] == "12.5"
        assert [made.kind for made in Correction.objects.order_by("pk")] == ["amend", "amend", "charges"]

    def test_one_of_two_open_ones_is_named_by_key_or_day(self) -> None:
        opened("T1")
        opened("T1", entry_time=AT + timedelta(days=3))
        with pytest.raises(CommandError, match="More than one") as told:
            answer("void", "T1", *SAID)
        assert told.value.returncode == 2
        older, newer = Trade.objects.order_by("opened_at")
        assert answer("void", "--pk", str(older.pk), *SAID)["state"] == "VOID"
        assert answer("void", "T1", "--day", "2024-03-18", *SAID)["pk"] == newer.pk

    @pytest.mark.parametrize(
        "args",
        [
            ("amend", "T1", *SAID),
            ("amend", "T9", "--price", "1", *SAID),
            ("amend", "T1", "--price", "x", *SAID),
            ("amend", "T1", "--at", "noon", *SAID),
            ("amend", "T1", "--pk", "1", "--price", "1", *SAID),
            ("amend", "--price", "1", *SAID),
            ("void", "T1", "--day", "2024-03-16", *SAID),
            ("void", "T1", "--by", "asha", "--reason", " "),
            ("void", "T1", "--by", "asha"),
        ],
    )
    def test_what_cannot_be_is_told_in_a_line_and_changes_nothing(self, args: tuple[str, ...]) -> None:
        opened()
        before = snapshot()
        with pytest.raises(CommandError):
            answer(*args)
        assert snapshot() == before

    def test_the_report_of_a_corrected_day_gets_a_new_version_on_rebuild(self) -> None:
        opened()
        closed()
        day = ("daily_summary", "--date", "2024-03-15")
        assert answer(*day)["total"]["gross_pnl"] == "149.5"
        amend(row().pk, fill=2, price=2460, **WHO)
        with pytest.raises(SystemExit) as ended:
            answer(*day)
        assert ended.value.code == 1
        assert DailySummary.objects.count() == 1
        assert answer(*day, "--rebuild")["total"]["gross_pnl"] == "99.5"
        assert [one.version for one in DailySummary.objects.order_by("version")] == [1, 2]
        assert json.loads(DailySummary.objects.get(version=1).body)["total"]["gross_pnl"] == "149.5"
        void(row().pk, **WHO)
        assert answer(*day, "--rebuild")["total"]["total_trades"] == 0
        assert DailySummary.objects.count() == 3


@pytest.mark.ledger
def test_the_facade_sets_charges_and_shows_what_is_right() -> None:
    opened()
    closed()
    with DataManager() as dm:
        assert dm.set_charges("T1", "20.5", source="note 7").charges == Decimal("20.5")
        assert dm.get_strategy_stats("ema cross", None)["trades_without_charges"] == 0
        amend(row().pk, fill=2, price=2470, **WHO)
        told = dm.get_executions("T1").to_pylist()
        assert [(one["price"], one["pnl"]) for one in told] == [(2450.05, None), (2470.0, 199.5)]
        void(row().pk, **WHO)
        assert dm.get_trade("T1").state == "VOID"
        assert dm.get_strategy_stats("ema cross", None)["total_trades"] == 0
        assert [one["pnl"] for one in dm.get_executions("T1").to_pylist()] == [None, None]


class TestAdmin:
    def test_an_operator_amends_as_himself(self, as_user: As) -> None:
        opened()
        filled("SELL", 2460, 4)
        client = as_user("operator")
        page = f"/admin/trading/trade/{row().pk}/correct/"
        assert "2: sell 4 at ₹2,460.00" in words(client.get(page).content.decode())
        said = {"amend": "1", "amend-fill": "2", "amend-price": "2461", "amend-reason": "slip of a finger"}
        assert client.post(page, said).status_code == 302
        made = Correction.objects.get()
        assert (made.author, made.reason, made.fill.sequence) == ("operator", "slip of a finger", 2)
        at = {"amend": "1", "amend-fill": "2", "amend-at": "2024-03-15 09:32:00", "amend-reason": "late"}
        assert client.post(page, at).status_code == 302
        assert Correction.objects.last().body["now"] == {"at": "2024-03-15T04:02:00.000000Z"}
        assert client.post(page, {"amend": "1", "amend-charges": "9", "amend-reason": "note"}).status_code == 302
        assert row().charges == 9
        shown = words(client.get(f"/admin/trading/trade/{row().pk}/change/").content.decode())
        assert "price ₹2,460.00 → ₹2,461.00; by operator: slip of a finger" in shown
        public = words(client.get(f"/trades/{row().pk}/").content.decode())
        assert "₹2,460.00 → ₹2,461.00" in public
        assert "Corrections 3" in public

    def test_an_operator_voids(self, as_user: As) -> None:
        opened()
        closed()
        client, page = as_user("operator"), f"/admin/trading/trade/{row().pk}/correct/"
        assert client.post(page, {"void": "1", "void-reason": "never sent"}).status_code == 302
        assert row().state == "VOID"
        assert client.get(f"/trades/{row().pk}/").status_code == 200
        assert "/correct/" not in client.get(f"/admin/trading/trade/{row().pk}/change/").content.decode()

    def test_what_cannot_be_is_said_on_the_page(self, as_user: As) -> None:
        opened()
        closed()
        client, page = as_user("operator"), f"/admin/trading/trade/{row().pk}/correct/"
        before = snapshot()
        for said, told in (
            ({"amend-fill": "2", "amend-quantity": "11", "amend-reason": "x"}, "More of trade T1 would be closed"),
            ({"amend-price": "1", "amend-reason": "x"}, "T1 has 2"),
            ({"amend-fill": "1", "amend-price": "1"}, "This field is required"),
            ({"amend-reason": "x"}, "Nothing is amended"),
        ):
            answer = client.post(page, {"amend": "1", **said})
            assert answer.status_code == 200
            assert told in answer.content.decode()
        assert snapshot() == before

    @pytest.mark.parametrize("group", ["viewer", "reviewer"])
    def test_nobody_else_corrects(self, as_user: As, group: str) -> None:
        opened()
        client, page = as_user(group), f"/admin/trading/trade/{row().pk}/correct/"
        assert client.get(page).status_code == 403
        assert client.post(page, {"void": "1", "void-reason": "x"}).status_code == 403
        assert row().state == "OPEN"
        assert "/correct/" not in client.get(f"/trades/{row().pk}/").content.decode()
