"""Trades through the operations: worked examples, same again, refusals, stops, signals."""

from __future__ import annotations

import decimal
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.trading import desk, oracle
from tests.trading.book import AT, MINUTE, closed, filled, fills, opened, row, snapshot
from trading.errors import (
    AmbiguousTrade,
    CrossesZero,
    IdConflict,
    InvalidValue,
    LedgerNotReady,
    NotTradable,
    TradeClosed,
    UnknownAccount,
    UnknownTrade,
    VeloxError,
)
from trading.models import DayTotal, Fill, Instrument, Journal, Realisation, Signal, StopChange, Trade
from trading.operations.create_account import create_account
from trading.operations.record_signal import record_signal
from trading.operations.update_trailing_sl import update_trailing_sl

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]


def stop(price: Any, *, trade_id: str = "T1", at: Any = AT + MINUTE, extreme: Any = 2460, **more: Any) -> bool:
    said = {"account_code": "main", "strategy_id": "ema cross", "symbol": "RELIANCE", "method": "atr", **more}
    return update_trailing_sl(trade_id=trade_id, stop_price=price, extreme_price=extreme, at=at, **said)


def signal(at: Any = AT, conditions: Any = None, **more: Any) -> Any:
    said = {"account_code": "main", "strategy_id": "ema cross", "symbol": "RELIANCE", "decision": "SKIPPED", **more}
    return record_signal(at=at, conditions={"rsi": 61.5} if conditions is None else conditions, **said)


