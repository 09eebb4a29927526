"""What persons and strategies did to imported trades no file takes back, and no trade gives way for nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.trading.statements import DAY, future, statement
from tests.trading.test_import_fills import imported, trades
from trading.brokers.values import Statement
from trading.models import DayTotal, Trade, User
from trading.operations.amend import amend
from trading.operations.close_position import close_position
from trading.operations.create_account import create_account
from trading.operations.import_fills import import_fills
from trading.operations.review_trade import review_trade
from trading.operations.set_charges import set_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.proof.verify import verify_ledger

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]
SYMBOL = "NFO:NIFTY26JUNFUT"
WHO = {"by": "asha", "reason": "typing error"}


def test_a_trade_that_a_person_closed_stays_closed_whatever_files_come() -> None:
    entry = future("1", "BUY", 75, 100)
    imported(entry)
    opened_at = Trade.objects.get().opened_at
    at = opened_at + timedelta(hours=1)
    close_position("main", "zerodha-NFO-1", "imported", SYMBOL, exit_price=110, exit_time=at, fill_id="2")
    for _ in range(2):
        outcome = imported(entry)
        assert (outcome.findings, trades()) == ([], [("zerodha-NFO-1", "LONG", "CLOSED", 0, 750)])
    imported(entry, future("2", "SELL", 75, 110, minute=60))
    assert trades() == [("zerodha-NFO-1", "LONG", "CLOSED", 0, 750)]
    assert DayTotal.objects.get().gross_pnl == 750


@pytest.mark.parametrize("hand", ["charges", "review"])
def test_a_trade_that_somebody_had_a_hand_in_is_named_and_its_neighbour_stays(hand: str) -> None:
    imported(
        future("3", "BUY", 50, 100), future("4", "SELL", 50, 120),
        future("8", "BUY", 100, 100, day=1), future("9", "SELL", 100, 150, day=1),
    )  # fmt: skip
    before = trades()
    trade = Trade.objects.get(trade_id="zerodha-NFO-3")
    if hand == "charges":
        set_charges("main", trade.trade_id, 10, source="a note")
    else:
        review_trade(trade.pk, by=User.objects.create_user("asha"), rating=4)
    outcome = imported(future("1", "BUY", 20, 99))
    assert trades() == before
    assert all("stays as it is" in text for text in outcome.findings)
    assert "zerodha-NFO-3" in outcome.findings[0]
    assert (outcome.trades_opened, outcome.trades_closed) == (0, 0)


def test_a_trade_whose_stop_was_moved_keeps_it() -> None:
    imported(future("3", "BUY", 50, 100))
    trade = Trade.objects.get()
    update_trailing_sl("main", trade.trade_id, "imported", SYMBOL, 95, 105, "atr", at=trade.opened_at)
    outcome = imported(future("1", "BUY", 20, 99))
    assert trades() == [("zerodha-NFO-3", "LONG", "OPEN", 50, 0)]
    assert "zerodha-NFO-3" in outcome.findings[0]
    imported(future("4", "SELL", 50, 120))
    assert Trade.objects.get().stop_price == 95


def test_what_cannot_be_booked_leaves_every_trade_as_it_was() -> None:
    imported(future("1", "BUY", 75, 100))
    trade = Trade.objects.get()
    amend(trade.pk, fill=1, quantity=50, **WHO)
    imported(future("2", "SELL", 75, 110))
    assert trades()[0][:4] == ("zerodha-NFO-1", "LONG", "OPEN", 50)
    outcome = imported(future("3", "BUY", 75, 90, day=1))
    assert trades()[0][:4] == ("zerodha-NFO-1", "LONG", "OPEN", 50)
    assert outcome.fills == 1


def test_the_proof_of_imports_into_two_accounts_is_green() -> None:
    create_account("second", book="live", currency="INR", zone="Asia/Kolkata", capital=100_000, capital_date=DAY)
    for number in range(25):
        import_fills("second", one_fill(number))
    for number in range(12):
        import_fills("main", one_fill(number))
    assert verify_ledger().ok


def one_fill(number: int) -> Statement:
    return statement([future(f"{number}", "BUY", 1, day=number)])
