"""The facade: signatures as promised, what each answer means, and how it behaves among threads, forks and loops."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from django.db import connections

from tests.waiting import PATIENCE_SECONDS
from timeseries import wiring
from timeseries.stores.base import PointQuery
from trading import ledger as ledger_room
from trading.data_manager import DataManager
from trading.domain.values import Position, Signal, Trade
from trading.errors import (
    FlushTimeout,
    InvalidValue,
    LedgerBusy,
    LedgerNotReady,
    RecorderClosed,
    SourceBusy,
    SpoolFull,
    VeloxError,
)

ROOT = Path(__file__).parents[2]
MORNING = datetime(2024, 3, 15, 4, 0, tzinfo=UTC)  # 09:30 at the desk
MINUTE = timedelta(minutes=1)
ALL_TIME = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

EVERY = ("1s", "5s", "15s", "1m", "3m", "5m", "10m", "15m", "30m", "1h", "1d")
TRADE_KEYS = (
    "trade_id strategy_id symbol account side state open_quantity avg_price realised_pnl charges stop_price "
    "target_price initial_risk opened_at closed_at exit_reason reported_pnl flags"
)
POSITION_KEYS = "last_price last_price_at unrealised_pnl origin"
TICK_COLUMNS = (
    "time exchange_time received_time source kind close open high low volume day_volume bid ask last_quantity oi"
)
CANDLE_COLUMNS = "time open high low close volume ticks"

PROMISED = {
    "open_position": "trade_id strategy_id symbol entry_price quantity entry_time * signal_conditions side stop_price "
    "target_price charges fill_id order_id",
    "add_fill": "trade_id side price quantity at * charges fill_id order_id flip_to",
    "set_charges": "trade_id amount * source",
    "close_position": "trade_id strategy_id symbol exit_price exit_time pnl pnl_percent exit_reason * charges fill_id "
    "order_id",
    "update_trailing_sl": "trade_id strategy_id symbol stop_price extreme_price method * at",
    "update_position_snapshot": "strategy_id symbol current_price quantity pnl pnl_percent * at",
    "record_signal": "strategy_id symbol at conditions * decision reason",
    "process_tick": "symbol tick * at",
    "process_ticks": "ticks * symbol",
    "cache_indicators": "symbol values * at timeframe",
    "get_position": "strategy_id symbol",
    "get_open_positions": "",
    "get_latest_tick": "symbol",
    "get_indicators": "symbol * timeframe",
    "get_trade": "trade_id",
    "get_trades": "* strategy_id symbol start stop state",
    "get_signals": "strategy_id start stop",
    "get_ticks": "symbol start stop * source",
    "get_candles": "symbol every start stop * source",
    "get_trailing_sl_history": "trade_id",
    "get_executions": "trade_id",
    "get_indicator_history": "symbol start stop",
    "get_position_history": "strategy_id symbol start stop",
    "get_strategy_metrics": "strategy_id start stop",
    "get_strategy_stats": "strategy_id days",
    "get_symbol_stats": "symbol days",
    "get_stats_by": "cut days * condition",
    "get_daily_summary": "date",
    "health": "",
    "flush": "timeout",
    "close": "",
}


@pytest.fixture
def dm(alone: None, ledger: Any) -> Iterator[DataManager]:
    with DataManager() as manager:
        yield manager


def opened(dm: DataManager, trade_id: str = "T1", **more: Any) -> Position:
    said = {"strategy_id": "ema", "symbol": "RELIANCE", "entry_price": 100, "quantity": 10, "entry_time": MORNING}
    return dm.open_position(trade_id, **{**said, **more})


class TestSignatures:
    @pytest.mark.parametrize("name", PROMISED)
    def test_positional_orders_and_keywords_are_as_promised(self, name: str) -> None:
        said: list[str] = []
        for parameter in list(inspect.signature(getattr(DataManager, name)).parameters.values())[1:]:
            if parameter.kind is parameter.KEYWORD_ONLY and "*" not in said:
                said.append("*")
            said.append(parameter.name)
        promised = PROMISED[name].split()
        before, _, after = PROMISED[name].partition("*")
        assert said[: len(before.split())] == before.split()
        assert set(promised) <= {*said, "*"}
        assert set(after.split()) <= set(said[len(before.split()) :])
        extra = set(said) - set(promised) - {"*"}
        assert extra <= {"strategy_id"}  # calls by trade id alone take it after the star

    def test_the_constructor_takes_keywords_alone(self) -> None:
        parameters = list(inspect.signature(DataManager.__init__).parameters.values())[1:]
        assert {parameter.name: parameter.default for parameter in parameters} == {
            "source": "default",
            "account": "main",
            "on_storage_fault": "count",
            "volume": "per_tick",
            "ledger_intake": False,
            "start_stamped_bars": None,
        }
        assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}

    def test_each_method_delegates_in_a_line_or_two(self) -> None:
        for name in PROMISED:
            method = getattr(DataManager, name)
            [definition] = ast.parse(textwrap.dedent(inspect.getsource(method))).body
            statements = definition.body[1:]  # after the docstring
            assert 1 <= len(statements) <= 3, name
            for node in ast.walk(ast.Module(statements, [])):
                assert not isinstance(node, ast.If | ast.IfExp | ast.For | ast.While | ast.Try), name


class TestBeforeAnything:
    def test_a_data_manager_touches_no_disk_until_the_first_record(
        self, alone: None, data_dir: Path, settings: Any
    ) -> None:
        settings.DATA_DIR = data_dir / "new"
        settings.SPOOL_DIR = data_dir / "new" / "spool"
        DataManager().close()
        assert not (data_dir / "new").exists()

    @pytest.mark.ledger
    def test_without_tables_a_ledger_call_says_migrate_and_a_tick_is_kept(self, alone: None, no_tables: Path) -> None:
        with DataManager() as dm:
            with pytest.raises(LedgerNotReady, match="migrate"):
                opened(dm)
            with pytest.raises(LedgerNotReady, match="migrate"):
                dm.get_trades()
            assert dm.update_trailing_sl("T1", "ema", "RELIANCE", 1, 2, "ATR") is False
            assert dm.ledger.faults == {"ledger_not_ready": 1}
            assert dm.process_tick("RELIANCE", {"ltp": 1}) is True
            assert not no_tables.exists()


@pytest.mark.ledger
class TestPositions:
    def test_an_open_position_is_priced_by_the_newest_tick(self, dm: DataManager) -> None:
        opened(dm)
        assert dm.get_position("ema", "RELIANCE").last_price is None  # unknown is unknown, not zero
        assert dm.get_position("ema", "RELIANCE").unrealised_pnl is None
        dm.process_tick("RELIANCE", {"ltp": 103.05}, at=MORNING + MINUTE)
        held = dm.get_position("ema", "RELIANCE")
        assert (held.last_price, held.last_price_at) == (Decimal("103.05"), MORNING + MINUTE)
        assert held.unrealised_pnl == Decimal("30.5")
        assert held.origin in {"hot", "ledger"}

    def test_several_open_trades_are_summed_and_listed_one_by_one(self, dm: DataManager) -> None:
        opened(dm, "1", stop_price=90)
        opened(dm, "2", entry_price=110)
        opened(dm, "3", side="SHORT", quantity=5)
        dm.process_tick("RELIANCE", {"ltp": 120})
        held = dm.get_position("ema", "RELIANCE")
        assert (held.side, held.open_quantity) == ("LONG", 15)
        assert (held.trade_id, held.stop_price, held.target_price, held.initial_risk) == (None, None, None, None)
        assert held.unrealised_pnl == 200 + 100 - 100
        assert [one.trade_id for one in dm.get_open_positions()] == ["1", "2", "3"]

    def test_a_net_of_zero_has_no_side(self, dm: DataManager) -> None:
        opened(dm, "1")
        opened(dm, "2", side="SHORT")
        held = dm.get_position("ema", "RELIANCE")
        assert (held.side, held.open_quantity) == (None, 0)

    def test_values_are_frozen_and_tell_all_their_keys(self, dm: DataManager) -> None:
        position = opened(dm, signal_conditions={"rsi": 1})
        assert list(position.as_dict()) == TRADE_KEYS.split() + POSITION_KEYS.split()
        trade = dm.close_position("T1", "ema", "RELIANCE", 101, MORNING + MINUTE)
        assert list(trade.as_dict()) == TRADE_KEYS.split()
        assert type(position) is Position and type(trade) is Trade
        assert type(dm.get_signals("ema", *ALL_TIME)[0]) is Signal
        with pytest.raises(AttributeError):
            trade.state = "OPEN"  # type: ignore[misc]


class TestNewest:
    def test_the_newest_is_by_exchange_time_whoever_recorded_it(self, dm: DataManager) -> None:
        with DataManager(source="second") as other:
            dm.process_tick("TCS", {"ltp": 10}, at=MORNING)
            other.process_tick("TCS", {"ltp": 12}, at=MORNING + 2 * MINUTE)
            dm.process_tick("TCS", {"ltp": 11}, at=MORNING + MINUTE)
            answers = [one.get_latest_tick("TCS")["last_price"] for one in (dm, other, DataManager(source="third"))]
            assert answers == [12, 12, 12]
            dm.process_tick("TCS", {"ltp": 13}, at=MORNING + 3 * MINUTE)
            answers = [one.get_latest_tick("TCS")["last_price"] for one in (dm, other, DataManager(source="third"))]
            assert answers == [13, 13, 13]

    def test_indicators_of_each_timeframe_are_apart(self, dm: DataManager) -> None:
        dm.cache_indicators("TCS", {"rsi": 1})
        dm.cache_indicators("TCS", {"rsi": 5}, timeframe="5m")
        dm.cache_indicators("TCS", {"rsi": 0}, at=MORNING)  # a late one
        for one in (dm, DataManager(source="other")):
            assert one.get_indicators("TCS") == {"rsi": 1.0}
            assert one.get_indicators("TCS", timeframe="5m") == {"rsi": 5.0}
            assert one.get_indicators("TCS", timeframe="1h") is None

    def test_what_an_earlier_process_recorded_is_known(self, dm: DataManager) -> None:
        dm.process_tick("TCS", {"ltp": 10, "day_volume": 5}, at=MORNING)
        dm.close()
        assert wiring.open_pump().drain(600)
        found = DataManager().get_latest_tick("TCS")
        assert found is not None
        assert (found["last_price"], found["day_volume"], found["source"]) == (10.0, 5.0, "default")
        assert found["exchange_time"] == int(MORNING.timestamp()) * 10**9
        assert "bid" not in found

    def test_a_tick_that_is_shipped_between_two_questions_for_it_is_known(
        self, dm: DataManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dm.process_tick("TCS", {"ltp": 10}, at=MORNING)
        dm.close()
        store = wiring.open_store()
        newest = store.newest

        def answer_then_ship(query: PointQuery) -> pa.Table:
            answer = newest(query)
            assert wiring.open_pump().drain(600)
            return answer

        monkeypatch.setattr(store, "newest", answer_then_ship)
        assert DataManager().get_latest_tick("TCS")["last_price"] == 10

    @pytest.mark.ledger
    def test_accounts_are_apart(self, dm: DataManager) -> None:
        with DataManager(source="replay", account="replay") as replay:
            replay.process_tick("TCS", {"ltp": 99})
            replay.cache_indicators("TCS", {"rsi": 9})
            opened(replay, symbol="TCS")
        assert dm.get_latest_tick("TCS") is None
        assert dm.get_indicators("TCS") is None
        assert dm.get_trades() == []
        assert dm.get_open_positions() == []
        assert len(dm.get_ticks("TCS", *ALL_TIME)) == 0


class TestReadings:
    def test_tables_have_the_promised_columns_and_ascend(self, dm: DataManager) -> None:
        for number in (3, 1, 2):
            dm.process_tick("TCS", {"ltp": number, "volume": 1}, at=MORNING + number * MINUTE)
        ticks = dm.get_ticks("TCS", MORNING, MORNING + 3 * MINUTE)
        assert ticks.column_names == TICK_COLUMNS.split()
        assert ticks.column("close").to_pylist() == [1, 2]
        assert ticks.schema.field("time").type == pa.timestamp("ns", "UTC")
        candles = dm.get_candles("TCS", "1m", MORNING, MORNING + timedelta(hours=1))
        assert candles.column_names == CANDLE_COLUMNS.split()
        assert candles.column("close").to_pylist() == [1, 2, 3]

    def test_bounds_are_naive_desk_time_aware_time_or_nanoseconds(self, dm: DataManager) -> None:
        dm.process_tick("TCS", {"ltp": 1}, at=MORNING)
        naive = datetime(2024, 3, 15, 9, 30)
        nanoseconds = int(MORNING.timestamp()) * 10**9
        for start, stop in ((naive, naive + MINUTE), (MORNING, MORNING + MINUTE), (nanoseconds, nanoseconds + 1)):
            assert len(dm.get_ticks("TCS", start, stop)) == 1
            assert len(dm.get_ticks("TCS", stop, stop + (stop - start))) == 0

    @pytest.mark.parametrize("every", ["1m", "1d"])
    def test_candles_of_a_list_are_one_table_by_symbol_and_time(self, dm: DataManager, every: str) -> None:
        opened(dm, symbol="MCX:CRUDEOIL24APRFUT")  # of another calendar
        symbols = ["TCS", "MCX:CRUDEOIL24APRFUT", "INFY", "NOBODY"]
        for number, symbol in enumerate(symbols[:3] * 4):
            dm.process_tick(symbol, {"ltp": number + 1, "volume": 0.1}, at=MORNING + number * MINUTE)
        hours = (
            (MORNING, MORNING + timedelta(hours=1))
            if every == "1m"
            else (MORNING - timedelta(hours=9), MORNING + timedelta(hours=9))
        )
        table = dm.get_candles(iter(symbols), every, *hours)
        assert table.column_names == ["symbol", *CANDLE_COLUMNS.split()]
        alone = {symbol: dm.get_candles(symbol, every, *hours) for symbol in sorted(symbols)}
        assert table.column("symbol").to_pylist() == [
            symbol for symbol, rows in alone.items() for _ in range(len(rows))
        ]
        assert table.drop_columns(["symbol"]).equals(pa.concat_tables(list(alone.values())))
        assert len(table) == (12 if every == "1m" else 3)
        assert dm.get_candles([], every, *hours).schema == table.schema

    def test_a_market_day_is_of_any_instant_a_naive_one_at_the_desk(self, dm: DataManager) -> None:
        day = dm.get_market_day("TCS", MORNING)
        assert dm.get_market_day("TCS", datetime(2024, 3, 15, 9, 30)) == day
        for odd in (
            None,
            "2024-03-15",
            date(2024, 3, 15),
            5,
            datetime.min,
            datetime.max,
            datetime.max.replace(tzinfo=UTC),
        ):
            with pytest.raises(InvalidValue) as refused:
                dm.get_market_day("TCS", odd)  # type: ignore[arg-type]
            assert refused.value.field == "at"

    @pytest.mark.parametrize("every", EVERY)
    def test_candles_of_every_length_hold_the_tick(self, dm: DataManager, every: str) -> None:
        dm.process_tick("TCS", {"ltp": 7}, at=MORNING)
        assert dm.get_candles("TCS", every, *ALL_TIME).column("close").to_pylist() == [7]

    @pytest.mark.ledger
    def test_stops_and_executions_are_there_as_soon_as_the_call_returned(self, dm: DataManager) -> None:
        opened(dm)
        assert dm.update_trailing_sl("T1", "ema", "RELIANCE", 95, 104, "ATR", at=MORNING) is True
        assert dm.update_trailing_sl("T1", "ema", "RELIANCE", 95, 104, "ATR", at=MORNING) is True
        stops = dm.get_trailing_sl_history("T1")
        assert stops.column("stop_price").to_pylist() == [95]
        dm.close_position("T1", "ema", "RELIANCE", 101, MORNING + MINUTE)
        assert dm.get_executions("T1").column("side").to_pylist() == ["BUY", "SELL"]
        assert dm.get_executions("T1").column("pnl").to_pylist() == [None, 10]

    def test_a_source_is_read_alone_and_named(self, dm: DataManager) -> None:
        with DataManager(source="second") as other:
            dm.process_tick("TCS", {"ltp": 10}, at=MORNING + MINUTE)
            other.process_tick("TCS", {"ltp": 12}, at=MORNING)
        found = dm.get_ticks("TCS", *ALL_TIME)
        assert found.column("source").to_pylist() == ["second"]
        assert dm.get_ticks("TCS", *ALL_TIME, source="default").column("close").to_pylist() == [10]


class TestFaults:
    @pytest.mark.ledger
    def test_a_stop_answers_false_while_the_ledger_is_busy_and_all_else_raises(
        self, dm: DataManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened(dm)

        def busy(*_: Any, **__: Any) -> None:
            raise LedgerBusy("busy")

        monkeypatch.setattr(ledger_room, "at_the_ledger", busy)
        assert dm.update_trailing_sl("T1", "ema", "RELIANCE", 95, 104, "ATR") is False
        assert dm.ledger.faults == {"ledger_busy": 1}
        with pytest.raises(LedgerBusy):
            dm.close_position("T1", "ema", "RELIANCE", 95, MORNING)
        with pytest.raises(LedgerBusy):
            DataManager(on_storage_fault="raise").update_trailing_sl("T1", "ema", "RELIANCE", 95, 104, "ATR")

    @pytest.mark.parametrize("how", ["count", "raise"])
    def test_a_full_spool_counts_or_raises_and_recovers_by_itself(
        self, alone: None, ledger: Any, settings: Any, how: str
    ) -> None:
        settings.VELOX_SPOOL_MAX_BYTES = 1
        dm = DataManager(on_storage_fault=how)
        calls = [
            lambda: dm.process_tick("TCS", {"ltp": 1}),
            lambda: dm.cache_indicators("TCS", {"a": 1}),
            lambda: dm.update_position_snapshot("ema", "TCS", 1, 1),
        ]
        for call in calls:
            if how == "count":
                assert call() is False
            else:
                with pytest.raises(SpoolFull):
                    call()
        assert sum(dm.telemetry.recorder.faults.values()) == 3
        part = dm.health()["parts"]["spool"]
        assert (part["status"], part["code"]) == ("down", "spool_full")
        assert dm.get_latest_tick("TCS") is None  # what was refused is not known
        assert dm.get_indicators("TCS") is None
        dm.close()

    def test_after_close_recording_says_so_and_reading_goes_on(self, dm: DataManager) -> None:
        dm.process_tick("TCS", {"ltp": 1})
        opened(dm)
        dm.close()
        dm.close()
        for call in (
            lambda: dm.process_tick("TCS", {"ltp": 1}),
            lambda: dm.process_ticks([{"symbol": "TCS", "ltp": 1}]),
            lambda: dm.cache_indicators("TCS", {"a": 1}),
            lambda: dm.update_position_snapshot("ema", "TCS", 1, 1),
        ):
            with pytest.raises(RecorderClosed):
                call()
        assert dm.get_latest_tick("TCS")["last_price"] == 1
        assert dm.get_trade("T1").state == "OPEN"

    @pytest.mark.ledger
    @pytest.mark.parametrize("odd", [None, 5, 1.5, [], {}, b"A", " ", "A\nB", "\ud800"], ids=ascii)
    def test_what_is_no_name_is_refused_by_every_question_and_costs_the_next_nothing(
        self, dm: DataManager, odd: Any
    ) -> None:
        questions: dict[str, Callable[[], object]] = {
            "timeframe": lambda: dm.get_indicators("TCS", timeframe=odd),
            "timeframe of many": lambda: dm.get_indicators_of(["TCS"], timeframe=odd),
            "strategy_id": lambda: dm.get_position(odd, "TCS"),
            "strategy_id of limits": lambda: dm.limits(odd),
            "symbol": lambda: dm.get_latest_ticks([odd]),
            "text": lambda: dm.query_sql(odd),
        }
        for field, question in questions.items():
            with pytest.raises(InvalidValue) as refused:
                question()
            assert refused.value.field == field.split()[0]
        assert dm.get_indicators("INFY") is None

    @pytest.mark.parametrize("odd", [None, 5, 1.5, "TCS"], ids=repr)
    def test_what_is_no_list_and_no_dict_is_refused(self, dm: DataManager, odd: Any) -> None:
        for question in (dm.get_latest_ticks, dm.get_indicators_of):
            with pytest.raises(InvalidValue) as refused:
                question(odd)
            assert refused.value.field == "symbols"
        if odd is not None:
            with pytest.raises(InvalidValue) as refused:
                dm.query_sql("SELECT 1", odd)
            assert refused.value.field == "params"

    def test_a_question_without_a_limit_is_answered(self, dm: DataManager) -> None:
        assert dm.query_sql("SELECT 1 AS one", timeout=float("inf")).to_pydict() == {"one": [1]}

    def test_nat_is_refused_wherever_a_time_is_given(self, dm: DataManager) -> None:
        nat: Any = pd.NaT
        calls: list[Callable[[], object]] = [
            lambda: opened(dm, entry_time=nat),
            lambda: dm.get_trades(start=nat),
            lambda: dm.get_ticks("TCS", nat, MORNING),
            lambda: dm.get_candles("TCS", "1m", MORNING, nat),
            lambda: dm.get_market_day("TCS", nat),
            lambda: dm.get_daily_summary(nat),
            lambda: dm.cache_indicators("TCS", {"rsi": 1}, at=nat),
        ]
        for call in calls:
            with pytest.raises(InvalidValue, match="NaT"):
                call()

    def test_every_error_has_a_code_and_a_hint(self, dm: DataManager) -> None:
        with pytest.raises(VeloxError) as caught:
            dm.get_trade("T9")
        assert (caught.value.code, bool(caught.value.hint)) == ("unknown_trade", True)
        assert isinstance(caught.value, LookupError)


class TestFlush:
    def test_after_it_every_point_is_in_the_store(self, dm: DataManager) -> None:
        dm.process_tick("TCS", {"ltp": 1})
        dm.cache_indicators("TCS", {"a": 1})
        dm.flush(600)
        points = dm.health()["points"]
        assert (points["accepted"], points["stored"], points["spooled"], points["balance"]) == (2, 2, 0, 0)

    def test_it_says_when_the_store_does_not_take_them_and_loses_none(self, dm: DataManager, data_dir: Path) -> None:
        (data_dir / "delta").write_text("a file stands in the way")
        dm.process_tick("TCS", {"ltp": 1})
        with pytest.raises(FlushTimeout):
            dm.flush(0.3)
        (data_dir / "delta").unlink()
        dm.flush(600)
        assert dm.health()["points"]["stored"] == 1

    def test_it_waits_for_sources_that_nobody_holds_and_for_no_others(self, dm: DataManager) -> None:
        gone = DataManager(source="gone")
        gone.process_tick("TCS", {"ltp": 1})
        gone.close()
        with DataManager(source="busy") as busy:
            busy.process_tick("TCS", {"ltp": 2})
            dm.flush(600)
            rows = {row["source"]: row["spooled"] for row in wiring.open_pump().sources()}
        assert rows == {"gone": 0, "busy": 1}

    def test_nothing_to_wait_for_is_no_wait(self, dm: DataManager) -> None:
        dm.flush(0)

    def test_close_waits_for_no_store(self, dm: DataManager, data_dir: Path) -> None:
        (data_dir / "delta").write_text("a file stands in the way")
        dm.process_tick("TCS", {"ltp": 1})
        dm.close()
        assert wiring.open_pump().points()["spooled"] == 1


class TestTogether:
    @pytest.mark.ledger
    def test_threads_share_one(self, dm: DataManager) -> None:
        faults: list[BaseException] = []

        def work(name: str) -> None:
            try:
                opened(dm, name, strategy_id=name)
                for number in range(200):
                    dm.process_tick(name, {"ltp": number + 1})
                    dm.cache_indicators(name, {"n": number})
                dm.close_position(name, name, "RELIANCE", 101, MORNING + MINUTE)
            except BaseException as error:
                faults.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=(f"S{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert dm.telemetry.recorder.issued() == {"ticks": 800, "indicators": 800}
        assert len(dm.get_trades(state="CLOSED")) == 4

    def test_several_in_one_process_share_a_source(self, dm: DataManager) -> None:
        with DataManager(account="replay") as other:
            dm.process_tick("TCS", {"ltp": 1})
            other.process_tick("TCS", {"ltp": 2})
            assert (dm.get_latest_tick("TCS")["last_price"], other.get_latest_tick("TCS")["last_price"]) == (1, 2)
        assert dm.process_tick("TCS", {"ltp": 3})  # the other's close closed only itself

    @pytest.mark.ledger
    def test_within_an_event_loop_every_call_works(self, dm: DataManager) -> None:
        async def strategy() -> None:
            dm.process_tick("TCS", {"ltp": 11})
            opened(dm, symbol="TCS", signal_conditions={"rsi": 1})
            dm.update_trailing_sl("T1", "ema", "TCS", 9, 12, "ATR")
            assert dm.get_position("ema", "TCS").unrealised_pnl == -890
            dm.close_position("T1", "ema", "TCS", 12, MORNING + MINUTE)
            assert dm.get_strategy_stats("ema", None)["total_trades"] == 1
            assert dm.get_candles("TCS", "1d", *ALL_TIME).num_rows == 1
            assert dm.get_market_day("TCS", MORNING).symbol == "TCS"
            assert dm.get_daily_summary(MORNING)["total"]["total_trades"] == 1
            assert dm.health()["parts"]["ledger"]["status"] == "ok"
            dm.flush(600)
            with pytest.raises(VeloxError):
                dm.get_trade("T9")

        asyncio.run(strategy())
        asyncio.run(_leave())

    def test_two_processes_of_one_source_do_not_meet(self, dm: DataManager, ledger: Any) -> None:
        script = (
            "import sys; from velox_site.desk import DataManager; from trading import summon\n"
            "summon.summon = lambda: None\n"
            "dm = DataManager(); dm.process_tick('TCS', {'ltp': 1}); print(__import__('os').getpid(), flush=True)\n"
            "sys.stdin.read()"
        )
        worker = subprocess.Popen(
            [sys.executable, "-c", script],
            env={**ledger.env, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        try:
            for call in (
                lambda: dm.process_tick("TCS", {"ltp": 2}),
                lambda: dm.process_ticks([{"symbol": "TCS", "ltp": 2}]),
                lambda: dm.cache_indicators("TCS", {"a": 2}),
            ):
                with pytest.raises(SourceBusy) as caught:
                    call()
                assert caught.value.pid == pid
            assert dm.get_latest_tick("TCS")["last_price"] == 1  # reading needs no source
        finally:
            worker.communicate()
        assert dm.process_tick("TCS", {"ltp": 2}) is True
        assert dm.get_ticks("TCS", *ALL_TIME).column("close").to_pylist() == [1, 2]

    @pytest.mark.ledger
    def test_a_forked_child_opens_a_source_of_its_own(self, dm: DataManager) -> None:
        dm.process_tick("TCS", {"ltp": 1})
        opened(dm)
        answers = in_a_fork(lambda: _in_the_child(dm))
        assert answers == "SourceBusy OPEN True"
        assert dm.process_tick("TCS", {"ltp": 2})
        assert dm.get_trade("C1").state == "OPEN"
        assert len(dm.get_ticks("TCS", *ALL_TIME, source="child")) == 1
        assert len(dm.get_ticks("TCS", *ALL_TIME, source="default")) == 2

    def test_killed_and_restarted_ticks_of_one_second_are_all_there(self, dm: DataManager, ledger: Any) -> None:
        dm.close()
        script = (
            "import os, sys; from datetime import *; from velox_site.desk import DataManager\n"
            "from trading import summon; summon.summon = lambda: None; at = datetime(2024, 3, 15, 4, tzinfo=UTC)\n"
            "dm = DataManager()\n"
            "for n in range(3): dm.process_tick('TCS', {'ltp': int(sys.argv[1]) + n}, at=at)\n"
            "os.kill(os.getpid(), 9)"
        )
        for start in ("10", "20"):
            env = {**ledger.env, "PYTHONPATH": str(ROOT)}
            done = subprocess.run([sys.executable, "-c", script, start], env=env, check=False, timeout=PATIENCE_SECONDS)
            assert done.returncode == -signal.SIGKILL
        with DataManager() as again:
            again.process_tick("TCS", {"ltp": 30}, at=MORNING)
            found = again.get_ticks("TCS", *ALL_TIME)
        assert found.column("close").to_pylist() == [10, 11, 12, 20, 21, 22, 30]
        first = int(MORNING.timestamp()) * 10**9
        assert found.column("time").cast(pa.int64()).to_pylist() == [first + n for n in range(7)]
        assert set(found.column("exchange_time").cast(pa.int64()).to_pylist()) == {first}


async def _leave() -> None:
    """Close what the ledger's thread has open, on that thread."""
    ledger_room.at_the_ledger(connections.close_all)


def _in_the_child(dm: DataManager) -> str:
    try:
        dm.process_tick("TCS", {"ltp": 5})
        said = "no error"
    except SourceBusy:
        said = "SourceBusy"
    with DataManager(source="child") as own:
        kept = own.process_tick("TCS", {"ltp": 6})
        return f"{said} {opened(own, 'C1').state} {kept}"


def in_a_fork(work: Any) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(work()).encode())
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def test_bars_that_come_stamped_at_their_start_stand_in_their_own_candle(alone: None, ledger: Any) -> None:
    bar = {"open": 10, "high": 12, "low": 9, "close": 11, "volume": 5}
    with DataManager(start_stamped_bars="5m") as dm:
        for minute in (0, 5):
            assert dm.process_tick("RELIANCE", {**bar, "timestamp": MORNING + minute * MINUTE})
        candles = dm.get_candles("RELIANCE", "5m", MORNING, MORNING + 60 * MINUTE).to_pylist()
    assert [row["time"] for row in candles] == [MORNING, MORNING + 5 * MINUTE]
    with pytest.raises(VeloxError, match="start_stamped_bars is '2m'"):
        DataManager(start_stamped_bars="2m")