class TestWorkedExamples:
    def test_a_long_trade(self) -> None:
        position = opened(charges="20.10", stop_price=2440, target_price=2480, order_id="O1")
        assert (position.state, position.side, position.open_quantity) == ("OPEN", "LONG", 10)
        assert (position.avg_price, position.initial_risk) == (Decimal("2450.05"), Decimal("100.5"))
        trade = closed(charges="21.40", exit_reason="target")
        assert (trade.state, trade.open_quantity, trade.exit_reason) == ("CLOSED", 0, "target")
        assert (trade.realised_pnl, trade.charges) == (Decimal("149.5"), Decimal("41.5"))
        assert (trade.opened_at, trade.closed_at) == (AT, AT + 2 * MINUTE)
        total = DayTotal.objects.get()
        assert (total.gross_pnl, total.charges, total.gross_profit) == (Decimal("149.5"), Decimal("41.5"), 108)
        assert (total.trades_closed, total.wins, total.losses, total.trades_without_charges) == (1, 1, 0, 0)

    def test_a_short_trade(self) -> None:
        opened(side="SHORT", stop_price="2460.05")
        trade = closed()
        assert (trade.realised_pnl, trade.charges, trade.initial_risk) == (Decimal("-149.5"), None, 100)
        assert [(fill.side, fill.role) for fill in fills()] == [("SELL", "ENTRY"), ("BUY", "EXIT")]
        total = DayTotal.objects.get()
        assert (total.losses, total.gross_loss, total.trades_without_charges) == (1, Decimal("-149.5"), 1)

    def test_scaling_in_and_out(self) -> None:
        opened(entry_price=100)
        assert filled("BUY", 110, 30).avg_price == Decimal("107.5")
        assert filled("SELL", 120, 20).realised_pnl == 250
        trade = closed(price=100)
        assert trade.realised_pnl == 100
        assert [part.pnl for part in Realisation.objects.order_by("pk")] == [250, -150]
        assert (row().entry_quantity, row().entry_value, row().open_cost) == (40, 4300, 0)

    def test_the_last_exit_takes_the_remainder(self) -> None:
        opened(entry_price="0.00000010", quantity=1)
        for _ in range(3):
            filled("SELL", 1, "0.25")
        closed(price=1)
        assert [to_eighths(part.cost) for part in Realisation.objects.order_by("pk")] == [2, 3, 2, 3]

    def test_exit_fills_that_reach_zero_close_the_trade_and_the_close_adds_the_reason(self) -> None:
        opened()
        assert filled("SELL", 2465, 10).state == "CLOSED"
        trade = closed(exit_reason="stop", price=2466, pnl=149.5)
        assert (trade.exit_reason, trade.flags, trade.realised_pnl) == (
            "stop",
            ("close_price_differs",),
            Decimal("149.5"),
        )
        assert len(fills()) == 2
        with pytest.raises(TradeClosed):
            filled("SELL", 2465, 1)

    def test_what_the_caller_reports_is_kept_and_flagged(self) -> None:
        opened()
        trade = closed(pnl=149.5, pnl_percent=6.12)  # the predecessor's example: 0.61
        assert (trade.reported_pnl, trade.flags) == (Decimal("149.5"), ("reported_pnl_percent_differs",))
        opened("T2")
        assert closed("T2", pnl="149.50", pnl_percent=0.61).flags == ()
        opened("T3")
        assert closed("T3", pnl=150).flags == ("reported_pnl_differs",)

    def test_a_multiplier_counts_in_money_and_risk_and_not_in_the_price(self) -> None:
        opened("T0", symbol="NIFTY24MARFUT")
        Instrument.objects.filter(symbol="NIFTY24MARFUT").update(multiplier=Decimal(50))
        position = opened("T1", symbol="NIFTY24MARFUT", stop_price="2440.05")
        assert (position.avg_price, position.initial_risk) == (Decimal("2450.05"), 5000)
        assert closed(symbol="NIFTY24MARFUT").realised_pnl == 7475

    def test_off_the_lot_and_the_price_tick_is_flagged_and_off_the_step_refused(self) -> None:
        assert opened(quantity="0.5", entry_price="2450.051").flags == ("off_lot", "off_price_tick")
        Instrument.objects.filter(symbol="RELIANCE").update(quantity_step=Decimal(1))
        with pytest.raises(InvalidValue) as caught:
            opened("T2", quantity="1.5")
        assert caught.value.field == "quantity"

    def test_the_trading_day_is_the_date_at_the_exchange(self) -> None:
        opened(entry_time=datetime(2024, 3, 14, 23, 59))  # naive: the desk's zone
        closed(exit_time=datetime(2024, 3, 15, 0, 0))
        assert row().trading_day == date(2024, 3, 14)
        assert Realisation.objects.get().day == DayTotal.objects.get().day == date(2024, 3, 15)

    def test_a_callers_decimal_context_changes_nothing(self) -> None:
        with decimal.localcontext() as context:
            context.prec = 3
            opened()
            closed(price="2465.12345678")
            opened("T2")
            closed("T2")
        assert DayTotal.objects.get().gross_pnl == Decimal("300.2345678")

    def test_the_figures_of_many_trades_follow_from_their_fills(self) -> None:
        for plan in desk.plans(16):
            desk.make(plan)
        days: dict[date, Fraction] = {}
        for trade in Trade.objects.all():
            told = oracle.tell(trade)
            assert Fraction(trade.realised_pnl) == told.pnl
            assert (trade.charges is None) == (told.charges is None)
            assert Fraction(trade.charges or 0) == (told.charges or 0)
            for at, gain, _ in told.exits:
                days[oracle.day_of(at)] = days.get(oracle.day_of(at), Fraction(0)) + gain
        for day, gain in days.items():
            assert sum(Fraction(total.gross_pnl) for total in DayTotal.objects.filter(day=day)) == gain


def to_eighths(amount: Decimal) -> int:
    return int(amount * 10**8)


