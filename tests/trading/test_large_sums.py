"""Sums beyond what one amount may be (92,233,720,368) are exact, wherever they are asked for."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tests.page_desk import member
from tests.trading.book import closed, opened
from trading.data_manager import DataManager
from trading.operations.add_capital import add_capital
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.proof.verify import verify_ledger
from trading.queries.accounts import capital_flows, get_account, pnl_by_day
from trading.queries.day import day_figures

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger", "alone")]
GAIN = Decimal("60000000000.12345678")  # two of them pass the bound, and 64 bits of 10^-8
THURSDAY = datetime(2024, 3, 14, 4, 0, tzinfo=UTC)
DAYS = [date(2024, 3, 14), date(2024, 3, 15)]


@pytest.fixture(autouse=True)
def trades(ledger: Any) -> None:
    """On each of two days a trade of either strategy that gains, and one that loses half as much and a charge."""
    for number in range(2):
        for strategy in ("ema cross", "breakout"):
            for name, symbol, side in (("gain", "RELIANCE", "LONG"), ("loss", "INFY", "SHORT")):
                said: dict[str, Any] = {"strategy_id": strategy, "symbol": symbol}
                trade_id, at = f"{strategy} {name} {number}", THURSDAY + timedelta(days=number)
                opened(trade_id, **said, side=side, entry_price=1, quantity=1, entry_time=at)
                price = 1 + (GAIN if name == "gain" else GAIN / 2)
                closed(trade_id, price, **said, exit_time=at + timedelta(minutes=1), charges="0.00000001")


TOTAL = 4 * GAIN - 2 * GAIN - 8 * Decimal("0.00000001")


def test_a_days_and_a_periods_figures_are_exact() -> None:
    account = get_account("main")
    assert day_figures(account, DAYS[0])["total_pnl"] == TOTAL / 2
    assert {
        day: Decimal(units).scaleb(-8) for day, units in pnl_by_day(account, until=DAYS[1]).items()
    } == dict.fromkeys(DAYS, TOTAL / 2)
    with DataManager() as dm:
        for made in (dm.get_strategy_stats("breakout", None), dm.get_symbol_stats("RELIANCE", None)):
            assert made["total_trades"] in (2, 4)
        assert dm.get_symbol_stats("RELIANCE", None)["gross_pnl"] == 4 * GAIN
        assert dm.get_symbol_stats("INFY", None)["gross_pnl"] == -2 * GAIN
        assert dm.get_strategy_stats("breakout", None)["total_pnl"] == TOTAL / 2
        for cut in ("day", "week", "month", "strategy", "symbol", "side", "weekday", "hour"):
            assert sum(row["total_pnl"] for row in dm.get_stats_by(cut, None)) == TOTAL
        assert dm.get_daily_summary(DAYS[1])["total"]["total_pnl"] == TOTAL / 2


def test_capital_is_exact() -> None:
    for _ in range(3):
        add_capital("main", DAYS[0], GAIN)
    add_capital("main", DAYS[0], -GAIN)
    assert capital_flows(get_account("main"), until=DAYS[0])[DAYS[0]] == int(2 * GAIN.scaleb(8))


def test_every_page_and_report_answers(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.force_login(member("asha"))
    for path in ("/", f"/?date={DAYS[0]}", "/strategies/?days=all", "/trades/?days=all"):
        assert client.get(path, headers={"host": "localhost"}).status_code == 200, path
    for command in ("strategy_report", "symbol_report", "daily_summary"):
        call_command(command, "--from", str(DAYS[0]), "--to", str(DAYS[1]), "--format", "json")
        assert json.loads(capsys.readouterr().out)["total"]["total_pnl"] == f"{TOTAL:f}", command
    call_command("trade_export", "--from", str(DAYS[0]), "--to", str(DAYS[1]), "--format", "json")
    assert sum(Decimal(row["gross_pnl"]) for row in json.loads(capsys.readouterr().out)["trades"]) == 2 * GAIN


def test_a_published_day_proves_itself() -> None:
    publish_daily_summary(get_account("main"), DAYS[0])
    assert verify_ledger().differences == []
