"""What the desk knows of an instrument is put right: its trades follow, in every account, with author and reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.trading.book import AT, closed, filled, opened, row, snapshot, sql
from trading.bookkeeping import journal
from trading.domain.money import SCALE
from trading.errors import CurrencyMismatch, InvalidValue
from trading.models import Correction, DayTotal, Instrument, Journal, Realisation, Seal
from trading.operations.amend import amend
from trading.operations.correct_contract import CorrectedContract, correct_contract
from trading.operations.create_account import create_account
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.operations.void import void
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.daily_summary import build_daily_summary
from trading.queries.reports import selection
from trading.queries.statistics import exits_of

pytestmark = pytest.mark.usefixtures("ledger")
CRUDE = "CRUDEOIL26DECFUT"
DAY = AT.date()


def put_right(symbol: str = CRUDE, **terms: Any) -> CorrectedContract:
    return correct_contract(Instrument.objects.get(symbol=symbol).pk, by="ann", reason="contract note 7", **terms)


def traded(trade_id: str = "T1", **more: Any) -> None:
    """A closed trade of one contract: 15 points."""
    opened(trade_id, symbol=CRUDE, entry_price=5295, quantity=1, stop_price=5290, **more)
    accounts = {"account_code": more["account_code"]} if "account_code" in more else {}
    closed(trade_id, symbol=CRUDE, price=5310, **accounts)


def is_proven() -> bool:
    return verify_ledger().ok


@pytest.mark.ledger
class TestAMultiplierThatWasWrong:
    def test_the_trade_its_exits_its_risk_and_its_day_follow(self) -> None:
        traded(charges=20)
        assert put_right(multiplier=100).trades == 1
        trade = row()
        assert (trade.realised_pnl, trade.initial_risk, trade.entry_value) == (1500, 500, 529_500)
        assert [(part.pnl, part.cost) for part in Realisation.objects.all()] == [(1500, 529_500)]
        total = DayTotal.objects.get()
        assert (total.gross_pnl, total.gross_profit, total.charges, total.trades_closed) == (1500, 1480, 20, 1)
        assert build_daily_summary(get_account("main"), DAY, now=AT + timedelta(days=1))["total"]["total_pnl"] == 1480
        assert is_proven()

    def test_author_and_reason_stand_with_the_trade_in_the_journal_and_in_the_seal(self) -> None:
        traded()
        put_right(multiplier=100, kind="SPREAD")
        made = Correction.objects.get()
        assert (made.kind, made.author, made.reason) == ("contract", "ann", "contract note 7")
        assert made.body == {
            "was": {"kind": "FUTURE", "multiplier": "1"},
            "now": {"kind": "SPREAD", "multiplier": "100"},
        }
        last = Journal.objects.order_by("-sequence").first()
        assert last is not None
        assert (last.operation, last.recorded_by) == ("correct_contract", "ann")
        told = [json.loads(seal.body) for seal in Seal.objects.filter(table="trading_instrument").order_by("sequence")]
        assert told[-1]["because"] == {"by": "ann", "reason": "contract note 7"}
        assert Instrument.objects.get(symbol=CRUDE).reviewed

    def test_a_trade_that_is_open_goes_on_with_it(self) -> None:
        opened(symbol=CRUDE, entry_price=5295, quantity=3)
        filled("SELL", 5310, 1)
        put_right(multiplier=100)
        assert row().state == "OPEN"
        position = filled("SELL", 5305, 1)
        assert (position.realised_pnl, position.avg_price) == (2500, 5295)
        assert closed(symbol=CRUDE, price=5300).realised_pnl == 3000
        assert is_proven()

    def test_it_reaches_every_account_and_no_void_trade(self) -> None:
        told = {"book": "paper", "currency": "INR", "zone": "Asia/Kolkata", "capital": 0, "capital_date": DAY}
        create_account("paper", **told)
        traded()
        traded(account_code="paper")
        traded("T2")
        void(row("T2").pk, by="ann", reason="never was")
        assert put_right(multiplier=100).trades == 2
        assert (row().realised_pnl, row(account="paper").realised_pnl) == (1500, 1500)
        assert (row("T2").state, row("T2").realised_pnl, row("T2").entry_value) == ("VOID", 0, 5295)
        assert is_proven()

    def test_to_say_it_again_changes_nothing(self) -> None:
        traded()
        put_right(multiplier=100)
        before = snapshot()
        assert put_right(multiplier="100.00").changed == ()
        assert snapshot() == before

    def test_it_can_be_put_right_twice_and_back(self) -> None:
        traded()
        for multiplier in (100, "0.5", 1):
            put_right(multiplier=multiplier)
            assert row().realised_pnl == 15 * Decimal(multiplier)
            assert is_proven()

    def test_other_corrections_before_and_after_it_stand(self) -> None:
        traded()
        put_right(multiplier=10)
        amend(row().pk, by="ann", reason="misheard", fill=2, price=5311)
        put_right(multiplier=100)
        assert row().realised_pnl == 1600
        assert is_proven()

    def test_a_journal_that_does_not_tell_the_multiplier_is_proven_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        append = journal.append

        def as_an_older_velox(account: Any, operation: str, body: dict[str, Any], **more: Any) -> Any:
            body.pop("multiplier", None)
            return append(account, operation, body, **more)

        with monkeypatch.context() as older:
            older.setattr(journal, "append", as_an_older_velox)
            traded()
        publish_daily_summary(get_account("main"), DAY, now=AT + timedelta(days=3))
        put_right(multiplier=100)
        traded("T2")
        put_right(multiplier=50)
        assert is_proven()


@pytest.mark.ledger
def test_what_was_published_or_known_before_stays_as_it_was() -> None:
    traded()
    publish_daily_summary(get_account("main"), DAY, now=AT + timedelta(days=3))
    known_at = datetime.now(UTC)
    put_right(multiplier=100)
    assert is_proven()
    pnl = {}
    for at in (None, known_at):
        exits = exits_of(selection(get_account("main"), known_at=at).cut, DAY, DAY)
        pnl[at] = sum(exit.pnl for _, exit in exits)
    assert pnl == {None: 1500 * SCALE, known_at: 15 * SCALE}


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "terms",
        [
            {"multiplier": 0}, {"multiplier": -1}, {"multiplier": "x"}, {"lot": 0}, {"price_tick": True},
            {"kind": "BOND"}, {"currency": "rupees"}, {"expiry": "soon"}, {"colour": "red"}, {"strike": "high"},
            {"multiplier": 92_233_720_368}, {"quantity_step": 2},
        ],
    )  # fmt: skip
    def test_nothing_is_changed(self, terms: dict[str, Any]) -> None:
        traded()
        before = snapshot()
        with pytest.raises(InvalidValue):
            put_right(**terms)
        assert snapshot() == before

    @pytest.mark.parametrize("who", [{"by": ""}, {"by": None}, {"reason": " "}, {"reason": None}])
    def test_nobody_and_no_reason(self, who: dict[str, Any]) -> None:
        traded()
        with pytest.raises(InvalidValue):
            correct_contract(row().instrument_id, multiplier=100, **{"by": "ann", "reason": "note", **who})
        assert row().realised_pnl == 15

    @pytest.mark.ledger
    def test_a_currency_that_its_accounts_do_not_keep_until_the_trades_are_void(self) -> None:
        traded()
        with pytest.raises(CurrencyMismatch, match="T1 of main") as caught:
            put_right(currency="USD")
        assert "manage.py void" in caught.value.hint
        void(row().pk, by="ann", reason="booked in rupees")
        assert put_right(currency="USD").instrument.currency == "USD"
        with pytest.raises(CurrencyMismatch):
            opened("T2", symbol=CRUDE)
        assert is_proven()


@pytest.mark.ledger
def test_flags_of_lot_and_tick_follow() -> None:
    traded()
    put_right(lot=100, price_tick="0.1")
    assert "off_lot" in row().flags
    put_right(lot=1)
    assert "off_lot" not in row().flags
    assert is_proven()


@pytest.mark.ledger
def test_terms_without_which_no_figure_changes_leave_the_trades_alone() -> None:
    traded()
    done = put_right(underlying="CRUDE", expiry="2026-12-18", session_group="commodity")
    assert (done.trades, set(done.changed)) == (0, {"underlying", "expiry", "session_group"})
    assert (str(done.instrument.expiry), Correction.objects.count()) == ("2026-12-18", 0)
    assert is_proven()


@pytest.mark.ledger
def test_a_multiplier_that_was_changed_without_its_trades_is_found() -> None:
    """Also where the seal agrees, as a program at fault would leave it."""
    traded()
    Instrument.objects.filter(symbol=CRUDE).update(multiplier=100)
    found = {(one.table, one.field) for one in verify_ledger().differences}
    assert {
        ("trading_trade", "realised_pnl"),
        ("trading_realisation", "pnl"),
        ("trading_daytotal", "gross_pnl"),
    } <= found


@pytest.mark.ledger
def test_a_multiplier_that_was_changed_past_velox_is_found() -> None:
    traded()
    sql("UPDATE trading_instrument SET multiplier = %s WHERE symbol = %s", 100 * SCALE, CRUDE)
    assert [(one.table, one.field) for one in verify_ledger().differences] == [("trading_instrument", "multiplier")]