class TestSameAgain:
    def test_it_answers_with_what_is_there_and_changes_nothing(self) -> None:
        first = opened(fill_id="F1", signal_conditions={"rsi": 61.5})
        second = filled("BUY", 2455, 5, fill_id="F2")
        before = snapshot()
        assert opened(fill_id="F1").trade_id == first.trade_id
        assert filled("BUY", "2455.00", 5.0, fill_id="F2") == replace(second, flags=("known_already",))
        assert snapshot() == before
        trade = closed(fill_id="F3")
        before = snapshot()
        known = replace(trade, flags=("known_already",))
        assert closed(fill_id="F3") == known == closed(fill_id="another", exit_reason="other")
        assert opened().state == "CLOSED"
        assert snapshot() == before

    @pytest.mark.parametrize(
        "other",
        [
            *({"symbol": "M&M"}, {"symbol": "BSE:RELIANCE"}, {"side": "SHORT"}),
            *({"entry_price": 2450}, {"quantity": 11}, {"entry_time": AT + MINUTE, "quantity": 9}),
        ],
        ids=str,
    )
    def test_other_content_is_a_conflict(self, other: dict[str, Any]) -> None:
        opened()
        before = snapshot()
        with pytest.raises(IdConflict):
            opened(**other)
        assert snapshot() == before

    @pytest.mark.parametrize("other", [("SELL", 2455, 5), ("BUY", 2456, 5), ("BUY", 2455, 6)], ids=str)
    def test_a_fill_of_known_id_and_other_content_is_a_conflict(self, other: tuple[str, int, int]) -> None:
        opened()
        filled("BUY", 2455, 5, fill_id="F2")
        with pytest.raises(IdConflict) as caught:
            filled(*other, fill_id="F2")
        assert caught.value.field == "fill_id"

    def test_the_close_may_not_take_the_id_of_a_fill_that_is_there(self) -> None:
        opened(fill_id="F1")
        for price in (2450.05, 2465):
            with pytest.raises(IdConflict):
                closed(price=price, fill_id="F1")
        filled("SELL", 2465, 5, fill_id="F2")
        with pytest.raises(IdConflict):
            closed(fill_id="F2")
        assert row().open_quantity == 5

    def test_an_id_is_of_its_account_strategy_and_day(self) -> None:
        for more in ({}, {"strategy_id": "breakout"}, {"account_code": "replay"}, {"entry_time": AT + timedelta(1)}):
            assert opened(**more).open_quantity == 10
        assert Trade.objects.count() == 4

    def test_fills_without_an_id_are_each_their_own(self) -> None:
        opened()
        assert [filled("BUY", 2455, 5).open_quantity for _ in range(2)] == [15, 20]

    def test_a_second_close_with_another_price_is_refused(self) -> None:
        opened()
        closed()
        before = snapshot()
        with pytest.raises(TradeClosed):
            closed(price=2466)
        assert snapshot() == before


class TestCallsById:
    def test_two_open_ones_are_ambiguous_until_the_strategy_is_named(self) -> None:
        opened()
        opened(strategy_id="breakout")
        for call in (lambda: filled("BUY", 1, 1), lambda: closed(strategy_id=None), lambda: stop(1, strategy_id=None)):
            with pytest.raises(AmbiguousTrade):
                call()
        assert filled("BUY", 2450, 1, strategy_id="breakout").strategy_id == "breakout"
        assert closed().strategy_id == "ema cross"
        assert closed(strategy_id=None).strategy_id == "breakout", "the open one"

    def test_two_open_ones_of_one_strategy_stay_ambiguous(self) -> None:
        opened()
        opened(entry_time=AT + timedelta(1))
        with pytest.raises(AmbiguousTrade):
            closed()

    def test_it_means_the_open_one_else_the_newest(self) -> None:
        opened(entry_time=AT)
        closed()
        opened(entry_time=AT + timedelta(1))
        assert closed(exit_time=AT + timedelta(1, 60)).closed_at == AT + timedelta(1, 60)
        assert closed(exit_time=AT + timedelta(1, 60)).opened_at == AT + timedelta(1)

    def test_unknown_things_raise(self) -> None:
        opened()
        for call, error in (
            (lambda: closed("T2"), UnknownTrade),
            (lambda: closed(strategy_id="breakout"), UnknownTrade),
            (lambda: closed(account_code="replay"), UnknownTrade),
            (lambda: filled("BUY", 1, 1, "T2"), UnknownTrade),
            (lambda: stop(1, trade_id="T2"), UnknownTrade),
            (lambda: closed(symbol="M&M"), IdConflict),
            (lambda: stop(1, symbol="M&M"), IdConflict),
            (lambda: opened("T2", account_code="nobody"), UnknownAccount),
            (lambda: closed(account_code="nobody"), UnknownAccount),
            (lambda: signal(account_code="nobody"), UnknownAccount),
            (lambda: opened("T2", symbol="NIFTY 50"), NotTradable),
            (lambda: opened("T2", symbol="NIFTY BANK"), NotTradable),
        ):
            before = snapshot()
            with pytest.raises(error):
                call()
            assert snapshot() == before

    def test_a_fill_beyond_what_is_open_names_both_parts(self) -> None:
        opened()
        before = snapshot()
        with pytest.raises(CrossesZero) as caught:
            filled("SELL", 2465, "12.5")
        assert "10 close" in str(caught.value.hint) and "2.5" in str(caught.value.hint)
        assert snapshot() == before

    def test_nothing_of_a_trade_lies_before_its_opening(self) -> None:
        opened()
        before = snapshot()
        early = AT - MINUTE
        for call in (lambda: filled("BUY", 1, 1, at=early), lambda: closed(exit_time=early), lambda: stop(1, at=early)):
            with pytest.raises(InvalidValue) as caught:
                call()
            assert str(caught.value.hint).endswith("+05:30."), "in the desk's time"
        assert snapshot() == before
        assert closed(exit_time=AT).closed_at == AT


