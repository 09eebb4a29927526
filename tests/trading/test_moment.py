"""A report, a page and a file are of one moment of the ledger, whoever books between two of their statements."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client

from tests import page_desk
from tests.trading.test_web_pages import words
from trading.data_manager import DataManager
from trading.models import Trade
from trading.moment import one_moment
from trading.operations.amend import amend
from trading.queries import reports, statistics, summary_span, trade_export
from trading.web import trades as trades_page

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger", "alone")]
Racing = Callable[[Any, str], None]


@pytest.fixture
def racing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Racing]:
    """Let another writer book a trade just before each call of a function, in the midst of what is read."""
    page_desk.trades(3)
    numbers = count(10)

    def book() -> None:
        try:
            page_desk.trades(1, first=next(numbers))
        finally:
            connections.close_all()

    def race(module: Any, name: str) -> None:
        plain = getattr(module, name)

        def raced(*arguments: Any, **keywords: Any) -> Any:
            writer = Thread(target=book)
            writer.start()
            writer.join()
            return plain(*arguments, **keywords)

        monkeypatch.setattr(module, name, raced)

    yield race
    assert Trade.objects.count() > 3, "nobody wrote meanwhile"


def told(*command: str) -> Any:
    output = io.StringIO()
    call_command(*command, "--format", "json", stdout=output, stderr=io.StringIO())
    return json.loads(output.getvalue())


@pytest.mark.parametrize("name", ["strategy_report", "symbol_report"])
def test_a_reports_days_add_up_to_its_total(racing: Racing, name: str) -> None:
    racing(reports, "exits_as_columns")
    racing(reports, "trading_days")
    racing(reports, "history_of")
    report = told(name)
    total, days = report["total"], report["days"]
    assert sum(Decimal(day["pnl"]) for day in days) == Decimal(total["total_pnl"])
    assert Decimal(days[-1]["equity"]) == 100_000 + Decimal(total["total_pnl"])
    assert total["total_trades"] == 3


def test_days_add_up_to_the_total_of_their_span(racing: Racing) -> None:
    racing(summary_span, "exits_as_columns")
    report = told("daily_summary", "--from", "2024-03-01", "--to", "2024-03-31")
    assert [day["total"]["total_trades"] for day in report["days"]] == [report["total"]["total_trades"]] == [3]


def test_a_files_trades_are_those_of_its_totals(racing: Racing) -> None:
    racing(trade_export, "estimates_of")
    file = told("trade_export")
    assert len(file["trades"]) == file["totals"]["trades"] == 3
    gross = sum(Decimal(trade["gross_pnl"]) for trade in file["trades"])
    assert gross == Decimal(file["totals"]["gross_pnl"])


def test_a_lists_rows_are_those_of_its_totals(racing: Racing, client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    racing(trades_page, "trade_rows")
    page = words(client.get("/trades/").content.decode())
    assert "T10" not in page and "T3" in page


def test_the_facade_answers_of_one_moment(racing: Racing) -> None:
    with DataManager() as dm:
        before = dm.get_strategy_stats(page_desk.STRATEGIES[1], None)
        racing(statistics, "exits_of")
        assert dm.get_strategy_stats(page_desk.STRATEGIES[1], None) == before
        assert dm.get_strategy_stats(page_desk.STRATEGIES[1], None)["total_trades"] == before["total_trades"] + 1


def test_who_reads_holds_no_writer_up_and_sees_what_came_afterwards() -> None:
    page_desk.trades(1)
    with one_moment():
        assert Trade.objects.count() == 1
        writer = Thread(target=lambda: (page_desk.trades(1, first=2), connections.close_all()))
        writer.start()
        writer.join(timeout=60)
        assert not writer.is_alive() and Trade.objects.count() == 1
        with one_moment():
            assert Trade.objects.count() == 1
    assert Trade.objects.count() == 2
    trade = Trade.objects.get(trade_id="T1")
    assert amend(trade.pk, fill=1, price=2, by="asha", reason="the connection writes as before").flags
