"""The list of trades: what narrows it, what it is sorted by, its totals, its columns, its file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import page_desk
from tests.trading import desk
from tests.trading.test_web_pages import words
from trading.domain import amounts
from trading.domain.feed_gaps import mark
from trading.models import Account, Excursion, Trade
from trading.operations.review_trade import review_trade
from trading.operations.void import void
from trading.pages.filter_form import FilterForm
from trading.queries.trade_filter import TradeFilter, matching
from trading.queries.trade_list import TradeRow, related, trade_rows
from trading.queries.trade_order import ORDERS, ordered
from trading.queries.trade_totals import totals_of
from trading.web import trades
from trading.web.trade_columns import COLUMNS

pytestmark = pytest.mark.usefixtures("ledger")

AT = datetime(2021, 5, 3, 4, 0, tzinfo=UTC)


def at_r(name: str, earned: str) -> None:
    """Book a trade that risked 200 and earned so much."""
    at = AT + timedelta(minutes=Trade.objects.count())
    desk.open_position("main", name, "ties", "TIE", entry_price=100, quantity=100, entry_time=at, stop_price=98)
    exit_price = Decimal(100) + Decimal(earned) / 100
    desk.close_position("main", name, "ties", "TIE", exit_price=exit_price, exit_time=at, exit_reason="a tie")


@pytest.fixture
def book() -> Account:
    """Three weeks of trades, with ties of R, reviews, a void trade, and measured ones with a gap and without."""
    for plan in desk.plans():
        desk.make(plan)
    for number, earned in enumerate(("25", "27", "-25", "-27", "199", "200", "201", "-200")):
        at_r(f"R{number}", earned)
    asha = page_desk.member("asha")
    for number, trade in enumerate(Trade.objects.order_by("pk")[:9]):
        review_trade(
            trade.pk, by=asha, rating=number % 5 + 1, tags=[("late", "देर", "by the plan")[number % 3]],
            state="DONE" if number % 2 else "OPEN",
        )  # fmt: skip
        if trade.closed_at is not None:
            Excursion.objects.create(
                trade=trade, mae=-number, mae_price=99, mae_at=trade.opened_at, mfe=number, mfe_price=101,
                mfe_at=trade.closed_at, ticks=5, quiet_seconds=12.5 if number % 2 else None, measured_at=AT,
            )  # fmt: skip
    void(Trade.objects.get(trade_id="R7").pk, by="asha", reason="never was")
    return Account.objects.get(code="main")


def all_rows(account: Account) -> list[TradeRow]:
    return trade_rows(related(Trade.objects.filter(account=account)).order_by("-opened_at", "-pk"))


def takes(filters: TradeFilter, row: TradeRow) -> bool:
    """Tell as a person would who reads the rows whether a filter lists one."""
    trade, review = row.trade, row.review
    bounds = [
        (filters.pnl_min, filters.pnl_max, trade.realised_pnl),
        (filters.r_min, filters.r_max, row.r_multiple),
    ]
    gap = "not_measured" if row.excursion["ticks"] is None else "gap" if row.excursion["gap"] else "no_gap"
    return (
        filters.strategy in ("", trade.strategy_id)
        and filters.symbol.lower() in trade.symbol.lower().removeprefix("bse:")
        and filters.side in ("", trade.side)
        and filters.state in ("", trade.state)
        and filters.result in ("", row.result)
        and filters.review in ("", row.review_state)
        and filters.day in (None, row.trading_day)
        and (filters.since or date.min) <= row.trading_day <= (filters.until or date.max)
        and filters.exit_reason.lower() in trade.exit_reason.lower()
        and (not filters.tag or (review is not None and filters.tag in review.tags))
        and (not filters.flag or filters.flag in trade.flags)
        and filters.gap in ("", gap)
        and all(
            (low is None or (figure is not None and low <= figure))
            and (high is None or (figure is not None and figure <= high))
            for low, high, figure in bounds
        )
    )


TIES = st.sampled_from(
    [Decimal(text) for text in ("0.12", "0.13", "0.14", "-0.12", "-0.13", "-0.14", "1", "0.99", "0")]
)
FILTERS = st.builds(
    TradeFilter,
    strategy=st.sampled_from(["", "", "", "ties", "ema cross", "breakout"]),
    symbol=st.sampled_from(["", "", "", "tie", "RELI", "M&M", "tcs"]),
    side=st.sampled_from(["", "", "LONG", "SHORT"]),
    state=st.sampled_from(["", "", "", "OPEN", "CLOSED", "VOID"]),
    result=st.sampled_from(["", "", "", "win", "loss", "breakeven", "open"]),
    review=st.sampled_from(["", "", "to_review", "reviewed"]),
    since=st.sampled_from([None, None, date(2021, 4, 12), date(2021, 5, 3)]),
    until=st.sampled_from([None, None, date(2021, 4, 20)]),
    exit_reason=st.sampled_from(["", "", "", "TIE", "stop"]),
    tag=st.sampled_from(["", "", "", "late", "देर", "late entry"]),
    flag=st.sampled_from(["", "", "", "corrected", "off_lot", "market_closed"]),
    gap=st.sampled_from(["", "", "gap", "no_gap", "not_measured"]),
    pnl_min=st.sampled_from([None, None, Decimal("-20"), Decimal("25")]),
    pnl_max=st.sampled_from([None, None, Decimal("27"), Decimal("100.5")]),
    r_min=st.none() | TIES,
    r_max=st.none() | TIES,
)
ONCE = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.ledger
def test_a_filter_lists_what_a_reader_of_the_rows_would_choose(book: Account) -> None:
    rows = all_rows(book)
    assert {str(row.r_multiple) for row in rows} >= {"0.12", "0.14", "-0.12", "-0.14", "1.00"}  # ties, half-even

    @ONCE
    @given(FILTERS)
    def agree(filters: TradeFilter) -> None:
        listed = set(matching(book, filters).values_list("pk", flat=True))
        assert listed == {row.pk for row in rows if takes(filters, row)}, filters

    agree()
    for bound in ("0.12", "0.13", "0.14", "-0.12", "-0.13", "-0.14", "1.00"):
        for filters in (TradeFilter(r_min=Decimal(bound)), TradeFilter(r_max=Decimal(bound))):
            listed = set(matching(book, filters).values_list("pk", flat=True))
            assert listed == {row.pk for row in rows if takes(filters, row)}, filters


@pytest.mark.ledger
def test_totals_are_the_sums_of_what_is_listed(book: Account) -> None:
    rows = all_rows(book)
    for filters in (TradeFilter(), TradeFilter(strategy="breakout"), TradeFilter(result="loss"), TradeFilter(tag="no")):
        listed = [row for row in rows if takes(filters, row)]
        totals = totals_of(matching(book, filters))
        assert totals.gross_pnl == sum((row.trade.realised_pnl for row in listed), Decimal(0))
        assert totals.charges == sum((row.trade.charges or 0 for row in listed), Decimal(0))
        assert totals.earned == sum((row.earned for row in listed), Decimal(0))
        by_result = [sum(row.result == word for row in listed) for word in ("win", "loss", "breakeven", "open", "void")]
        counts = (totals.winning_trades, totals.losing_trades, totals.breakeven_trades)
        assert [*counts, totals.open_trades, totals.void_trades] == by_result
        assert totals.trades == len(listed)
        unknown = [row for row in listed if row.trade.charges is None and row.result != "void"]
        assert totals.trades_without_charges == len(unknown)


def said(*options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("trade_export", *options, "--format", "json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_page_shows_the_totals_of_the_commands_json(book: Account, client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    since = {"since": "2021-04-10", "result": "loss"}
    for query in ({}, {"side": "LONG"}, since, {"r_min": "0.12"}, {"tag": "late"}):
        page = words(client.get("/trades/", query).content.decode())
        answer = said("--where", urlencode(query))
        totals = answer["totals"]
        assert totals["trades"] == len(answer["trades"]) > 0
        assert Decimal(totals["gross_pnl"]) == sum(Decimal(row["gross_pnl"]) for row in answer["trades"])
        for name, title in (("total_pnl", "P&L after known charges"), ("gross_pnl", "P&L before charges")):
            figure = amounts.amount(amounts.rounded(Decimal(totals[name]), "INR"), "INR", signed=True)
            assert f"{title} {figure}" in page
        assert f"{totals['winning_trades']} won · {totals['losing_trades']} lost" in page
        assert f"{totals['trades_without_charges']} trade" in page


def test_all_that_was_closed_adds_up_to_the_report_of_strategies(book: Account) -> None:
    out = io.StringIO()
    call_command("strategy_report", "--format", "json", stdout=out)
    total = json.loads(out.getvalue())["total"]
    assert str(totals_of(matching(book, TradeFilter())).gross_pnl.normalize()) == total["gross_pnl"]


def test_a_filter_that_a_command_cannot_read_is_said() -> None:
    for where in ("sideways=1", "side=SIDEWAYS", "r_min=a+lot", "since=yesterday"):
        with pytest.raises(CommandError, match=where.partition("=")[0]):
            said("--where", where)


@pytest.mark.ledger
def test_the_list_is_sorted_by_every_column_and_what_is_unknown_comes_last(book: Account) -> None:
    pks = {row.pk for row in all_rows(book)}
    for order in ORDERS:
        for way, is_descending in ((order, False), (f"-{order}", True)):
            rows = trade_rows(ordered(related(matching(book, TradeFilter())), way))
            assert {row.pk for row in rows} == pks, way
            figures = [SHOWN[order](row) for row in rows] if order in SHOWN else []
            present = [figure for figure in figures if figure is not None]
            assert present == sorted(present, reverse=is_descending), way
            assert figures[len(present) :] == [None] * (len(figures) - len(present)), way


SHOWN: dict[str, Callable[[TradeRow], Any]] = {
    "pnl": lambda row: row.trade.realised_pnl,
    "earned": lambda row: row.earned,
    "opened": lambda row: row.trade.opened_at,
    "closed": lambda row: row.trade.closed_at,
    "held": lambda row: row.held_seconds,
    "quantity": lambda row: row.quantity,
    "entry": lambda row: row.entry_price,
    "charges": lambda row: row.trade.charges,
    "r": lambda row: row.r_multiple,
    "side": lambda row: row.trade.side,
    "trade_id": lambda row: row.trade.trade_id,
    "stop": lambda row: row.trade.stop_price,
    "risk": lambda row: row.trade.initial_risk,
    "mae": lambda row: row.excursion["mae"],
    "mfe": lambda row: row.excursion["mfe"],
}


def test_every_column_can_be_sorted_and_shown(book: Account, client: Client) -> None:
    assert {column.key for column in COLUMNS} == set(ORDERS)
    client.force_login(page_desk.member("viewer"))
    page = client.get("/trades/", {"col": [column.key for column in COLUMNS], "sort": "-r"}).content.decode()
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', page)
    assert len(heads) == len(COLUMNS)
    assert 'aria-sort="descending"><a class="sort" href="?' in page
    assert len(re.findall(r"<tr>\s*<td", page)) == 32
    assert mark(12.5) in page
    cells = re.findall(r"<tr>(.*?)</tr>", page, re.S)[1]
    assert len(re.findall(r"<td", cells)) == len(COLUMNS)
    few = client.get("/trades/", {"col": ["r", "nonsense"]}).content.decode()
    assert re.findall(r'<th scope="col"[^>]*><a[^>]*>(.*?)</a></th>', few) == ["Symbol", "R"]


def test_the_address_keeps_filter_order_and_columns(
    book: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trades, "PER_PAGE", 5)
    client.force_login(page_desk.member("viewer"))
    page = client.get("/trades/?side=LONG&sort=-pnl&col=pnl&col=r").content.decode()
    assert "?side=LONG&amp;sort=-pnl&amp;col=pnl&amp;col=r&amp;page=2" in page
    assert "?side=LONG&amp;sort=pnl&amp;col=pnl&amp;col=r" in page  # the same column, turned round
    assert 'href="/trades/csv/?side=LONG&amp;sort=-pnl"' in page
    listed = client.get("/trades/?side=LONG").content.decode()
    assert re.search(r'href="/trades/\d+/\?side=LONG"', listed)


def test_the_file_has_every_trade_of_the_filter_in_its_order(
    book: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trades, "PER_PAGE", 2)
    client.force_login(page_desk.member("viewer"))
    answer = client.get("/trades/csv/?side=LONG&sort=pnl")
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == matching(book, TradeFilter(side="LONG")).count() > 2
    figures = [Decimal(row["gross_pnl"]) for row in rows]
    assert figures == sorted(figures)


@pytest.mark.parametrize("query", ["side=UP", "pnl_min=NaN", "since=2026-13-01", "side=LONG&r_max=x"])
def test_no_file_is_of_all_trades_where_its_filter_cannot_be_read(book: Account, client: Client, query: str) -> None:
    client.force_login(page_desk.member("viewer"))
    assert client.get(f"/trades/?{query}").status_code == 200
    for file in ("csv", "xlsx"):
        answer = client.get(f"/trades/{file}/?{query}")
        name, text = query.rsplit("&", maxsplit=1)[-1].split("=")
        assert (answer.status_code, f"{name} is “{text}”" in answer.content.decode()) == (404, True)


def test_a_page_asks_the_same_number_of_questions_however_many_trades(book: Account, client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    counts = set()
    for query in ({}, {"result": "win"}, {"since": "2021-05-03"}, {"r_min": "0.1", "sort": "-held", "tag": "late"}):
        client.get("/trades/", query)
        with CaptureQueriesContext(connection) as captured:
            client.get("/trades/", query)
        counts.add(len(captured))
    assert counts <= {10, 11, 12}  # another where averages are told by fills, for all rows at once


def test_a_field_that_cannot_be_read_narrows_nothing_and_says_so(book: Account, client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    page = client.get("/trades/?r_min=much&pnl_max=1.123456789").content.decode()
    assert page.count('class="errorlist"') == 2
    assert '<details class="more" open>' in page
    assert "32 trades" in words(page)
    assert FilterForm(QueryDict("r_min=much"), book).filter() == TradeFilter()


@pytest.mark.parametrize(
    ("query", "words_of_it"),
    [
        ("since=2021-05-03&until=2021-04-12", "lies beyond “Opened until”"),
        ("pnl_min=5&pnl_max=-5", "lies beyond “P&amp;L to”"),
        ("r_min=1&r_max=-1", "lies beyond “R to”"),
    ],
)
def test_a_span_that_ends_before_it_begins_narrows_nothing_and_says_so(
    query: str, words_of_it: str, book: Account, client: Client
) -> None:
    client.force_login(page_desk.member("viewer"))
    page = client.get(f"/trades/?{query}").content.decode()
    assert words_of_it in page and "32 trades" in words(page)
    assert client.get(f"/trades/csv/?{query}").status_code == 404
    with pytest.raises(CommandError, match="lies beyond"):
        said("--where", query)


def test_a_span_of_one_day_and_one_amount_is_a_span(book: Account) -> None:
    form = FilterForm(QueryDict("since=2021-04-12&until=2021-04-12&r_min=1&r_max=1"), book)
    assert (form.filter().until, form.filter().r_max, form.is_valid()) == (date(2021, 4, 12), Decimal(1), True)