class TestStops:
    def test_a_stop_moves_and_stays(self) -> None:
        opened(stop_price=2440)
        assert stop(2440) and StopChange.objects.count() == 0, "it stood there already"
        assert stop("2445") and stop("2445.00", at=AT + 2 * MINUTE)
        change = StopChange.objects.get()
        assert (change.stop_price, change.extreme_price, change.method, change.at) == (2445, 2460, "atr", AT + MINUTE)
        assert (row().stop_price, row().initial_stop_price, row().initial_risk) == (2445, 2440, Decimal("100.5"))
        assert Journal.objects.filter(operation="update_trailing_sl").count() == 1

    @pytest.mark.parametrize(("side", "further", "back"), [("LONG", 2455, 2445), ("SHORT", 2445, 2455)])
    def test_one_that_moves_back_is_kept_and_flagged(self, side: str, further: int, back: int) -> None:
        opened(side=side, stop_price=2440 if side == "LONG" else 2460)
        stop(further)
        assert row().flags == []
        stop(back, at=AT + 2 * MINUTE)
        assert row().flags == ["stop_moved_back"]
        assert [change.moved_back for change in StopChange.objects.all()] == [False, True]

    def test_back_to_an_earlier_price_within_one_instant_is_the_next_microsecond(self) -> None:
        opened()
        for price in (2441, 2442, 2441):
            assert stop(price)
        changes = [(change.stop_price, (change.at - AT - MINUTE).microseconds) for change in StopChange.objects.all()]
        assert sorted(changes, key=lambda change: change[1]) == [(2441, 0), (2442, 0), (2441, 1)]
        assert row().stop_price == 2441

    def test_a_known_stop_answers_on_a_closed_trade_and_a_new_one_is_refused(self) -> None:
        opened()
        stop(2441)
        closed()
        before = snapshot()
        assert stop(2441) is True
        with pytest.raises(TradeClosed):
            stop(2442)
        assert snapshot() == before


class TestSignals:
    def test_it_is_kept_once_with_its_numbers(self) -> None:
        conditions = {"rsi": 61.5, "trend": {"up": True, "name": "x"}, "n": 3, "list": [1, 2], "none": None}
        first = signal(conditions=conditions, reason="too late")
        assert first.conditions == conditions
        kept = Signal.objects.get()
        assert {(one.name, one.value) for one in kept.numbers.all()} == {("rsi", 61.5), ("trend.up", 1.0), ("n", 3.0)}
        before = snapshot()
        assert signal(conditions=conditions, reason="too late") == first
        assert snapshot() == before
        for other in ({"conditions": {"rsi": 61}}, {"conditions": conditions, "reason": "other"}):
            with pytest.raises(IdConflict):
                signal(**other)
        assert snapshot() == before

    def test_another_time_or_decision_is_another_signal(self) -> None:
        signal()
        signal(decision="TAKEN")
        signal(at=AT + MINUTE)
        signal(symbol="NIFTY 50")
        assert Signal.objects.count() == 4

    def test_an_opening_keeps_its_signal_and_takes_up_one_recorded_before(self) -> None:
        signal(decision="TAKEN")
        opened(signal_conditions={"rsi": 61.5})
        assert Signal.objects.get().trade == row()
        opened("T2", entry_time=AT + MINUTE, signal_conditions={"rsi": 70})
        assert Signal.objects.filter(trade=row("T2"), decision="TAKEN").count() == 1


