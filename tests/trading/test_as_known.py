"""Figures as they were known: whatever is recorded later, the answer for an instant stays the same."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from tests.trading.book import AT, MINUTE, closed, filled, opened, row
from trading.domain.shapes import StrategyReport
from trading.models import DailySummary, User
from trading.operations.add_capital import add_capital
from trading.operations.amend import amend
from trading.operations.review_trade import review_trade
from trading.operations.set_charges import set_charges
from trading.operations.void import void
from trading.queries.accounts import get_account
from trading.queries.daily_summary import build_daily_summary
from trading.queries.period import desk_date
from trading.queries.reports import selection, strategy_report, symbol_report
from trading.queries.statistics import Cut, exits_of

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]
WHO = {"by": "asha", "reason": "typing error"}
DAYS = (date(2024, 3, 14), date(2024, 3, 15), date(2024, 3, 18))
LATER = datetime(2024, 3, 20, tzinfo=UTC)

STEPS: list[Callable[[], Any]] = [
    lambda: opened("T1", stop_price=2440),
    lambda: opened("T2", strategy_id="orb", charges=5),
    lambda: closed("T2", strategy_id="orb", price=2440, charges=5),
    lambda: filled("SELL", 2460, 4),
    lambda: amend(row("T1").pk, fill=2, price=2461, **WHO),
    lambda: closed("T1", exit_reason="stop"),
    lambda: set_charges("main", "T1", "20.5", source="note"),
    lambda: amend(row("T2").pk, strategy_id="vwap", **WHO),
    lambda: amend(row("T1").pk, fill=3, quantity=5, **WHO),
    lambda: add_capital("main", DAYS[0], 5000),
    lambda: opened("T3", entry_time=AT - timedelta(days=1)),
    lambda: amend(row("T3").pk, at=AT, **WHO),
    lambda: amend(row("T2").pk, strategy_id="orb", **WHO),
    lambda: closed("T3", exit_time=AT + timedelta(days=3)),
    lambda: void(row("T1").pk, fill=2, **WHO),
    lambda: void(row("T2").pk, **WHO),
    lambda: closed("T1", price=2470, exit_time=AT + 9 * MINUTE, exit_reason="target"),
    lambda: void(row("T1").pk, **WHO),
]


def now_known() -> dict[str, Any]:
    return {str(day): build_daily_summary(get_account("main"), day, now=LATER) for day in DAYS}


def known(at: datetime) -> dict[str, Any]:
    return {str(day): build_daily_summary(get_account("main"), day, now=LATER, known_at=at) for day in DAYS}


def test_every_instant_is_answered_as_it_was_then() -> None:
    answers = []
    for do in STEPS:
        do()
        answers.append((datetime.now(UTC), now_known()))
    for at, was in answers:
        assert known(at) == was
    assert any(left != right for (_, left), (_, right) in pairwise(answers))


def reports(step: int, at: datetime | None = None) -> list[dict[str, Any]]:
    """Return the reports of all, of a strategy or of a symbol, in turn, on each database of another; in `make chaos` of
    all three."""
    made = []
    narrowings = [{}, {"strategy_id": "orb"}, {"symbol": "RELIANCE"}]
    turn = step + (connection.vendor == "sqlite")
    for narrowed in narrowings if "VELOX_EVERY_REPORT" in os.environ else [narrowings[turn % 3]]:
        chosen = selection(get_account("main"), first=DAYS[0], last=DAYS[2], known_at=at, **narrowed)
        made += [strategy_report(chosen, now=LATER), symbol_report(chosen, now=LATER)]
        whole = selection(get_account("main"), known_at=at, **narrowed)
        made += [strategy_report(whole, now=LATER)]
    return made


def test_every_report_is_answered_as_it_was_then() -> None:
    """With every cut, conditions and reasons of exits among them."""
    opened("T0", strategy_id="orb", signal_conditions={"rsi": 61, "up": True})
    answers = []
    for do in [lambda: closed("T0", strategy_id="orb", exit_reason="target"), *STEPS]:
        do()
        answers.append((datetime.now(UTC), reports(len(answers))))
        if do is STEPS[5]:
            review_trade(row("T1").pk, by=User.objects.create_user("asha"), tags=["early"])
            answers.append((datetime.now(UTC), reports(len(answers))))
    for number, (at, was) in enumerate(answers):
        assert reports(number, at) == was, number


def test_a_reason_that_a_void_fill_took_away_is_none_in_what_was_known() -> None:
    """The trade was closed once more, by a fill that said nothing: the reason of the first close was in the report."""
    opened()
    closed(exit_reason="target")
    void(row().pk, fill=2, **WHO)
    filled("SELL", 2470, 10)
    then, was = datetime.now(UTC), reports_of_march()
    assert [part["key"] for part in was["by"]["exit_reason"]] == ["—"]
    set_charges("main", "T1", "20.5", source="note")
    assert reports_of_march(then) == was


def test_days_of_an_exchange_that_was_traded_on_later_are_no_sample_of_what_was_known() -> None:
    """On 25 March (Holi) the stock exchange was closed and the commodity exchange was not."""
    opened()
    closed()
    then, was = datetime.now(UTC), reports_of_march()
    opened("T2", symbol="MCX:CRUDEOIL24MARFUT")
    closed("T2", symbol="MCX:CRUDEOIL24MARFUT")
    assert (was["total"]["trading_days"], reports_of_march()["total"]["trading_days"]) == (7, 8)
    assert reports_of_march(then) == was


def reports_of_march(at: datetime | None = None) -> StrategyReport:
    chosen = selection(get_account("main"), first=date(2024, 3, 14), last=date(2024, 3, 26), known_at=at)
    return strategy_report(chosen, now=LATER)


def test_one_strategy_is_cut_as_it_was() -> None:
    opened()
    closed()
    then = datetime.now(UTC)
    amend(row().pk, strategy_id="orb", **WHO)
    account = get_account("main")
    for strategy, at, count in (("ema cross", then, 1), ("orb", then, 0), ("ema cross", None, 0), ("orb", None, 1)):
        assert len(list(exits_of(Cut(account, strategy, known_at=at), DAYS[0], DAYS[2]))) == count


def test_the_command_says_it_and_publishes_nothing() -> None:
    opened()
    closed()

    def answer(on: date) -> dict[str, Any]:
        out = io.StringIO()
        call_command("daily_summary", "--date", "2024-03-15", "--as-known-on", str(on), "--format", "json", stdout=out)
        return dict(json.loads(out.getvalue()))

    today = desk_date(datetime.now(UTC))
    said = answer(today)
    assert (said["total"]["gross_pnl"], said["as_known_on"]) == ("149.5", today.isoformat())
    assert answer(today - timedelta(days=1))["total"]["total_trades"] == 0
    assert not DailySummary.objects.exists()


@pytest.mark.parametrize("name", ["strategy_report", "symbol_report", "signal_report"])
def test_the_reports_take_the_day(name: str) -> None:
    opened(signal_conditions={"rsi": 61})
    closed()
    today = desk_date(datetime.now(UTC))
    for on, there in ((today, True), (today - timedelta(days=1), False)):
        out = io.StringIO()
        call_command(name, "--as-known-on", str(on), "--format", "json", stdout=out)
        said = json.loads(out.getvalue())
        assert (said["as_known_on"], said["from"]) == (on.isoformat(), "2024-03-15" if there else None)
        assert len(said[{"signal_report": "conditions"}.get(name, "days")]) == there
