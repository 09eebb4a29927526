"""What persons and strategies did to imported trades no file takes back, and no trade gives way for nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial

import pytest

from tests.trading.statements import DAY, future, statement
from tests.trading.test_import_fills import imported, trades
from trading.brokers.values import FillLine, Statement
from trading.errors import LedgerBusy
from trading.models import DayTotal, Fill, Trade, User
from trading.operations import import_fills as importing
from trading.operations.add_fill import add_fill
from trading.operations.amend import amend
from trading.operations.close_position import close_position
from trading.operations.create_account import create_account
from trading.operations.import_fills import import_fills
from trading.operations.review_trade import review_trade
from trading.operations.set_charges import set_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
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


class TestCorrected:
    """Trades that a person has corrected, when more files come."""

    def test_a_trade_that_cannot_take_its_exit_is_named_and_holds_no_other_up(self) -> None:
        imported(future("1", "BUY", 75, 100))
        amend(Trade.objects.get().pk, fill=1, quantity=50, **WHO)
        outcome = imported(future("2", "SELL", 75, 110))
        assert trades() == [("zerodha-NFO-1", "LONG", "OPEN", 50, 0)]
        (finding,) = outcome.findings
        assert "trade zerodha-NFO-1" in finding and "amend what was corrected wrongly" in finding
        outcome = imported(future("3", "BUY", 75, 90, day=1))
        assert trades() == [
            ("zerodha-NFO-1", "LONG", "OPEN", 50, 0),
            ("zerodha-NFO-3", "LONG", "OPEN", 75, 0),
        ]
        assert outcome.fills == 1 and "trade zerodha-NFO-1" in outcome.findings[0]

    def test_once_it_is_amended_back_the_file_closes_it(self) -> None:
        imported(future("1", "BUY", 75, 100))
        trade = Trade.objects.get()
        amend(trade.pk, fill=1, quantity=50, **WHO)
        imported(future("2", "SELL", 75, 110))
        amend(trade.pk, fill=1, quantity=75, **WHO)
        assert imported(future("2", "SELL", 75, 110)).findings == []
        assert trades() == [("zerodha-NFO-1", "LONG", "CLOSED", 0, 750)]

    def test_a_fill_that_turns_a_trade_which_cannot_take_it_is_not_halved(self) -> None:
        imported(future("1", "BUY", 75, 100))
        amend(Trade.objects.get().pk, fill=1, quantity=50, **WHO)
        outcome = imported(future("2", "SELL", 100, 110), future("3", "BUY", 25, 90, day=1))
        assert trades() == [("zerodha-NFO-1", "LONG", "OPEN", 50, 0)]
        assert len(outcome.findings) == 1
        imported(future("4", "BUY", 10, 90, day=2))
        assert [row[0] for row in trades()] == ["zerodha-NFO-1", "zerodha-NFO-4"]

    @pytest.mark.parametrize("days", [-40, -1, 1, 3])
    def test_another_day_of_an_entry_is_in_nobodys_way(self, days: int) -> None:
        both = future("1", "BUY", 75, 100), future("2", "SELL", 75, 110, day=4)
        imported(*both)
        trade = Trade.objects.get()
        amend(trade.pk, fill=1, at=trade.opened_at + timedelta(days=days), **WHO)
        for fills in (both, both[1:], [future("9", "BUY", 50, 90, day=9)]):
            assert imported(*fills).findings == []
        of_both = [("zerodha-NFO-1", "LONG", "CLOSED", 0, 750), ("zerodha-NFO-9", "LONG", "OPEN", 50, 0)]
        assert trades() == of_both
        # A fill between the two makes another trade of them: it is named, and nothing moves.
        assert "trade zerodha-NFO-1" in imported(future("8", "BUY", 50, 90, day=2)).findings[0]
        assert trades() == of_both

    @pytest.mark.parametrize("days", [-40, -3, 5])
    def test_another_day_of_an_exit_is_in_nobodys_way(self, days: int) -> None:
        both = future("1", "BUY", 75, 100, day=50), future("2", "SELL", 75, 110, day=54)
        imported(*both)
        trade = Trade.objects.get()
        assert trade.closed_at is not None
        if days < -3:
            amend(trade.pk, fill=1, at=trade.opened_at + timedelta(days=days), **WHO)
        amend(trade.pk, fill=2, at=trade.closed_at + timedelta(days=days), **WHO)
        for fills in (both, both[1:], [future("9", "BUY", 50, 90, day=60)]):
            assert imported(*fills).findings == []
        assert [row[0] for row in trades()] == ["zerodha-NFO-1", "zerodha-NFO-9"]

    @pytest.mark.parametrize("days", [-40, -1, 1])
    def test_an_open_trade_of_another_day_is_gone_on_with(self, days: int) -> None:
        imported(future("1", "BUY", 75, 100))
        trade = Trade.objects.get()
        amend(trade.pk, fill=1, at=trade.opened_at + timedelta(days=days), **WHO)
        outcome = imported(future("2", "SELL", 75, 110, day=4))
        assert (outcome.trades_opened, outcome.trades_closed, outcome.findings) == (0, 1, [])
        assert trades() == [("zerodha-NFO-1", "LONG", "CLOSED", 0, 750)]

    def test_an_exit_before_the_day_that_a_person_gave_the_entry_is_named(self) -> None:
        imported(future("1", "BUY", 75, 100))
        trade = Trade.objects.get()
        amend(trade.pk, fill=1, at=trade.opened_at + timedelta(days=9), **WHO)
        outcome = imported(future("2", "SELL", 75, 110, day=4))
        assert trades() == [("zerodha-NFO-1", "LONG", "OPEN", 75, 0)]
        assert "trade zerodha-NFO-1" in outcome.findings[0]


def test_the_proof_of_imports_into_two_accounts_is_green() -> None:
    create_account("second", book="live", currency="INR", zone="Asia/Kolkata", capital=100_000, capital_date=DAY)
    for number in range(25):
        import_fills("second", one_fill(number))
    for number in range(12):
        import_fills("main", one_fill(number))
    assert verify_ledger().ok


def one_fill(number: int) -> Statement:
    return statement([future(f"{number}", "BUY", 1, day=number)])


HANDS: dict[str, Callable[[Trade, datetime], object]] = {
    "correct": lambda trade, _: amend(trade.pk, fill=1, price="101", **WHO),
    "void": lambda trade, _: void(trade.pk, **WHO),
    "close": lambda trade, at: close_position("main", trade.trade_id, "imported", SYMBOL, exit_price=110, exit_time=at),
    "add a fill": lambda trade, at: add_fill("main", trade.trade_id, "SELL", 110, 25, at),
}


@pytest.mark.parametrize(
    ("hand", "fill"),
    [
        *((hand, future("1", "BUY", 25, 99)) for hand in HANDS),  # for which the trade would give way
        *((hand, future("3", "SELL", 25, 120, minute=120)) for hand in HANDS if hand != "correct"),  # that goes on it
    ],
    ids=lambda given: given if isinstance(given, str) else "gives way" if given.side == "BUY" else "goes on",
)
def test_a_hand_between_the_look_at_a_trade_and_its_booking_is_not_undone(
    hand: str, fill: FillLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = future("2", "BUY", 75, 100, minute=30)
    imported(entry)
    trade = Trade.objects.get()
    contexts = {name: getattr(importing, name) for name in ("together", "nullcontext")}

    def after_the_hand(name: str) -> AbstractContextManager[None]:
        HANDS[hand](trade, trade.opened_at + timedelta(hours=1))
        return contexts[name]()

    with monkeypatch.context() as patch, pytest.raises(LedgerBusy, match="changed at the same time"):
        for name in contexts:
            patch.setattr(importing, name, partial(after_the_hand, name))
        imported(entry, fill)
    left = list(Trade.objects.values()), list(Fill.objects.values())
    outcome = imported(entry, fill)
    assert "stays as it is" in outcome.findings[0]
    assert (list(Trade.objects.values()), list(Fill.objects.values())) == left