CONDITIONS_TOO_DEEP: Any = {}
for _ in range(16):
    CONDITIONS_TOO_DEEP = {"deeper": CONDITIONS_TOO_DEEP}
CONDITIONS_DEEP = CONDITIONS_TOO_DEEP["deeper"]
FUTURE = datetime.now().astimezone() + timedelta(days=7)  # also at the end of a long run of tests

REFUSED = [
    *(("open", {"trade_id": value}) for value in ("", " T", "T ", "a\nb", "a\\b", "\ud800", "x" * 129, None, 7, b"T")),
    *(("open", {"strategy_id": value}) for value in ("", None, "s\t", "é" * 33, "a\x00b")),
    *(("open", {"symbol": value}) for value in ("", None, " RELIANCE", "A\u2028B", 5)),
    *(("open", {"entry_price": value}) for value in (0, -1, "nan", None, True, "1,000", "0.000000001", 92233720369)),
    *(("open", {"quantity": value}) for value in (0, -5, "", None, False, float("inf"), "1e-9", [])),
    *(("open", {"entry_time": value}) for value in (None, "2024-03-15", date(2024, 3, 15), 1.5, True, FUTURE)),
    *(("open", {"entry_time": value}) for value in (datetime(1999, 12, 31, 23, 59), 0, -1)),
    *(("open", {"side": value}) for value in ("long", "BUY", "", None, 1)),
    *(("open", {"stop_price": value}) for value in (0, -1, "x", True)),
    *(("open", {"target_price": value}) for value in (0, "nan", [])),
    *(("open", {"charges": value}) for value in ("free", True, "0.000000001")),
    *(("open", {"fill_id": value}) for value in ("", " ", 3)),
    ("open", {"order_id": "o" * 129}),
    *(("open", {"signal_conditions": value}) for value in ([], "x", {1: 2}, {"x": float("nan")}, {"x": object()})),
    *(("open", {"signal_conditions": value}) for value in ({"x": "y" * 65536}, CONDITIONS_TOO_DEEP)),
    ("open", {"entry_price": 92233720368, "quantity": 2}),
    ("open", {"symbol": "NIFTY 50"}),
    *(("fill", {"side": value}) for value in ("LONG", "buy", None)),
    *(("fill", {"price": value}) for value in (-1, None, "x")),
    *(("fill", {"quantity": value}) for value in (0, None, -1)),
    *(("fill", {"at": value}) for value in (None, "now", FUTURE, AT - MINUTE)),
    *(("close", {"price": value}) for value in (-1, None, "x", float("nan"))),
    *(("close", {"exit_time": value}) for value in (None, "now", FUTURE, AT - MINUTE)),
    *(("close", {"exit_reason": value}) for value in (None, "x" * 1001, "a\x00", "\udfff", 7)),
    *(("close", {"pnl": value}) for value in ("x", True, float("nan"), 1e12)),
    *(("close", {"pnl_percent": value}) for value in ("x", False, float("inf"))),
    *(("stop", {"price": value}) for value in (0, None, -1, "x")),
    *(("stop", {"extreme": value}) for value in (0, None)),
    *(("stop", {"method": value}) for value in ("", None, "m" * 65)),
    *(("stop", {"at": value}) for value in (None, FUTURE)),
    *(("signal", {"decision": value}) for value in ("MAYBE", "taken", None)),
    *(("signal", {"at": value}) for value in (None, FUTURE)),
    *(("signal", {"conditions": value}) for value in ("x", [1], {"x": float("inf")}, {None: 1})),
    ("signal", {"reason": None}),
]

