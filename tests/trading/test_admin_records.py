"""The other records in the admin: what operators keep, what nobody edits, and who manages users."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client

from tests import page_desk
from tests.trading.statements import DAY, line
from tests.trading.test_admin_trades import As, as_user, queries
from tests.trading.test_corporate_actions import action, imported
from tests.trading.test_stated_charges import line as charge
from tests.trading.test_stated_charges import state
from tests.trading.test_web_pages import words
from trading.domain.charge_heads import Head
from trading.models import (
    Account,
    ApiToken,
    BrokerFill,
    Correction,
    DailySummary,
    Exchange,
    ExchangeSession,
    Instrument,
    Journal,
    Signal,
    Strategy,
    Trade,
    User,
)
from trading.operations.give_cost import give_cost
from trading.operations.make_token import make_token
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.operations.record_signal import record_signal
from trading.operations.set_limit import set_limit
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account

__all__ = ["as_user"]

pytestmark = pytest.mark.usefixtures("ledger")

LEDGER = (Account, DailySummary, Journal, Signal, Trade)


def address(model: type, *rest: str) -> str:
    return "/".join(["/admin/trading", model.__name__.lower(), *rest, ""])


def desk() -> None:
    page_desk.trades(2)
    publish_daily_summary(get_account("main"), page_desk.DAY.date())


@pytest.mark.parametrize("group", ["viewer", "reviewer", "operator"])
def test_a_group_sees_every_record_and_operators_alone_tokens(as_user: As, group: str) -> None:
    desk()
    imported(line("1", "SELL", 10, 120), actions=(action(),))
    give_cost(BrokerFill.objects.get().pk, 80, DAY - timedelta(days=9), by="asha", reason="an old note")
    state(charge(Head.STT, "12"))
    set_limit("main", "trades", 10, by="asha", reason="the desk's rule")
    make_token("main", "bot", ["read"], by="asha")
    client = as_user(group)
    for model in admin.site._registry:
        if model._meta.app_label != "trading" or model is User:
            continue
        status = 200 if model is not ApiToken or group == "operator" else 403
        assert client.get(address(model)).status_code == status, model
        pk = model._default_manager.values_list("pk", flat=True).first()
        assert client.get(address(model, str(pk), "change")).status_code == status, model


@pytest.mark.parametrize("group", ["viewer", "reviewer", "operator", "asha"])
@pytest.mark.parametrize("model", LEDGER, ids=lambda model: model.__name__)
def test_nobody_adds_changes_or_deletes_a_record_of_the_ledger(as_user: As, group: str, model: type) -> None:
    desk()
    client = as_user(group)
    before = list(model._default_manager.values().order_by("pk"))
    pk = str(before[0]["id"])
    assert client.post(address(model, "add"), {"code": "x", "day": "2024-03-15"}).status_code == 403
    assert client.post(address(model, pk, "delete"), {"post": "yes"}).status_code == 403
    client.post(address(model), {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    if model is not Trade:  # whose page stores reviews
        assert client.post(address(model, pk, "change"), {"code": "x"}).status_code == 403
    assert list(model._default_manager.values().order_by("pk")) == before


@pytest.mark.parametrize(("group", "may"), [("viewer", False), ("reviewer", False), ("operator", True)])
def test_only_operators_mark_instruments_and_strategies_as_reviewed(as_user: As, group: str, may: bool) -> None:
    page_desk.trades(1)
    client = as_user(group)
    for model in (Instrument, Strategy):
        row = model.objects.filter(reviewed=False).first()
        assert row is not None
        client.post(address(model), {"action": "mark_reviewed", "_selected_action": [row.pk]})
        row.refresh_from_db()
        assert row.reviewed is may, model


@pytest.mark.parametrize(("group", "code"), [("viewer", 403), ("reviewer", 403), ("operator", 302)])
def test_only_operators_name_a_strategy(as_user: As, group: str, code: int) -> None:
    page_desk.trades(1)
    row = Strategy.objects.get()
    sent = {"code": "other", "name": "Crossing", "notes": "", "reviewed": "on"}
    assert as_user(group).post(address(Strategy, str(row.pk), "change"), sent).status_code == code
    row.refresh_from_db()
    assert (row.name, row.reviewed) == (("Crossing", True) if code == 302 else ("", False))
    assert row.code == page_desk.STRATEGIES[1]


def test_who_named_a_strategy_is_kept(as_user: As) -> None:
    page_desk.trades(1)
    sent = {"name": "Crossing", "notes": "", "reviewed": "on"}
    as_user("operator").post(address(Strategy, str(Strategy.objects.get().pk), "change"), sent)
    assert LogEntry.objects.get().user.get_username() == "operator"


def test_the_terms_of_an_instrument_that_was_traded_are_put_right_with_a_reason(as_user: As) -> None:
    page_desk.trades(1)
    client = as_user("operator")
    trade = Trade.objects.get()
    traded, pnl = trade.instrument, trade.realised_pnl
    assert pnl
    sent = {
        "symbol": "X", "multiplier": "75", "currency": traded.currency, "kind": "FUTURE", "lot": "75",
        "quantity_step": "1", "price_tick": "0.05", "session_group": "equity", "reviewed": "on",
    }  # fmt: skip
    page = address(Instrument, str(traded.pk), "change")
    assert 'name="quantity_step" value="0.00000001"' in client.get(page).content.decode()
    asked = client.post(page, sent)
    assert (asked.status_code, "Say why" in asked.content.decode()) == (200, True)
    abroad = client.post(page, {**sent, "currency": "USD", "reason": "contract note"}, follow=True)
    assert "not kept in USD" in abroad.content.decode()
    assert Instrument.objects.get(pk=traded.pk).multiplier == 1, "nothing of it was written"
    assert client.post(page, {**sent, "reason": "contract note"}).status_code == 302
    after = Instrument.objects.get(pk=traded.pk)
    assert (after.symbol, after.multiplier, after.lot) == (traded.symbol, 75, 75)
    assert (after.kind, after.reviewed) == ("FUTURE", True)
    trade.refresh_from_db()
    assert trade.realised_pnl == 75 * pnl
    made = Correction.objects.get()
    assert (made.author, made.reason) == ("operator", "contract note")


def test_instruments_in_use_that_nobody_reviewed_are_a_list_and_stand_on_the_first_page(as_user: As) -> None:
    page_desk.trades(1)
    name = html.escape(Trade.objects.get().instrument.symbol)
    Instrument.objects.create(exchange=Exchange.objects.get(code="NSE"), symbol="NOBODYUSES", currency="INR")
    client = as_user("operator")
    listed = client.get(address(Instrument), {"todo": "yes"}).content.decode()
    assert f">{name}<" in listed and "NOBODYUSES" not in listed
    first = client.get("/").content.decode()
    assert "Instruments to review" in first and name in first and "Look at them" in first
    assert "Look at them" not in as_user("viewer").get("/").content.decode()
    Instrument.objects.update(reviewed=True)
    assert "Instruments to review" not in client.get("/").content.decode()


def test_strategies_in_use_that_nobody_reviewed_are_a_list_and_stand_on_the_first_page(as_user: As) -> None:
    page_desk.trades(1)
    page_desk.skipped(1, account="replay")
    name = html.escape(page_desk.STRATEGIES[1])
    Strategy.objects.create(code="nobody_uses")
    client = as_user("operator")
    listed = client.get(address(Strategy), {"todo": "yes"}).content.decode()
    assert f">{name}<" in listed and ">ema_cross<" in listed and "nobody_uses" not in listed
    first = client.get("/").content.decode()
    assert f"Nobody has looked at {name} yet" in first and '?todo=yes">Name them' in first
    assert "Nobody has looked at ema_cross yet" in client.get("/?account=replay").content.decode()
    assert "Name them" not in as_user("viewer").get("/").content.decode()
    Strategy.objects.update(reviewed=True)
    assert "Strategies to review" not in client.get("/").content.decode()


def test_an_instrument_never_traded_takes_its_multiplier(as_user: As) -> None:
    index = Instrument.objects.get(symbol="NIFTY 50")
    sent = {
        "multiplier": "0.5", "currency": "INR", "kind": "INDEX", "lot": "1", "quantity_step": "1", "price_tick": "0.05",
        "session_group": "equity",
    }  # fmt: skip
    assert as_user("operator").post(address(Instrument, str(index.pk), "change"), sent).status_code == 302
    index.refresh_from_db()
    assert str(index.multiplier) == "0.5"


@pytest.mark.parametrize("money", ["x", "nan", "1e999", "0.000000001", "-1"])
def test_a_number_that_cannot_be_is_refused_beside_its_field(as_user: As, money: str) -> None:
    index = Instrument.objects.get(symbol="NIFTY 50")
    sent = {
        "multiplier": money, "currency": "INR", "kind": "INDEX", "lot": "1", "quantity_step": "1", "price_tick": "0.05",
        "session_group": "equity",
    }  # fmt: skip
    page = as_user("operator").post(address(Instrument, str(index.pk), "change"), sent)
    assert page.status_code == 200
    assert page.context["adminform"].form.errors
    before = index.multiplier
    index.refresh_from_db()
    assert index.multiplier == before


@pytest.mark.parametrize(("group", "code"), [("viewer", 403), ("reviewer", 403), ("operator", 302)])
def test_only_operators_amend_the_hours_of_an_exchange(as_user: As, group: str, code: int) -> None:
    client = as_user(group)
    row = ExchangeSession.objects.first()
    assert row is not None
    sent = {
        "exchange": row.exchange_id, "kind": row.kind, "group": row.group, "first_date": "2024-03-02",
        "last_date": "2024-03-02", "weekdays": row.weekdays,
        "phase": row.phase, "opens": "09:15", "closes": "10:00", "note": "Special session",
    }  # fmt: skip
    there = ExchangeSession.objects.count()
    assert client.post(address(ExchangeSession, "add"), sent).status_code == code
    assert ExchangeSession.objects.count() == there + (code == 302)


def test_the_journal_shows_its_body_spread_over_lines(as_user: As) -> None:
    page_desk.trades(1)
    first = Journal.objects.order_by("sequence").first()
    assert first is not None
    page = words(as_user("viewer").get(address(Journal, str(first.pk), "change")).content.decode())
    assert first.mac in page
    assert "&quot;op&quot;: &quot;open_position&quot;" in page


def test_lists_of_records_show_one_account(as_user: As) -> None:
    page_desk.trades(1)
    page_desk.trades(1, account="replay", first=901)
    client = as_user("viewer")
    for model in (Signal, Journal):
        for code in ("main", "replay"):
            shown = client.get(address(model), {"account": code}).context["cl"].result_list
            assert {row.account.code for row in shown} == {code}
        assert {row.account.code for row in client.get(address(model)).context["cl"].result_list} == {"main"}


@pytest.mark.parametrize("group", ["viewer", "reviewer", "operator"])
def test_no_group_manages_users(as_user: As, group: str) -> None:
    client = as_user(group)
    for path in ("/admin/trading/user/", "/admin/trading/user/add/", "/admin/auth/group/"):
        assert client.get(path).status_code == 403


def test_a_superuser_makes_a_user_and_puts_them_into_a_group(as_user: As, client: Client) -> None:
    asha = as_user("asha")
    sent = {
        "username": "nila",
        "usable_password": "true",
        "password1": page_desk.PASSWORD,
        "password2": page_desk.PASSWORD,
    }
    assert asha.post("/admin/trading/user/add/", sent).status_code == 302
    nila = User.objects.get(username="nila")
    assert nila.check_password(page_desk.PASSWORD)
    assert asha.get("/admin/trading/user/").status_code == 200


def test_the_number_of_queries_of_the_user_list_does_not_follow_its_rows(as_user: As) -> None:
    client = as_user("asha")
    few = queries(client, "/admin/trading/user/")
    for group in ("viewer", "reviewer", "operator"):
        page_desk.member(group)
    assert queries(client, "/admin/trading/user/") == few


def test_a_group_with_members_is_not_deleted(as_user: As) -> None:
    asha = as_user("asha")
    page_desk.member("viewer")
    group = Group.objects.get(name="viewer")
    page, said = f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}
    assert asha.post(page, said).status_code == 403
    assert asha.get("/admin/auth/group/").status_code == 200
    User.objects.get(username="viewer").groups.clear()
    assert asha.post(page, said).status_code == 302
    assert not Group.objects.filter(name="viewer").exists()
    assert verify_ledger().differences == []


def test_the_number_of_signals_is_that_of_the_ledger_now(as_user: As) -> None:
    page_desk.skipped(2)
    client = as_user("viewer")

    def listed(query: str = "") -> int:
        count: int = client.get(address(Signal) + query).context["cl"].result_count
        return count

    assert (listed(), listed("?q=ema_cross"), listed("?q=nobody"), listed("?account=replay")) == (2, 2, 0, 0)
    at = page_desk.OPENING + timedelta(hours=2)
    record_signal("main", "nobody", "M&M", at, {"gap": 1.5}, decision="SKIPPED", reason="too late")
    assert (listed(), listed("?q=ema_cross"), listed("?q=nobody"), listed("?account=replay")) == (3, 2, 1, 0)
