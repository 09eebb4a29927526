"""Readings of the ledger: accounts, trades, positions, signals, sessions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.trading.desk import FIRST, NOW, make, plans, trade
from trading.domain import sessions as hours
from trading.errors import AmbiguousTrade, InvalidValue, UnknownAccount, UnknownTrade
from trading.models import Instrument, Trade
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.queries import accounts, period, sessions, signals, trades, valuation
from trading.queries.accounts import get_account

INDIA = ZoneInfo("Asia/Kolkata")
MORNING = datetime(2021, 4, 12, 4, tzinfo=UTC)


def no_ticks(symbols: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {}


def opened(name: str, *, at: datetime = MORNING, strategy: str = "ema", symbol: str = "RELIANCE", **more: Any) -> None:
    given = {"entry_price": Decimal(100), "quantity": 10, **more}
    open_position("main", name, strategy, symbol, entry_time=at, **given)


@pytest.mark.ledger
class TestAccounts:
    def test_main_and_replay_are_there_from_the_start(self, ledger: Any) -> None:
        assert [(a.code, a.book) for a in accounts.all_accounts()] == [("main", "live"), ("replay", "replay")]

    def test_an_unknown_account_raises(self, ledger: Any) -> None:
        for code in ("nobody", "", "MAIN", None, 3, "\ud800", "a\x00b"):
            with pytest.raises(UnknownAccount) as caught:
                accounts.get_account(code)  # type: ignore[arg-type]
            assert caught.value.field == "account"

    def test_the_seeded_capital_holds_for_every_day(self, ledger: Any) -> None:
        flows = accounts.capital_flows(accounts.get_account("main"), until=date(2000, 1, 1))
        assert flows == {date(2000, 1, 1): 100_000 * 10**8}


@pytest.mark.ledger
class TestTrades:
    def test_a_call_by_id_means_the_open_trade_else_the_newest(self, ledger: Any) -> None:
        later = MORNING + timedelta(days=1)
        opened("7", entry_price=Decimal(100))
        opened("7", entry_price=Decimal(101), at=later, strategy="orb")
        close_position("main", "7", "orb", "RELIANCE", exit_price=1, exit_time=later)
        assert trades.get_trade(get_account("main"), "7").avg_price == Decimal(100)
        close_position("main", "7", "ema", "RELIANCE", exit_price=1, exit_time=later)
        assert trades.get_trade(get_account("main"), "7").avg_price == Decimal(101)

    def test_two_open_ones_are_ambiguous_until_the_strategy_is_named(self, ledger: Any) -> None:
        opened("7")
        opened("7", strategy="orb")
        with pytest.raises(AmbiguousTrade):
            trades.get_trade(get_account("main"), "7")
        assert trades.get_trade(get_account("main"), "7", strategy_id="orb").strategy_id == "orb"

    def test_an_unknown_trade_raises_and_another_account_has_its_own(self, ledger: Any) -> None:
        opened("7")
        for account, name, strategy in (("main", "8", None), ("replay", "7", None), ("main", "7", "orb")):
            with pytest.raises(UnknownTrade):
                trades.get_trade(get_account(account), name, strategy_id=strategy)

    def test_filters_narrow_and_bounds_are_half_open_on_the_opening(self, ledger: Any) -> None:
        opened("1")
        opened("2", at=MORNING + timedelta(hours=1), strategy="orb")
        opened("3", at=MORNING + timedelta(hours=2), symbol="M&M")
        close_position("main", "3", "ema", "M&M", exit_price=99, exit_time=MORNING + timedelta(hours=3))

        def ids(**chosen: Any) -> list[str | None]:
            return [found.trade_id for found in trades.get_trades(get_account("main"), **chosen)]

        assert ids() == ["1", "2", "3"]
        assert ids(strategy_id="orb") == ["2"]
        assert ids(symbol="M&M") == ids(symbol="NSE:M&M") == ids(state="CLOSED") == ["3"]
        assert ids(state="OPEN", strategy_id="ema") == ["1"]
        assert ids(start=MORNING, stop=MORNING + timedelta(hours=1)) == ["1"]
        assert ids(start=datetime(2021, 4, 12, 10, 30)) == ["2", "3"]  # naive: 10:30 at the desk
        assert ids(start=datetime.min, stop=datetime.max) == ["1", "2", "3"]
        assert ids(symbol="NOTHING") == []

    def test_what_makes_no_sense_is_refused(self, ledger: Any) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"start": NOW, "stop": MORNING}, "start"),
            ({"start": "2021-04-12"}, "start"),
            ({"stop": date(2021, 4, 12)}, "stop"),
            ({"state": "open"}, "state"),
            ({"symbol": 5}, "symbol"),
            ({"symbol": "A\x00"}, "symbol"),
            ({"strategy_id": 7}, "strategy_id"),
            ({"strategy_id": "\ud800"}, "strategy_id"),
        ]
        for chosen, field in wrong:
            with pytest.raises(InvalidValue) as caught:
                trades.get_trades(get_account("main"), **chosen)
            assert caught.value.field == field

    def test_a_symbol_of_another_exchange_is_another_instrument(self, ledger: Any) -> None:
        opened("1", symbol="RELIANCE")
        opened("2", symbol="BSE:RELIANCE")
        assert [t.symbol for t in trades.get_trades(get_account("main"))] == ["RELIANCE", "BSE:RELIANCE"]
        assert valuation.position_of(get_account("main"), "ema", "BSE:RELIANCE", no_ticks).trade_id == "2"

    def test_no_query_per_trade(self, ledger: Any, django_assert_max_num_queries: Any) -> None:
        for number in range(6):
            opened(str(number))
        with django_assert_max_num_queries(3):
            assert len(trades.get_trades(get_account("main"))) == 6
        with django_assert_max_num_queries(3):
            assert len(valuation.open_positions(get_account("main"), no_ticks)) == 6


@pytest.mark.ledger
class TestPositions:
    def test_one_open_trade_is_the_position(self, ledger: Any) -> None:
        opened("1", stop_price=Decimal(95), target_price=Decimal(120))
        position = valuation.position_of(get_account("main"), "ema", "RELIANCE", no_ticks)
        assert (position.trade_id, position.side, position.open_quantity) == ("1", "LONG", Decimal(10))
        assert (position.stop_price, position.target_price, position.initial_risk) == (95, 120, 50)
        assert (position.origin, position.last_price, position.state) == ("ledger", None, "OPEN")

    def test_several_open_trades_are_their_sum(self, ledger: Any) -> None:
        opened("1", stop_price=Decimal(95))
        opened("2", entry_price=Decimal(110), quantity=30)
        position = valuation.position_of(get_account("main"), "ema", "RELIANCE", no_ticks)
        assert (position.side, position.open_quantity, position.avg_price) == ("LONG", Decimal(40), Decimal("107.5"))
        assert [position.trade_id, position.stop_price, position.target_price, position.initial_risk] == [None] * 4
        assert [p.trade_id for p in valuation.open_positions(get_account("main"), no_ticks)] == ["1", "2"]

    def test_a_hedged_position_is_its_net(self, ledger: Any) -> None:
        opened("1", quantity=10)
        opened("2", quantity=25, side="SHORT")
        position = valuation.position_of(get_account("main"), "ema", "RELIANCE", no_ticks)
        assert (position.side, position.open_quantity) == ("SHORT", Decimal(15))
        opened("3", quantity=15)
        position = valuation.position_of(get_account("main"), "ema", "RELIANCE", no_ticks)
        assert (position.side, position.open_quantity, position.avg_price) == (None, Decimal(0), None)
        assert position.state == "OPEN"

    def test_without_an_open_trade_the_position_is_flat(self, ledger: Any) -> None:
        trade(5, at=MORNING)
        position = valuation.position_of(get_account("main"), "ema cross", "RELIANCE", no_ticks)
        assert (position.side, position.open_quantity, position.state) == (None, Decimal(0), "CLOSED")
        assert valuation.open_positions(get_account("main"), no_ticks) == []

    def test_the_average_price_is_that_of_what_is_open(self, ledger: Any) -> None:
        opened("1", quantity=3, entry_price=Decimal(100))
        add_fill("main", "1", "BUY", Decimal(101), 4, MORNING + timedelta(minutes=1))
        assert trades.get_trade(get_account("main"), "1").avg_price == Decimal("100.57142857")


@pytest.mark.ledger
class TestSignals:
    def test_signals_come_back_in_order_with_their_conditions(self, ledger: Any) -> None:
        for minute, decision in ((2, "SKIPPED"), (1, "TAKEN")):
            at = MORNING + timedelta(minutes=minute)
            record_signal("main", "ema", "NIFTY 50", at, {"gap": 0.5, "nested": {"a": [1]}}, decision=decision)
        found = signals.get_signals(get_account("main"), "ema", MORNING, MORNING + timedelta(minutes=2))
        assert [(s.decision, s.conditions) for s in found] == [("TAKEN", {"gap": 0.5, "nested": {"a": [1]}})]
        assert [s.decision for s in signals.get_signals(get_account("main"), "ema", None, None)] == ["TAKEN", "SKIPPED"]
        assert signals.get_signals(get_account("replay"), "ema", None, None) == []
        with pytest.raises(InvalidValue):
            signals.get_signals(get_account("main"), "ema", NOW, MORNING)


class TestPeriods:
    @pytest.mark.parametrize("days", [0, -1, True, 1.0, "30", date(2021, 4, 1)])
    def test_days_are_none_or_an_int_of_at_least_one(self, days: Any) -> None:
        with pytest.raises(InvalidValue) as caught:
            period.check_days(days)
        assert caught.value.field == "days"

    def test_thirty_days_end_today_at_the_desk(self) -> None:
        late = datetime(2021, 4, 30, 19, tzinfo=UTC)  # half past midnight of 1 May in Kolkata
        assert period.last_days(30, now=late) == (date(2021, 4, 2), date(2021, 5, 1))
        assert period.last_days(1, now=NOW) == (date(2021, 4, 30),) * 2
        assert period.last_days(10**9, now=NOW)[0] == date(2000, 1, 1)

    def test_a_day_is_a_date_a_datetime_or_iso_text(self) -> None:
        east = timezone(timedelta(hours=12))
        for given in (
            "2021-04-12",
            date(2021, 4, 12),
            datetime(2021, 4, 12, 23),
            datetime(2021, 4, 13, 1, tzinfo=east),
        ):
            assert period.parse_day(given) == date(2021, 4, 12)
        for wrong in ("12.04.2021", "", 20210412, None):
            with pytest.raises(InvalidValue):
                period.parse_day(wrong)  # type: ignore[arg-type]


class TestSessions:
    @pytest.mark.ledger
    def test_the_ledger_has_the_hours_of_the_file(self, ledger: Any) -> None:
        nse, nowhere = sessions.calendar_of("NSE"), sessions.calendar_of("NOWHERE")
        session = nse.continuous(date(2021, 4, 12))
        assert session is not None
        assert session.opens_at == datetime(2021, 4, 12, 9, 15, tzinfo=INDIA)
        assert session.closes_at == datetime(2021, 4, 12, 15, 30, tzinfo=INDIA)
        assert nse.continuous(date(2021, 4, 14)) is None
        assert nowhere.continuous(date(2021, 4, 12)) is None
        assert nse.day_of(datetime(2021, 4, 12, 18, 30, tzinfo=UTC)) == date(2021, 4, 13)
        assert sessions.last_completed_session(NOW).day == date(2021, 4, 30)

    def test_candles_are_counted_from_the_open_and_from_midnight_where_there_is_none(self, ledger: Any) -> None:
        def ns(*at: int) -> int:
            return int(datetime(*at, tzinfo=INDIA).timestamp()) * 10**9

        made = sessions.candle_sessions("NIFTY 50", ns(2021, 4, 13, 12), ns(2021, 4, 15))
        assert [(s.start, s.stop, s.anchor) for s in made] == [
            (ns(2021, 4, 13), ns(2021, 4, 14), ns(2021, 4, 13, 9, 15)),
            (ns(2021, 4, 14), ns(2021, 4, 15), ns(2021, 4, 14)),
        ]
        assert sessions.candle_sessions("NIFTY 50", 5, 5) == []
        assert len(sessions.candle_sessions("NIFTY 50", -(10**19), 10**19)) == 36_526

    @pytest.mark.ledger
    def test_an_instrument_follows_its_session_group(self, ledger: Any) -> None:
        opened("1", symbol="RELIANCE", at=datetime(2026, 8, 3, 5, tzinfo=UTC))
        Instrument.objects.filter(symbol="RELIANCE").update(session_group="equity_cas")
        session = sessions.calendar_of_symbol("RELIANCE").continuous(date(2026, 8, 3))
        assert session is not None
        assert session.closes_at == datetime(2026, 8, 3, 15, 15, tzinfo=INDIA)

    def test_every_seeded_index_keeps_the_hours_of_the_exchange(self, ledger: Any) -> None:
        groups = Instrument.objects.filter(kind="INDEX").values_list("exchange__code", "session_group").distinct()
        for exchange, group in groups:
            assert sessions.calendar_of(exchange, group).continuous(FIRST) is not None

    @pytest.mark.ledger
    def test_rows_of_the_ledger_say_the_same_as_the_file(self, ledger: Any) -> None:
        data = Path(sessions.__file__).parents[1] / "data"
        for given in hours.parse_hours((data / "exchange_sessions.json").read_text()):
            calendar = hours.Calendar(ZoneInfo(given.zone), hours.rows_for(given.rows, given.session_group))
            kept = sessions.calendar_of(given.code)
            for day in hours.days_between(date(2023, 10, 1), date(2024, 6, 30)):
                assert kept.phases(day) == calendar.phases(day), day


@pytest.mark.ledger
def test_the_made_up_desk_has_something_of_everything(ledger: Any) -> None:
    for plan in plans():
        make(plan)
    rows = Trade.objects.all()
    assert rows.filter(state="OPEN").exists() and rows.filter(side="SHORT", state="CLOSED").exists()
    assert rows.filter(charges=None, state="CLOSED").exists() and rows.filter(initial_risk__isnull=False).exists()