ACCEPTED = [
    *(
        ("open", {"trade_id": value})
        for value in ("x" * 128, "a, b = c & d / e ^ 'f' \"g\"", "आदेश १", "é" * 64, "%s {x}")
    ),
    *(("open", {"strategy_id": value}) for value in ("a b", "é" * 32, "<b>")),
    *(("open", {"symbol": value}) for value in ("M&M", "BSE:RELIANCE", "MCX:GOLD26DECFUT", "BAJAJ-AUTO", "^NSEI")),
    *(("open", {"entry_price": value}) for value in ("0.00000001", 1e-8, 9223372036, Decimal("2450.12345678"), 1)),
    *(("open", {"quantity": value}) for value in ("0.00000001", 5.5, 37_000_000)),
    *(("open", {"entry_time": value}) for value in (datetime(2024, 3, 15, 9, 30), 1710475200000000001, AT)),
    *(("open", {"charges": value}) for value in (0, None, "12.35", 0.1, -1)),
    *(("open", {"signal_conditions": value}) for value in ({}, {"": 1}, CONDITIONS_DEEP, {"x": "y" * 60000})),
    *(("open", {"signal_conditions": value}) for value in ({"a.b": 1, "a": {"b": 2}}, {"n": 10**400}, {"k" * 300: 1})),
    ("open", {"side": "SHORT", "stop_price": 2460, "target_price": "2400.05", "fill_id": "F", "order_id": "O"}),
    *(("fill", {"side": value}) for value in ("BUY", "SELL")),
    ("fill", {"at": AT, "charges": 0, "fill_id": "x" * 128}),
    ("fill", {"price": 0}),
    ("close", {"price": 0}),
    *(("close", {"exit_reason": value}) for value in ("", "two\nlines", "क" * 1000, "\\")),
    *(("close", {"pnl": value}) for value in (None, -1.123456789, "5")),
    *(("stop", {"price": value}) for value in ("0.00000001", 99999)),
    ("signal", {"conditions": {}, "reason": ""}),
    ("signal", {"symbol": "NIFTY 50", "decision": "TAKEN"}),
]


def call(operation: str, said: dict[str, Any]) -> Any:
    if operation == "open":
        return opened(**{"trade_id": "T2", **said})
    if operation == "fill":
        return filled(**{"side": "BUY", "price": 2450, "quantity": 1, **said})
    return {"close": closed, "stop": lambda price=2441, **more: stop(price, **more), "signal": signal}[operation](
        **said
    )


class TestInput:
    def test_bad_input_is_refused_and_changes_no_row(self) -> None:
        assert len(REFUSED) >= 50
        opened()
        before = snapshot()
        for operation, said in REFUSED:
            try:
                answer = call(operation, said)
            except VeloxError as error:
                assert isinstance(error, (InvalidValue, NotTradable)), (operation, said, error)
                assert error.field, (operation, said)
            else:
                pytest.fail(f"{operation} took {said!r:.200}: {answer}")
            assert snapshot() == before, (operation, said)

    def test_odd_but_true_input_is_taken(self, subtests: pytest.Subtests) -> None:
        """Each in an account of its own."""
        terms = {"book": "paper", "currency": "INR", "zone": "Asia/Kolkata", "capital": 0, "capital_date": AT.date()}
        for number, (operation, said) in enumerate(ACCEPTED):
            account = f"desk {number}"
            create_account(account, **terms)
            opened(account_code=account)
            with subtests.test(f"{operation} {said!a:.60}"):
                assert call(operation, {**said, "account_code": account})

    def test_names_come_back_byte_for_byte(self) -> None:
        for name in ("a, b = c & d / e ^ 'f' \"g\"", "आदेश १", "日本 株", "<b>&amp;"):
            position = opened(name, strategy_id=name, symbol=name, fill_id=name, order_id=name)
            assert (position.trade_id, position.strategy_id, position.symbol) == (name, name, name)
            assert (fills(name)[0].fill_id, fills(name)[0].order_id) == (name, name)


def test_without_tables_it_says_so(ledger: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE trading_fill" + (" CASCADE" if ledger.vendor == "postgresql" else ""))
    with pytest.raises(LedgerNotReady):
        opened()
    assert Trade.objects.count() == 0


def test_without_a_ledger_it_says_so_and_makes_none(ledger: Any) -> None:
    if ledger.vendor == "postgresql":
        return  # an absent database is an absent server: LedgerBusy
    from django.db import connections

    connections.close_all()
    (ledger.data_dir / "ledger.sqlite3").unlink()
    with pytest.raises(LedgerNotReady):
        opened()
    assert not (ledger.data_dir / "ledger.sqlite3").exists()


def test_money_in_the_database_is_an_integer() -> None:
    opened()
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT price, quantity FROM trading_fill")
        assert cursor.fetchone() == (245005000000, 1000000000)
    assert Fill.objects.filter(price="2450.05").exists() and not Fill.objects.filter(price__gt="2450.05").exists()
