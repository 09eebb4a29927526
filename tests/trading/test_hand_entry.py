"""Trades, fills and closes that a person enters by hand: on the pages and by `manage.py record_trade`."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.timezone import localdate, localtime

from tests import page_desk
from tests.trading.book import AT, MINUTE, filled, fills, opened, row, snapshot
from trading.bookkeeping.by_hand import HandEntry
from trading.errors import AmbiguousTrade, IdConflict, InvalidValue, LikelySlip
from trading.models import Journal, Trade
from trading.operations.enter_by_hand import Closing, HandFill, Opening, enter_close, enter_fill, enter_trade
from trading.operations.review_trade import review_trade
from trading.pages.hand_forms import NewTradeForm
from trading.transactions import undone

pytestmark = pytest.mark.usefixtures("proved")

NEW = {
    "symbol": "RELIANCE", "side": "LONG", "quantity": "10", "entry_price": "2450.05",
    "entry_time": "2024-03-15T09:30:00", "stop_price": "2440", "strategy_id": "manual", "trade_id": "hand-1",
    "accepted": "new_symbol",
}  # fmt: skip
SUNDAY = "2024-03-17T10:00:00"


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(page_desk.member("operator"))
    return client


def entered(
    trade_id: str = "hand-1", *, accepted: str = "new_symbol", closing: Closing | None = None, **facts: Any
) -> Trade:
    opening = {
        "symbol": "RELIANCE",
        "side": "LONG",
        "quantity": 10,
        "entry_price": "2450.05",
        "entry_time": AT,
        **facts,
    }
    return Trade.objects.get(
        pk=enter_trade(
            "main", Opening(trade_id=trade_id, **opening), closing, HandEntry("asha", frozenset(accepted.split()))
        ).pk
    )


def authors() -> list[tuple[str, str]]:
    return list(Journal.objects.order_by("sequence").values_list("operation", "recorded_by"))


# -- the operations --


@pytest.mark.ledger
def test_what_is_entered_by_hand_names_its_author_and_is_marked() -> None:
    trade = entered(closing=Closing(exit_price="2455", exit_time=AT + MINUTE, exit_reason="target", charges="12.5"))
    assert (trade.state, trade.realised_pnl, trade.charges) == ("CLOSED", Decimal("49.5"), Decimal("12.5"))
    assert (trade.flags, trade.exit_reason, trade.strategy.code) == (["by_hand"], "target", "manual")
    assert authors() == [("open_position", "asha"), ("close_position", "asha")]


@pytest.mark.ledger
def test_a_slip_of_any_part_takes_back_the_whole_until_it_is_accepted() -> None:
    before = snapshot()
    closing = Closing(exit_price="2455", exit_time=AT + timedelta(days=2))  # a Sunday
    with pytest.raises(LikelySlip) as refusal:
        entered(stop_price=2460, accepted="", closing=closing)
    assert refusal.value.warnings == ("market_closed", "new_symbol", "stop_wrong_side")
    with pytest.raises(LikelySlip):
        entered(stop_price=2460, accepted="new_symbol stop_wrong_side", closing=closing)
    assert snapshot() == before
    trade = entered(stop_price=2460, accepted="new_symbol stop_wrong_side market_closed", closing=closing)
    assert trade.flags == ["by_hand", "market_closed", "stop_wrong_side"]


def test_each_fill_is_looked_at_by_itself_whatever_its_trade_is_flagged_with() -> None:
    trade = entered(entry_time=AT + timedelta(days=2), accepted="new_symbol market_closed")
    fill = HandFill(side="SELL", quantity=4, price=2451, at=AT + timedelta(days=2, minutes=1), fill_id="b1")
    with pytest.raises(LikelySlip, match="market_closed"):
        enter_fill(trade.pk, fill, HandEntry("asha"))
    enter_fill(trade.pk, fill, HandEntry("asha", frozenset({"market_closed"})))
    assert len(fills("hand-1")) == 2


def test_a_price_is_compared_with_the_newest_at_hand() -> None:
    with pytest.raises(LikelySlip, match="price_far_from_tick"):
        enter_trade(
            "main",
            Opening(trade_id="far", symbol="RELIANCE", side="LONG", quantity=1, entry_price=24500, entry_time=AT),
            None,
            HandEntry("asha", frozenset({"new_symbol"})),
            newest=lambda _: (Decimal(2450), AT),
        )


def test_an_expiry_at_zero_is_no_slip_where_its_reason_is_given() -> None:
    trade = entered()
    with pytest.raises(LikelySlip, match="price_zero_unexplained"):
        enter_close(trade.pk, Closing(exit_price=0, exit_time=AT + MINUTE), HandEntry("asha"))
    closing = Closing(exit_price=0, exit_time=AT + MINUTE, exit_reason="expired")
    assert enter_close(trade.pk, closing, HandEntry("asha")).trade.state == "CLOSED"


@pytest.mark.ledger
def test_the_same_again_books_nothing_and_other_content_is_refused() -> None:
    closing = Closing(exit_price="2455", exit_time=AT + MINUTE)
    entered(closing=closing)
    before = snapshot()
    assert entered(closing=closing).pk == row("hand-1").pk
    with pytest.raises(IdConflict):
        entered(entry_price=2451, closing=closing)
    assert snapshot() == before


def test_a_close_never_reaches_another_trade_of_the_same_id() -> None:
    opened("T1", strategy_id="manual")
    later = {"entry_time": AT + timedelta(days=3)}
    with pytest.raises(AmbiguousTrade):
        entered("T1", **later, closing=Closing(exit_price=2451, exit_time=AT + timedelta(days=3, minutes=1)))
    assert Trade.objects.count() == 1


def test_an_entry_without_an_author_is_refused() -> None:
    with pytest.raises(InvalidValue, match="author"):
        enter_close(1, Closing(exit_price=1, exit_time=AT), HandEntry(" "))


def test_what_is_undone_answers_and_leaves_nothing() -> None:
    before = snapshot()
    with undone():
        assert opened().open_quantity == 10
    assert snapshot() == before


# -- the pages --


def test_a_trade_is_entered_and_its_page_follows(operator: Client) -> None:
    answer = operator.post("/trades/new/", NEW)
    trade = row("hand-1")
    assert answer["Location"] == f"/trades/{trade.pk}/"
    assert (trade.initial_risk, trade.opened_at) == (Decimal("100.5"), AT)
    assert authors() == [("open_position", "operator")]
    review_trade(trade.pk, by=page_desk.member("asha"), rating=4)
    page = operator.get(f"/trades/{trade.pk}/").content.decode()
    assert "by operator, <a" in page and "by asha, <a" not in page and f"/trades/{trade.pk}/close/" in page
    operator.post("/trades/new/", NEW)
    assert (Trade.objects.count(), len(fills("hand-1"))) == (1, 1)


def test_a_slip_is_shown_first_and_booked_when_it_is_sent_again(operator: Client) -> None:
    slip = {**NEW, "accepted": "", "entry_time": SUNDAY, "stop_price": "2460"}
    page = operator.post("/trades/new/", slip)
    text = page.content.decode()
    assert page.status_code == 400 and not Trade.objects.exists()
    for words in (
        "a fill while the market was closed",
        "stop on the wrong side",
        "made new",
        "Book it all the same",
        'value="2460"',
    ):
        assert words in text, words
    (accepted,) = re.findall('name="accepted" value="([^"]*)"', text)
    assert operator.post("/trades/new/", {**slip, "accepted": accepted, "entry_price": "2470"}).status_code == 302
    assert row("hand-1").flags == ["by_hand", "market_closed"]  # another price than at first: no wrong side any more


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"quantity": "ten"}, "quantity"),
        ({"entry_price": "1e400"}, "entry_price"),
        ({"entry_price": "2,450"}, "entry_price"),
        ({"symbol": "NIFTY 50"}, "symbol"),
        ({"stop_price": "-3"}, "stop_price"),
        ({"entry_time": "0001-01-01T00:00"}, "entry_time"),
        ({"entry_time": "yesterday"}, "entry_time"),
        ({"side": ""}, "side"),
        ({"trade_id": "\x00"}, "trade_id"),
        ({"exit_reason": "target"}, "exit_price"),
        ({"exit_price": "2455", "exit_time": "2024-03-15T09:29:00"}, "exit_time"),
    ],
)
def test_what_cannot_be_booked_is_said_beside_its_field(operator: Client, wrong: dict[str, str], field: str) -> None:
    page = operator.post("/trades/new/", {**NEW, **wrong})
    assert page.status_code == 400
    assert field in page.context["form"].errors
    assert not Trade.objects.exists() and not Journal.objects.exists()


def test_fills_are_added_and_the_trade_is_closed_each_once(operator: Client) -> None:
    trade = entered()
    fill = {"side": "SELL", "quantity": "4", "price": "2455", "at": "2024-03-15T09:31:00", "fill_id": "hand-f"}
    close = {"exit_price": "2460", "exit_time": "2024-03-15T09:32:00", "exit_reason": "target", "exit_charges": "3"}
    for address, sent in (("fill", fill), ("close", close)):
        assert operator.get(f"/trades/{trade.pk}/{address}/").status_code == 200
        for _ in range(2):
            assert operator.post(f"/trades/{trade.pk}/{address}/", sent)["Location"] == f"/trades/{trade.pk}/"
    trade.refresh_from_db()
    assert (len(fills("hand-1")), trade.state, trade.realised_pnl) == (3, "CLOSED", Decimal("79.5"))
    crossing = {**fill, "quantity": "400", "fill_id": "another"}
    page = operator.post(f"/trades/{trade.pk}/fill/", crossing)
    assert page.status_code == 400 and "is closed" in page.content.decode()


def test_a_fill_that_is_more_than_what_is_open_is_said_beside_the_quantity(operator: Client) -> None:
    trade = entered()
    fill = {"side": "SELL", "quantity": "400", "price": "2455", "at": "2024-03-15T09:31:00", "fill_id": "hand-f"}
    page = operator.post(f"/trades/{trade.pk}/fill/", fill)
    assert "quantity" in page.context["form"].errors


def test_a_close_of_more_or_less_than_its_page_showed_is_told_first(operator: Client) -> None:
    trade = entered()
    address = f"/trades/{trade.pk}/close/"
    close = {"exit_price": "2455", "exit_time": "2024-03-15T09:40:00", "accepted": ""}
    close["open_quantity"] = re.findall(r'name="open_quantity" value="(\d+)"', operator.get(address).content.decode())[
        0
    ]
    filled("BUY", 2450, 5, "hand-1", strategy_id="manual")
    page = operator.post(address, close)
    assert page.status_code == 400 and "fills came since this page was loaded" in page.content.decode()
    assert row("hand-1").state == "OPEN"
    assert operator.post(address, {**close, "accepted": page.context["form"].to_accept}).status_code == 302
    assert [fill.quantity for fill in fills("hand-1")] == [10, 5, 15]
    assert operator.post(address, {**close, "open_quantity": "15"}).status_code == 302  # sent twice


def test_only_operators_enter_trades(client: Client) -> None:
    trade = entered()
    for group in ("viewer", "reviewer"):
        client.force_login(page_desk.member(group))
        for address in ("/trades/new/", f"/trades/{trade.pk}/fill/", f"/trades/{trade.pk}/close/"):
            assert client.get(address).status_code == 403
            assert client.post(address, NEW).status_code == 403
        assert "new-trade" not in client.get("/trades/").content.decode()
    assert Trade.objects.count() == 1


def test_a_fresh_form_has_an_id_and_the_clock_of_its_own(operator: Client) -> None:
    first, second = (operator.get("/trades/new/").context["form"] for _ in range(2))
    assert first["trade_id"].value() != second["trade_id"].value()
    assert re.search(r'value="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"', str(first["entry_time"]))
    today = first.fields["entry_time"].clean("09:31")
    assert f"{localtime(today):%Y-%m-%d %H:%M:%S}" == f"{localdate()} 09:31:00"
    assert set(NewTradeForm.often) | {"exit_price", "charges"} <= set(first.fields)


# -- the command --


def recorded(*arguments: str) -> tuple[int, dict[str, Any]]:
    out, code = io.StringIO(), 0
    try:
        call_command("record_trade", *arguments, "--by", "asha", "--format", "json", stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, json.loads(out.getvalue())


def test_the_command_books_once_and_says_what_it_booked() -> None:
    line = (
        "RELIANCE",
        "SHORT",
        "10",
        "2450.05",
        "--at",
        "2024-03-15 09:30",
        "--accept",
        "new_symbol",
        "--exit-price",
        "2440",
        "--exit-at",
        "2024-03-15 09:35",
    )
    code, answer = recorded(*line)
    trade = Trade.objects.get()
    assert (code, answer["booked"], answer["pk"], answer["warnings"]) == (0, True, trade.pk, [])
    assert (answer["trade"]["realised_pnl"], trade.side) == ("100.5", "SHORT")
    before = snapshot()
    assert recorded(*line)[1]["trade"]["trade_id"] == trade.trade_id
    assert snapshot() == before


def test_the_command_tells_slips_and_a_dry_run_writes_nothing() -> None:
    before = snapshot()
    line = ("RELIANCE", "LONG", "10", "2450.05", "--at", "2024-03-17 10:00")
    code, answer = recorded(*line)
    assert (code, answer["booked"], answer["trade"]) == (1, False, None)
    assert [one["warning"] for one in answer["warnings"]] == ["market_closed", "new_symbol"]
    code, answer = recorded(*line, "--accept", "market_closed", "new_symbol", "--dry-run")
    assert (code, answer["booked"], answer["pk"]) == (0, False, None)
    assert answer["trade"]["flags"] == ["by_hand", "market_closed"]
    assert snapshot() == before
    with pytest.raises(CommandError, match="no price"):
        recorded(*line, "--exit-reason", "target")
