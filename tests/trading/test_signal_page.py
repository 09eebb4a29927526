"""The page of signals: filters in its address, the commands' own tables, one account, no query per row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests import page_desk
from tests.trading.test_day_pages import answered
from tests.trading.test_web_pages import Read, queries, read, words
from timeseries.errors import StoreUnavailable
from trading import summon
from trading.data_manager import DataManager
from trading.domain import amounts
from trading.operations.record_signal import record_signal
from trading.web import signals

__all__ = ["read"]

pytestmark = pytest.mark.usefixtures("ledger")

DAY = str(page_desk.DAY.date())
PERIOD = ("--from", DAY, "--to", DAY)


@pytest.fixture
def desk(ledger: None) -> None:
    page_desk.trades(12)
    page_desk.skipped(3)
    late = page_desk.OPENING - timedelta(days=40)
    record_signal("main", "opening_range", "BSE:TCS", late, {"gap": 1.5}, decision="SKIPPED", reason="too late")
    page_desk.trades(1, account="replay", first=901)


def rows(page: str) -> list[str]:
    """Return the rows of the list in words, without their conditions."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [words(row.partition('<ul class="conditions">')[0]) for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)]


@pytest.mark.ledger
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 15),
        ({"decision": "SKIPPED"}, 3),
        ({"decision": "TAKEN"}, 12),
        ({"reason": "SPREAD"}, 3),
        ({"strategy": "ema_cross"}, 7),
        ({"symbol": "M&M"}, 6),
        ({"symbol": "M&M", "decision": "TAKEN"}, 3),
        ({"since": "2024-01-01"}, 16),
        ({"since": "2024-01-01", "until": "2024-02-20"}, 1),
        ({"symbol": "BSE:TCS", "since": "2024-01-01"}, 1),
        ({"since": "2024-03-16", "until": "2024-03-18"}, 0),
        ({"since": "2024-03-18", "until": "2024-03-16"}, 15),
        ({"decision": "MAYBE", "until": "x"}, 15),
    ],
)
def test_the_list_is_narrowed_by_its_address(desk: None, read: Read, query: dict[str, str], count: int) -> None:
    page = read("/signals/", **query)
    assert len(rows(page)) == count
    assert f"{count} signal" in words(page)


def test_a_signal_leads_to_its_trade_and_shows_what_was_seen(desk: None, read: Read) -> None:
    page = read("/signals/")
    assert "T3</a>" in page and "spread too wide" in page and "&lt;u&gt;" in page and "<u>" not in page
    assert "15 Mar 2024 09:20:00" in words(page)


@pytest.mark.ledger
def test_conditions_are_those_of_the_report(desk: None, read: Read) -> None:
    report = answered("signal_report", *PERIOD)
    assert len(report["conditions"]) > 4
    page = words(read("/signals/", since=DAY, until=DAY))
    for row in report["conditions"]:
        head = f"{row['condition']} {row['strategy_id']} {row['bucket']} {row['trades_with']}"
        shown = [None if row[key] is None else Decimal(row[key]) for key in ("expectancy_with", "difference")]
        pnls = [amounts.amount(amounts.rounded(pnl, "INR"), "INR", signed=True) for pnl in shown]
        line = page.partition(escaped(head))[2][:200]
        assert line and all(pnl in line for pnl in pnls), (head, line)
        if row["p"] is not None:
            assert f"{row['p']:.3f} {row['p_adjusted']:.3f}" in line
    assert f"{report['looked_at']} looked at" in page


def escaped(text: str) -> str:
    return text.replace("'", "&#x27;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


@pytest.fixture
def ticking(desk: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager() as dm:
        for minute in range(70):
            at = page_desk.OPENING + timedelta(minutes=minute)
            dm.process_tick("M&M", {"ltp": 760 + minute / 4}, at=at)
        yield


def test_what_followed_is_read_on_demand_and_is_that_of_the_report(ticking: None, read: Read) -> None:
    assert "read when you choose how far to look" in words(read("/signals/"))
    report = answered("signal_report", *PERIOD, "--minutes", "60")
    page = words(read("/signals/", since=DAY, until=DAY, followed="60"))
    assert any(row["with_ticks"] for row in report["signals"])
    for row in report["signals"]:
        figures = [row["signals"], row["with_ticks"]]
        line = (
            f"{escaped(row['strategy_id'])} {row['decision'].lower()} {row['reason'] or '—'} {figures[0]} {figures[1]}"
        )
        assert line in page
        if row["mean_move"] is not None:
            assert f"{line} {row['mean_move']:.3f}".replace("-", amounts.MINUS) in page


def test_a_store_that_cannot_answer_costs_one_table_and_says_so(
    desk: None, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("InfluxDB does not answer.")

    monkeypatch.setattr(signals, "followed_groups", unavailable)
    page = words(read("/signals/", followed="15"))
    assert "The ticks cannot be read now: InfluxDB does not answer." in page
    assert "What a condition was worth" in page and "15 signals" in page


def test_other_minutes_are_a_page_that_is_not_there(client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    for minutes in ("7", "x", "-5", "9" * 400):
        assert client.get("/signals/", {"followed": minutes}).status_code == 404


@pytest.mark.ledger
def test_signals_of_two_accounts_are_never_on_one_page(desk: None, read: Read) -> None:
    of_main, of_replay = read("/signals/"), read("/signals/", account="replay")
    assert "T901" not in of_main and "T901" in of_replay
    assert "too late" not in of_replay and len(rows(of_replay)) == 1
    assert "opening_range" not in of_replay.partition("</form>")[0]
    assert 'href="/signals/?account=replay"' in of_main


def test_an_account_without_signals_says_what_records_them(read: Read) -> None:
    page = words(read("/signals/"))
    assert "dm.record_signal" in page and "signal_conditions" in page


def test_pages_of_the_list_keep_the_filter(desk: None, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PER_PAGE", 2)
    assert 'href="?decision=SKIPPED&amp;page=2"' in read("/signals/", decision="SKIPPED")
    assert "Page 2 of 2" in words(read("/signals/", decision="SKIPPED", page=2))


def test_the_number_of_queries_does_not_follow_the_signals(read: Read) -> None:
    page_desk.trades(2)
    page_desk.skipped(1)
    few = queries(read, "/signals/")
    assert few <= 29
    page_desk.trades(7, first=3)
    page_desk.skipped(9)
    assert queries(read, "/signals/") == few
