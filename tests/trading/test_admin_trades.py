"""Trades in the admin: who may do what, the review that is stored, facts that stay, the list, the CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import page_desk
from tests.trading.test_web_pages import big, words
from trading.admin.base import ReadOnly
from trading.admin.trades import TradeAdmin
from trading.domain.spreadsheet import cell
from trading.errors import LedgerBusy
from trading.models import Fill, Journal, Review, Strategy, Trade, User

pytestmark = pytest.mark.usefixtures("ledger")

LIST = "/admin/trading/trade/"
SAID = {"rating": "2", "tags": "late, chased ,late", "mistakes": "no plan", "notes": "one\r\ntwo", "done": "on"}
NO_INLINES = {
    f"{prefix}-{name}": "0"
    for prefix in ("fills", "stop_changes", "signals")
    for name in ("TOTAL_FORMS", "INITIAL_FORMS")
}
As = Callable[[str], Client]


@pytest.fixture
def as_user(client: Client) -> As:
    """Return a client logged in as one of a group."""

    def log_in(group: str) -> Client:
        client.force_login(page_desk.member(group))
        return client

    return log_in


def page_of(trade: Trade) -> str:
    return f"{LIST}{trade.pk}/change/"


def one_trade(number: int = 1) -> Trade:
    page_desk.trade(f"T{number}", number)
    return Trade.objects.get(trade_id=f"T{number}")


def facts(trade: Trade) -> list[Any]:
    row = Trade.objects.filter(pk=trade.pk).values_list()
    return [*row, *Fill.objects.filter(trade=trade).order_by("pk").values_list()]


# -- reviewing -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("group", ["reviewer", "operator"])
def test_a_review_is_stored_with_who_and_when(as_user: As, group: str) -> None:
    trade = one_trade()
    answer = as_user(group).post(page_of(trade), SAID | NO_INLINES)
    assert answer.status_code == 302
    review = Review.objects.get(trade=trade)
    assert (review.rating, review.tags, review.mistakes) == (2, ["late", "chased"], "no plan")
    assert review.notes == "one\ntwo"
    assert review.state == Review.State.DONE
    assert review.reviewed_by is not None
    assert review.reviewed_by.username == group
    assert review.reviewed_at is not None


@pytest.mark.ledger
def test_the_journal_keeps_every_version_of_a_review_with_its_author(as_user: As) -> None:
    trade, client = one_trade(), as_user("reviewer")
    client.post(page_of(trade), SAID | NO_INLINES)
    client.post(page_of(trade), SAID | NO_INLINES | {"rating": "5"})
    rows = Journal.objects.filter(operation="review_trade").order_by("sequence")
    assert [(row.recorded_by, json.loads(row.body)["review"]["rating"]) for row in rows] == [
        ("reviewer", 2),
        ("reviewer", 5),
    ]


def test_a_review_that_is_not_done_stays_to_review(as_user: As) -> None:
    trade, client = one_trade(), as_user("reviewer")
    client.post(page_of(trade), {**SAID, **NO_INLINES, "done": ""})
    assert Review.objects.get(trade=trade).state == Review.State.OPEN
    assert "T1" in client.get(LIST, {"review": "to_review"}).content.decode()


def test_the_form_shows_what_was_said_before(as_user: As) -> None:
    trade, client = one_trade(), as_user("reviewer")
    client.post(page_of(trade), SAID | NO_INLINES)
    form = client.get(page_of(trade)).context["adminform"].form
    assert [form[name].value() for name in ("rating", "tags", "notes", "done")] == [2, "late, chased", "one\ntwo", True]


@pytest.mark.parametrize(
    ("field", "text"), [("rating", "6"), ("tags", "back\\slash"), ("notes", "x" * 1001), ("mistakes", "x" * 1001)]
)
def test_a_review_that_cannot_be_is_refused_beside_its_field(as_user: As, field: str, text: str) -> None:
    trade = one_trade()
    page = as_user("reviewer").post(page_of(trade), {**SAID, **NO_INLINES, field: text})
    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors
    assert not Review.objects.exists()


def test_a_busy_ledger_is_said_and_nothing_is_stored(as_user: As, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise LedgerBusy("The ledger could not be written.", hint="Nothing was written: call again.")

    trade = one_trade()
    monkeypatch.setattr("trading.admin.trades.review_trade", refuse)
    page = as_user("reviewer").post(page_of(trade), SAID | NO_INLINES, follow=True)
    assert "Nothing was written: call again." in page.content.decode()
    assert not Review.objects.exists()


# -- what nobody may do ----------------------------------------------------------------------------------------------
def test_a_viewer_sees_a_review_and_cannot_store_one(as_user: As) -> None:
    trade = one_trade()
    page_desk.member("asha")
    page_desk.reviewed("T1")
    client = as_user("viewer")
    page = client.get(page_of(trade))
    assert page.status_code == 200
    assert "late entry, trend" in page.content.decode()
    assert '<input type="submit"' not in page.content.decode()
    assert '<textarea name="notes"' not in page.content.decode()
    before = Review.objects.values().get()
    assert client.post(page_of(trade), SAID | NO_INLINES).status_code == 403
    assert Review.objects.values().get() == before


def test_somebody_without_a_group_sees_no_trade(client: Client) -> None:
    trade = one_trade()
    client.force_login(User.objects.create_user("new", is_staff=True))
    for address in (LIST, page_of(trade), f"{LIST}csv/"):
        assert client.get(address).status_code == 403


@pytest.mark.parametrize("group", ["reviewer", "operator", "asha"])
def test_a_post_that_names_ledger_facts_changes_none(as_user: As, group: str) -> None:
    trade, client = one_trade(), as_user(group)
    before = facts(trade)
    forged = {
        "realised_pnl": "999999", "state": "VOID", "side": "SHORT", "trade_id": "X", "account": "2", "charges": "0",
        "fills-TOTAL_FORMS": "2", "fills-INITIAL_FORMS": "2", "fills-0-id": str(trade.fills.first().pk),
        "fills-0-trade": str(trade.pk), "fills-0-price": "1", "fills-0-quantity": "1", "fills-0-DELETE": "on",
        "fills-1-id": "", "fills-1-price": "1", "fills-1-quantity": "1",
    }  # fmt: skip
    client.post(page_of(trade), {**SAID, **NO_INLINES, **forged})
    assert facts(trade) == before


@pytest.mark.parametrize("group", ["viewer", "reviewer", "operator", "asha"])
def test_nobody_adds_or_deletes_a_trade(as_user: As, group: str) -> None:
    trade, client = one_trade(), as_user(group)
    assert client.post(f"{LIST}add/", SAID).status_code == 403
    assert client.post(f"{LIST}{trade.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [trade.pk], "post": "yes"}
    client.post(LIST, chosen)
    assert Trade.objects.filter(pk=trade.pk).exists()


def test_a_record_is_not_saved_by_a_way_around_the_permissions() -> None:
    with pytest.raises(PermissionError, match="written by operations"):
        ReadOnly().save_model(None, one_trade(), None, change=True)  # type: ignore[arg-type]
    with pytest.raises(PermissionError, match="never deleted"):
        ReadOnly().delete_model(None, Trade.objects.get())  # type: ignore[arg-type]


# -- the page and the list -------------------------------------------------------------------------------------------
def test_the_page_shows_fills_stops_signals_and_conditions(as_user: As) -> None:
    page = words(as_user("viewer").get(page_of(one_trade(2))).content.decode())
    for shown in ("Fills", "Buy", "Sell", "₹3,520.40", "Stop changes", "ATR", "Signals", "Taken", "ema_slow 3520.4"):
        assert shown in page, shown


@pytest.mark.ledger
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"strategy__id__exact": "{strategy}"}, {"held"}),
        ({"instrument__id__exact": "{instrument}"}, {"held"}),
        ({"side__exact": "SHORT"}, {"lost"}),
        ({"state__exact": "OPEN"}, {"held"}),
        (
            {"trading_day__year": "2024", "trading_day__month": "3", "trading_day__day": "15"},
            {"won", "lost", "even", "held"},
        ),
        ({"trading_day__year": "2023"}, set()),
        ({"result": "win"}, {"won"}),
        ({"result": "loss"}, {"lost"}),
        ({"result": "breakeven"}, {"even"}),
        ({"result": "open"}, {"held"}),
        ({"review": "reviewed"}, {"won"}),
        ({"review": "to_review"}, {"lost", "even", "held"}),
        ({"account": "replay"}, {"T901"}),
        ({"q": "relian"}, {"held"}),
        ({"q": "went"}, {"won"}),
    ],
)
def test_the_list_is_narrowed(as_user: As, query: dict[str, str], ids: set[str]) -> None:
    client = as_user("asha")
    held = mixed_desk()
    query = {
        name: text.format(strategy=held.strategy_id, instrument=held.instrument_id) for name, text in query.items()
    }
    assert {trade.trade_id for trade in client.get(LIST, query).context["cl"].result_list} == ids


def test_results_read_won_lost_and_even_in_the_filter_and_in_the_list(as_user: As) -> None:
    client = as_user("asha")
    mixed_desk()
    page = client.get(LIST).content.decode()
    choices = re.findall(r'\?result=(\w+)"[^>]*>\s*([^<]+?)\s*<', page)
    assert choices == [("win", "Won"), ("loss", "Lost"), ("breakeven", "Even"), ("open", "Open")]
    assert set(re.findall(r'<span class="badge \w+">(\w+)</span>', page)) >= {"won", "lost", "even", "open"}


def test_the_list_shows_one_account_and_never_all(as_user: As) -> None:
    page_desk.trades(2)
    page_desk.trades(1, account="replay", first=901)
    client = as_user("viewer")
    assert {trade.trade_id for trade in client.get(LIST).context["cl"].result_list} == {"T1", "T2"}
    filters = client.get(LIST).content.decode().partition('id="changelist-filter"')[2]
    choices = re.findall(r'\?account=\w+"[^>]*>\s*([^<]+?)\s*<', filters)
    assert choices == ["main (live)", "replay (replay)"]


def test_the_filter_names_the_strategies_that_have_trades(as_user: As) -> None:
    page_desk.trades(4)
    Strategy.objects.create(code="never traded")
    page = as_user("viewer").get(LIST).content.decode()
    choices = re.findall(r'\?strategy__id__exact=(\d+)"', page)
    assert {int(pk) for pk in choices} == set(Trade.objects.values_list("strategy", flat=True))
    assert "never traded" not in page


def test_money_in_the_list_is_grouped_signed_and_coloured(as_user: As) -> None:
    big("lakh", entry="2450.05", leave="2573.50", quantity=10_000)
    big("loss", entry="2450.05", leave="2449.05", quantity=10)
    page = as_user("viewer").get(LIST).content.decode()
    assert '<span class="figure gain">+₹12,34,500.00</span>' in page
    assert '<span class="figure loss">−₹10.00</span>' in page


def test_names_that_would_do_harm_are_shown_as_they_are(as_user: As) -> None:
    page_desk.trades(12)
    client = as_user("viewer")
    evil = Trade.objects.filter(instrument__symbol=page_desk.EVIL_SYMBOL).first()
    assert evil is not None
    for address in (
        LIST,
        page_of(evil),
        "/admin/trading/signal/",
        "/admin/trading/instrument/",
        "/admin/trading/strategy/",
    ):
        page = client.get(address).content.decode()
        assert "<i>" not in page, address
        assert "<u>" not in page, address
        assert "<b>" not in page, address


@pytest.mark.parametrize("address", [LIST, "/admin/trading/signal/"])
def test_the_number_of_queries_does_not_follow_the_number_of_rows(as_user: As, address: str) -> None:
    client = as_user("viewer")
    page_desk.trades(2)  # of two symbols; later of four
    few = queries(client, address)
    page_desk.trades(7, first=3)
    page_desk.skipped(3)
    page_desk.member("asha")
    page_desk.reviewed("T2")
    page_desk.reviewed("T7")
    assert queries(client, address) == few


def test_the_list_is_narrowed_by_year_month_and_day(as_user: As) -> None:
    client = as_user("viewer")
    for day in (datetime(2023, 12, 29, 4), datetime(2024, 1, 2, 4), datetime(2024, 3, 15, 4), datetime(2024, 3, 18, 4)):
        page_desk.closed_trade(f"{day:%d %b}", day.replace(tzinfo=UTC), day.replace(tzinfo=UTC, hour=5))

    def names(query: str) -> list[str]:
        page = client.get(f"{LIST}{query}").content.decode().partition("toplinks")[2].partition("</nav>")[0]
        return re.findall(r">\s*([A-Za-z0-9 ]+)</a>", page)

    assert names("") == ["2023", "2024"]
    assert names("?trading_day__year=2024") == ["January 2024", "March 2024"]
    assert names("?trading_day__year=2024&trading_day__month=3") == ["15 March", "18 March"]


def test_the_number_of_queries_of_a_page_does_not_follow_its_fills(as_user: As) -> None:
    from trading.operations.add_fill import add_fill

    client = as_user("viewer")
    page_desk.open_trade("few")
    page_desk.open_trade("many")
    for number in range(6):
        at = page_desk.OPENING.replace(hour=9, minute=30 + number)
        add_fill("main", "many", "SELL", 2470, 10, at, charges=1)
    few, many = (queries(client, page_of(Trade.objects.get(trade_id=name))) for name in ("few", "many"))
    assert many == few


# -- CSV -------------------------------------------------------------------------------------------------------------
def test_the_csv_holds_all_that_is_filtered_not_only_the_page(as_user: As, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TradeAdmin, "list_per_page", 2)
    page_desk.trades(6)
    page_desk.trades(2, account="replay", first=901)
    client = as_user("viewer")
    assert len(client.get(LIST).context["cl"].result_list) == 2
    assert len(lines(client.get(f"{LIST}csv/"))) == 6
    shorts = lines(client.get(f"{LIST}csv/", {"side__exact": "SHORT", "p": "2"}))
    assert len(shorts) == 3
    assert {row["side"] for row in shorts} == {"SHORT"}
    assert {row["account"] for row in lines(client.get(f"{LIST}csv/", {"account": "replay"}))} == {"replay"}


def test_the_list_links_to_the_csv_of_its_filter(as_user: As) -> None:
    page_desk.trades(3)
    page = as_user("viewer").get(LIST, {"side__exact": "SHORT"}).content.decode()
    assert 'href="/admin/trading/trade/csv/?side__exact=SHORT"' in page


def test_the_csv_of_chosen_rows_holds_those(as_user: As) -> None:
    page_desk.trades(3)
    chosen = [trade.pk for trade in Trade.objects.exclude(trade_id="T2")]
    answer = as_user("viewer").post(LIST, {"action": "download", "_selected_action": chosen})
    assert {row["trade_id"] for row in lines(answer)} == {"T1", "T3"}


@pytest.mark.ledger
def test_money_in_the_csv_is_plain_and_adds_up(as_user: As) -> None:
    big("lakh", entry="2450.05", leave="2573.50", quantity=10_000, charges="12.5")
    big("loss", entry="2450.05", leave="2449.05", quantity=10)
    rows = {row["trade_id"]: row for row in lines(as_user("viewer").get(f"{LIST}csv/"))}
    assert (rows["lakh"]["gross_pnl"], rows["lakh"]["charges"]) == ("1234500", "12.5")
    assert (rows["loss"]["gross_pnl"], rows["loss"]["charges"]) == ("-10", "")
    total = sum(trade.realised_pnl for trade in Trade.objects.all())
    assert sum(Decimal(row["gross_pnl"]) for row in rows.values()) == total


def test_no_text_of_the_csv_runs_in_a_spreadsheet(as_user: As) -> None:
    big('=HYPERLINK("http://evil","x")', entry=100, leave=99, quantity=1, strategy="@SUM(A1)")
    page_desk.member("asha")
    page_desk.reviewed('=HYPERLINK("http://evil","x")', notes="  +1+1|cmd", mistakes="-2+3")
    (row,) = lines(as_user("viewer").get(f"{LIST}csv/"))
    texts = [row[name] for name in ("trade_id", "strategy", "notes", "mistakes")]
    assert texts == ['\'=HYPERLINK("http://evil","x")', "'@SUM(A1)", "'  +1+1|cmd", "'-2+3"]
    assert row["gross_pnl"] == "-1"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "＝1", "  =1"])
def test_a_cell_that_could_run_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("-0.10"), "-0.1"), (Decimal("1E+3"), "1000"), (None, ""), ("plain - text", "plain - text")],
)
def test_a_cell_that_cannot_run_stays_as_it_is(value: object, text: str) -> None:
    assert cell(value) == text


def test_the_csv_of_a_filter_that_cannot_be_leads_back_to_the_list(as_user: As) -> None:
    answer = as_user("viewer").get(f"{LIST}csv/", {"trading_day__year": "x"})
    assert answer.status_code == 302
    assert answer["Location"] == LIST


def lines(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def mixed_desk() -> Trade:
    big("won", entry=100, leave=102, quantity=10, charges="1")
    big("lost", entry=100, leave=102, quantity=10, side="SHORT")
    big("even", entry=100, leave=100, quantity=10)
    page_desk.open_trade("held")
    page_desk.trades(1, account="replay", first=901)
    page_desk.reviewed("won")
    return Trade.objects.get(trade_id="held")


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)
