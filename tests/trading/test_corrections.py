"""Corrections: what was wrong is said right in a new row, the figures follow, history stays."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.utils import DatabaseError

from tests.trading.book import AT, MINUTE, closed, filled, fills, opened, row, snapshot, sql
from trading.bookkeeping import booking
from trading.domain.values import known_already
from trading.errors import AmbiguousTrade, CrossesZero, IdConflict, InvalidValue, TradeClosed, UnknownTrade
from trading.models import Correction, DayTotal, Fill, Journal, Realisation, Trade
from trading.operations.amend import amend
from trading.operations.open_position import open_position
from trading.operations.set_charges import set_charges, set_charges_of
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.queries.accounts import get_account
from trading.queries.trades import find_trade, get_trade

pytestmark = pytest.mark.usefixtures("ledger")
WHO = {"by": "asha", "reason": "typing error"}
DAY = date(2024, 3, 15)


def follows() -> None:
    """Every day total is what its realisations make, and there is none without."""
    keys = set(Realisation.objects.values_list("account_id", "strategy_id", "instrument_id", "day"))
    assert keys == set(DayTotal.objects.values_list("account_id", "strategy_id", "instrument_id", "day"))
    for total in DayTotal.objects.all():
        parts = Realisation.objects.filter(
            account=total.account, strategy=total.strategy, instrument=total.instrument, day=total.day
        )
        made = DayTotal()
        for part in parts.select_related("trade"):
            booking.add_to_total(made, part.trade, part)
        assert [getattr(total, name) for name in booking.SUMS] == [getattr(made, name) for name in booking.SUMS]
    for trade in Trade.objects.exclude(state="VOID"):
        assert sum(part.pnl for part in trade.realisations.all()) == trade.realised_pnl


class TestAmend:
    @pytest.mark.ledger
    def test_a_wrong_price_is_put_right_and_all_figures_follow(self) -> None:
        opened(stop_price=2440)
        closed(pnl="149.5")
        facts = snapshot()["trading_fill"]
        value = amend(row().pk, fill=2, price="2460.05", **WHO)
        assert (value.realised_pnl, value.state) == (Decimal(100), "CLOSED")
        assert set(value.flags) == {"corrected", "reported_pnl_differs"}
        assert DayTotal.objects.get().gross_pnl == Realisation.objects.get().pnl == 100
        assert snapshot()["trading_fill"] == facts, "what was recorded stays"
        follows()
        amend(row().pk, fill=1, price=2450, **WHO)
        assert (row().realised_pnl, row().initial_risk) == (Decimal("100.5"), 100)
        follows()

    @pytest.mark.ledger
    def test_the_correction_says_what_by_whom_and_why(self) -> None:
        opened()
        amend(row().pk, price=2451, charges="1.5", **WHO)
        made = Correction.objects.get()
        assert (made.kind, made.author, made.reason, made.fill) == ("amend", "asha", "typing error", fills()[0])
        assert made.body == {"was": {"price": "2450.05", "charges": None}, "now": {"price": "2451", "charges": "1.5"}}
        said = Journal.objects.get(operation="amend")
        body = json.loads(said.body)
        assert said.recorded_by == body["by"] == "asha"
        assert body["correction"] == {
            "kind": "amend",
            "fill": 1,
            "reason": "typing error",
            "author": "asha",
            "from_strategy": None,
            "from_day": None,
            "body": made.body,
        }
        assert body["stands"]["entry_value"] == "24510"
        assert body["realisations"] == []

    @pytest.mark.parametrize("missing", [{"by": " "}, {"reason": ""}, {"by": "x" * 151}, {"reason": None}])
    def test_an_author_and_a_reason_are_required(self, missing: dict[str, Any]) -> None:
        opened()
        before = snapshot()
        for call in (amend, void):
            with pytest.raises(InvalidValue):
                call(row().pk, **({"price": 1} if call is amend else {}), **{**WHO, **missing})
        with pytest.raises(InvalidValue):
            set_charges_of(row().pk, 3, **{**WHO, **missing})
        assert snapshot() == before

    @pytest.mark.ledger
    def test_what_is_right_already_changes_nothing(self) -> None:
        opened()
        before = snapshot()
        again = amend(row().pk, price="2450.050", quantity=10, strategy_id="ema cross", **WHO)
        assert again == known_already(get_trade(get_account("main"), "T1"))
        assert snapshot() == before

    @pytest.mark.ledger
    def test_a_smaller_exit_opens_the_trade_again_and_it_can_be_closed(self) -> None:
        opened()
        closed(pnl=1, exit_reason="target")
        value = amend(row().pk, fill=2, quantity=4, **WHO)
        assert (value.state, value.open_quantity, value.closed_at, value.reported_pnl) == ("OPEN", 6, None, None)
        follows()
        assert closed(price=2470).state == "CLOSED"
        assert [fill.quantity for fill in fills()] == [10, 10, 6]
        assert row().realised_pnl == Decimal("179.5")
        follows()

    @pytest.mark.ledger
    def test_a_smaller_entry_closes_the_trade(self) -> None:
        opened()
        filled("SELL", 2460, 4)
        value = amend(row().pk, fill=1, quantity=4, **WHO)
        assert (value.state, value.open_quantity, value.closed_at) == ("CLOSED", 0, AT + MINUTE)
        follows()

    @pytest.mark.ledger
    def test_a_later_fill_is_booked_on_what_is_right(self) -> None:
        opened()
        amend(row().pk, quantity=6, price=2400, **WHO)
        with pytest.raises(CrossesZero):
            filled("SELL", 2460, 7)
        filled("SELL", 2460, 6)
        assert (row().state, row().realised_pnl) == ("CLOSED", 360)
        assert [fill.sequence for fill in fills()] == [1, 2]
        follows()

    @pytest.mark.ledger
    def test_what_makes_no_trade_is_refused_and_nothing_is_written(self) -> None:
        opened("T1", stop_price=2440)
        filled("SELL", 2460, 5)
        filled("BUY", 2460, 5, at=AT + 2 * MINUTE)
        update_trailing_sl("main", "T1", "ema cross", "RELIANCE", 2445, 2460, "atr", at=AT + 3 * MINUTE)
        before, pk = snapshot(), row().pk
        for error, change in (
            (CrossesZero, {"fill": 1, "quantity": 4}),
            (InvalidValue, {"fill": 1, "quantity": 5}),  # closed in between
            (InvalidValue, {"fill": 2, "at": AT - MINUTE}),
            (InvalidValue, {"fill": 1, "at": AT + 4 * MINUTE}),
            (InvalidValue, {"fill": 1, "price": "92233720368", "quantity": 100}),
            (InvalidValue, {"fill": 1, "quantity": "0.000000001"}),
            (InvalidValue, {"fill": 9, "price": 1}),
            (InvalidValue, {"price": 1}),
            (InvalidValue, {"fill": 1}),
            (InvalidValue, {"fill": 1, "price": 0}),
        ):
            with pytest.raises(error):
                amend(pk, **change, **WHO)  # type: ignore[arg-type]
        with pytest.raises(UnknownTrade):
            amend(999_999, price=1, **WHO)
        assert snapshot() == before

    @pytest.mark.ledger
    def test_a_wrong_time_moves_the_days(self) -> None:
        opened()
        closed()
        amend(row().pk, fill=2, at=AT + timedelta(days=3), **WHO)
        assert DayTotal.objects.get().day == Realisation.objects.get().day == date(2024, 3, 18)
        amend(row().pk, fill=1, at=AT + timedelta(days=1), **WHO)
        assert (row().opened_at, row().trading_day) == (AT + timedelta(days=1), date(2024, 3, 16))
        assert Correction.objects.last().from_day == DAY
        follows()


@pytest.mark.ledger
class TestStrategy:
    def test_a_trade_moves_to_its_strategy_with_its_figures(self) -> None:
        opened()
        closed()
        opened("T2")
        closed("T2")
        assert amend(row().pk, strategy_id="orb", **WHO).strategy_id == "orb"
        assert sorted(DayTotal.objects.values_list("strategy__code", "gross_pnl")) == [
            ("ema cross", Decimal("149.5")),
            ("orb", Decimal("149.5")),
        ]
        assert Realisation.objects.get(trade=row()).strategy.code == "orb"
        follows()

    def test_who_says_it_as_before_still_means_the_moved_one(self) -> None:
        opened("T1", entry_time=AT - timedelta(days=1))
        closed("T1", exit_time=AT - timedelta(hours=20))
        opened("T1")
        pk = find_trade(get_account("main"), "T1").pk
        amend(pk, strategy_id="orb", **WHO)
        assert opened("T1").strategy_id == "orb", "said again, it is not opened again"
        assert Trade.objects.count() == 2
        assert closed("T1", price=2470).strategy_id == "orb"
        assert Trade.objects.get(pk=pk).state == "CLOSED"

    def test_two_of_one_name_are_never_made(self) -> None:
        opened("T1")
        opened("T1", strategy_id="orb")
        before = snapshot()
        with pytest.raises(IdConflict):
            amend(find_trade(get_account("main"), "T1", strategy_id="orb").pk, strategy_id="ema cross", **WHO)
        assert snapshot() == before


@pytest.mark.ledger
class TestSaidAgain:
    def test_an_amended_fact_answers_as_it_was_said_and_as_it_is_right(self) -> None:
        opened()
        filled("SELL", 2460, 4, fill_id="F2")
        closed()
        amend(row().pk, fill=1, price=2400, **WHO)
        amend(row().pk, fill=2, price=2461, **WHO)
        amend(row().pk, fill=3, price=2466, **WHO)
        before = snapshot()
        for price in ("2450.05", 2400):
            assert opened(entry_price=price).trade_id == "T1"
        for price in (2460, 2461):
            filled("SELL", price, 4, fill_id="F2")
        for price in (2465, 2466):
            closed(price=price)
        assert snapshot() == before
        with pytest.raises(IdConflict):
            opened(entry_price=2401)
        with pytest.raises(IdConflict):
            filled("SELL", 2462, 4, fill_id="F2")
        with pytest.raises(TradeClosed):
            closed(price=2467)


@pytest.mark.ledger
class TestVoid:
    def test_a_trade_that_never_was_counts_nowhere_and_stays_to_be_read(self) -> None:
        opened(charges=2)
        closed()
        opened("T2")
        closed("T2", price=2440)
        value = void(row().pk, **WHO)
        assert (value.state, value.realised_pnl, value.open_quantity, value.charges) == ("VOID", 0, 0, None)
        assert not Realisation.objects.filter(trade=row()).exists()
        total = DayTotal.objects.get()
        assert (total.trades_closed, total.wins, total.losses, total.gross_pnl) == (1, 0, 1, Decimal("-100.5"))
        assert len(fills()) == 2
        follows()
        void(row("T2").pk, **WHO)
        assert not DayTotal.objects.exists(), "a day on which nothing was realised has no total"

    def test_a_void_trade_takes_nothing_more(self) -> None:
        opened()
        void(row().pk, **WHO)
        before = snapshot()
        assert void(row().pk, **WHO).state == opened().state == "VOID"
        for call in (
            closed,
            lambda: filled("SELL", 2460, 1),
            lambda: update_trailing_sl("main", "T1", None, "RELIANCE", 2445, 2460, "atr", at=AT + MINUTE),
            lambda: set_charges("main", "T1", 3, source="note"),
            lambda: amend(row().pk, price=1, **WHO),
            lambda: void(row().pk, fill=1, **WHO),
        ):
            with pytest.raises(TradeClosed):
                call()
        assert snapshot() == before

    def test_two_open_ones_of_one_id_are_told_apart_by_their_key(self) -> None:
        opened("T1")
        opened("T1", entry_time=AT + timedelta(days=3))
        with pytest.raises(AmbiguousTrade) as told:
            closed("T1", exit_time=AT + timedelta(days=4))
        older, newer = Trade.objects.order_by("opened_at")
        assert f"pk {older.pk} of 2024-03-15" in told.value.hint
        void(older.pk, **WHO)
        assert closed("T1", exit_time=AT + timedelta(days=4)).state == "CLOSED"
        assert Trade.objects.get(pk=newer.pk).state == "CLOSED"

    def test_one_fill_that_never_was_is_left_out(self) -> None:
        opened()
        filled("SELL", 2460, 4)
        filled("SELL", 2460, 4)
        value = void(row().pk, fill=3, **WHO)
        assert (value.open_quantity, len(fills())) == (6, 3)
        assert Realisation.objects.count() == 1
        before = snapshot()
        assert void(row().pk, fill=3, **WHO).open_quantity == 6
        assert snapshot() == before
        filled("SELL", 2460, 6)
        assert [fill.sequence for fill in fills()] == [1, 2, 3, 4]
        follows()
        for fill in (1, 9):
            with pytest.raises((InvalidValue, CrossesZero)):
                void(row().pk, fill=fill, **WHO)


class TestCharges:
    @pytest.mark.ledger
    def test_a_note_that_comes_later_is_shared_among_the_fills(self) -> None:
        opened()
        filled("SELL", 2460, 4)
        closed()
        assert DayTotal.objects.get().trades_without_charges == 1
        value = set_charges("main", "T1", "40.12", source="contract note 4711")
        assert value.charges == sum(part.charges for part in Realisation.objects.all()) == Decimal("40.12")
        total = DayTotal.objects.get()
        assert (total.charges, total.trades_without_charges) == (Decimal("40.12"), 0)
        made = Correction.objects.get()
        assert (made.kind, made.author, made.body["source"]) == ("charges", "contract note 4711", "contract note 4711")
        assert sum(map(Decimal, made.body["by_fill"].values())) == Decimal("40.12")
        follows()
        before = snapshot()
        set_charges("main", "T1", "40.120", source="contract note 4711")
        assert snapshot() == before
        assert set_charges("main", "T1", 0, source="waived").charges == 0
        follows()

    @pytest.mark.parametrize("amount", [None, "x", "0.000000001"])
    def test_what_is_no_charge_is_refused(self, amount: Any) -> None:
        opened()
        with pytest.raises(InvalidValue):
            set_charges("main", "T1", amount, source="note")

    @pytest.mark.ledger
    def test_a_smallest_charge_is_shared_too(self) -> None:
        opened()
        for number in range(6):
            filled("SELL", 2460, 1, at=AT + number * MINUTE)
        assert set_charges("main", "T1", "0.00000003", source="note").charges == Decimal("0.00000003")
        assert min(map(Decimal, Correction.objects.get().body["by_fill"].values())) == 0

    @pytest.mark.ledger
    def test_a_later_fill_adds_its_own(self) -> None:
        opened()
        set_charges("main", "T1", 20, source="note")
        assert closed(charges=15).charges == 35
        follows()


@pytest.mark.ledger
class TestGuard:
    def test_what_was_realised_is_firm_until_its_trade_is_corrected(self) -> None:
        opened()
        closed()
        opened("T2")
        closed("T2")
        amend(row("T2").pk, fill=2, price=2466, **WHO)
        for statement in ("UPDATE trading_realisation SET pnl = 1", "DELETE FROM trading_realisation"):
            with pytest.raises(DatabaseError, match="append-only"):
                sql(f"{statement} WHERE trade_id = %s", row().pk)
        with pytest.raises(DatabaseError, match="append-only"):
            sql("DELETE FROM trading_daytotal")
        with pytest.raises(DatabaseError, match="append-only"):
            sql("UPDATE trading_correction SET reason = 'other'")

    def test_a_correction_needs_author_and_known_kind_in_the_database_too(self) -> None:
        opened()
        said = {"trade": row(), "account": row().account, "kind": "void", "reason": "x", "author": "y"}
        for wrong in ({"author": ""}, {"reason": ""}, {"kind": "guess"}, {"from_day": DAY}):
            with pytest.raises(DatabaseError):
                Correction.objects.create(**{**said, **wrong}, recorded_at=AT)


def test_the_order_of_the_operations_arguments_is_the_callers_own() -> None:
    open_position("main", "T1", "s", "INFY", entry_price=100, quantity=1, entry_time=AT, side="SHORT")
    assert amend(row().pk, price=90, **WHO).avg_price == 90
    assert Fill.objects.get().price == 100
