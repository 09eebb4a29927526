"""One trade's life on one terminal screen."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.trading.pictures import picture
from trading import summon
from trading.data_manager import DataManager
from trading.domain.drawing import sparkline
from trading.management.trade_screen import WIDTH
from trading.models import Journal, Trade, User
from trading.operations.add_screenshot import add_screenshot
from trading.operations.review_trade import review_trade
from trading.operations.void import void
from trading.operations.withdraw_screenshot import withdraw_screenshot

AT = datetime(2021, 4, 12, 4, 0, tzinfo=UTC)  # 09:30 at the desk
SECOND = timedelta(seconds=1)


@pytest.fixture
def desk(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataManager]:
    """A short trade of 10 RELIANCE that scales out, with many moves of its stop, reviewed."""
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager(source="test") as dm:
        for number in range(300):
            dm.process_tick("RELIANCE", {"ltp": 2450 - number / 10}, at=AT + number * SECOND)
        seen = {f"condition number {number}": number / 7 for number in range(30)}
        dm.open_position(
            "T1", "orb", "RELIANCE", 2450, 10, AT, side="SHORT", stop_price=2460, charges="12.5", signal_conditions=seen
        )
        for number in range(1, 12):
            at = AT + 20 * number * SECOND
            dm.update_trailing_sl("T1", "orb", "RELIANCE", 2460 - number, 2450 - number, "ATR", at=at)
        dm.add_fill("T1", "BUY", 2440, 4, AT + 100 * SECOND)
        dm.close_position("T1", "orb", "RELIANCE", 2425, AT + 250 * SECOND, exit_reason="target")
        meera = User.objects.create(username="meera")
        review_trade(
            Trade.objects.get().pk, by=meera, rating=4, tags=["patient"], notes="Let it run.\nThen out." + " long" * 60
        )
        yield dm


def told(*options: str) -> str:
    out = io.StringIO()
    call_command("trade", *options, stdout=out)
    return out.getvalue()


@pytest.mark.ledger
def test_a_trade_fits_one_screen_and_tells_all(desk: DataManager) -> None:
    lines = told("T1").splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    for word in (
        *("RELIANCE SHORT", "orb", "T1", "09:30:00", "won · target", "190.00", "1.78 R", "MAE", "MFE", "given back"),
        *("condition number 0", "BUY 4 at 2440", "2460 to 2449", "ATR", "4 of 5", "patient", "meera", "Let it run."),
        *("open_position", "review_trade", "charges 12.50", "more"),
    ):
        assert word in text, word
    marks = next(line for line in lines if line.strip().startswith("E "))
    assert marks.rstrip().endswith("X") and "s" in marks and "-" in marks


@pytest.mark.ledger
def test_as_json_it_is_the_same_trade_with_every_line_of_the_journal(desk: DataManager) -> None:
    kept = add_screenshot(Trade.objects.get(trade_id="T1").pk, picture(), by="meera")
    other = add_screenshot(Trade.objects.get(trade_id="T1").pk, picture(shade=9), by="meera")
    withdraw_screenshot(other.pk, by="asha", reason="of another trade")
    made = json.loads(told("T1", "--format", "json"))
    screenshot, withdrawn = made["screenshots"]
    assert screenshot["withdrawal"] is None and withdrawn["sha256"] == other.sha256
    assert (withdrawn["withdrawal"]["author"], withdrawn["withdrawal"]["reason"]) == ("asha", "of another trade")
    assert (screenshot["author"], screenshot["sha256"], screenshot["width"]) == ("meera", kept.sha256, 40)
    assert (made["realised_pnl"], len(made["fills"]), len(made["stops"])) == ("190", 3, 11)
    assert made["result"] == "win"
    of_trade = [row for row in Journal.objects.order_by("sequence") if '"trade_id":"T1"' in row.body]
    assert [row["sequence"] for row in made["journal"]] == [row.sequence for row in of_trade]
    assert made["excursion"]["mfe"] == "190"


def test_an_open_trade_and_one_without_ticks_and_a_void_one_are_told(desk: DataManager) -> None:
    desk.open_position("T2", "orb", "RELIANCE", 2440, 1, AT + 260 * SECOND)
    desk.open_position("T3", "orb", "TCS", 3100, 1, AT)
    assert "open still" in told("T2")
    assert "no ticks were recorded" in told("T3")
    void(Trade.objects.get(trade_id="T3").pk, by="meera", reason="never was")
    assert "void" in told("T3")


def test_who_is_not_there_is_said_in_one_line(desk: DataManager) -> None:
    for options in (["nothing"], ["--pk", "4711"], []):
        with pytest.raises(CommandError) as caught:
            told(*options)
        assert caught.value.returncode == 2


def test_a_sparkline_goes_from_low_to_high() -> None:
    assert sparkline([1.0, 2.0, 3.0], width=3) == "▁▅█"
    assert sparkline([5.0, 5.0], width=9) == "▁▁"
    assert sparkline([], width=9) == ""
    assert len(sparkline([float(number) for number in range(1000)], width=50)) == 50
