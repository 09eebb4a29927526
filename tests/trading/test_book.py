"""What is true of an account now: where each answer comes from, and that no origin says anything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.redis_server import RedisServer
from tests.timeseries.influx_server import FaultyInflux, faulty_influx
from timeseries.stores.base import PointQuery
from timeseries.stores.delta.store import DeltaStore
from trading import newest
from trading.data_manager import DataManager
from trading.errors import InvalidValue, LedgerBusy, StoreUnavailable, UnknownAccount
from trading.hot import cache, ledger_copy
from trading.hot.breaker import Breaker
from trading.models import Account, Trade
from trading.operations.void import void
from trading.queries import valuation
from trading.web.positions import priced_positions

QUESTIONS: dict[str, Callable[[DataManager], Any]] = {
    "open positions": lambda dm: dm.get_open_positions(),
    "a position": lambda dm: dm.get_position("scalping", "RELIANCE"),
    "a flat position": lambda dm: dm.get_position("scalping", "TCS"),
    "trailing stops": lambda dm: dm.get_trailing_stops(),
    "counters": lambda dm: dm.get_all_counters(),
    "a strategy's counters": lambda dm: dm.get_strategy_counters("scalping"),
    "the day's figures": lambda dm: dm.get_day_figures(),
}


@pytest.fixture
def dm(shared_ledger: RedisServer) -> Iterator[DataManager]:
    with DataManager() as made:
        fill_the_book(made)
        yield made


def fill_the_book(dm: DataManager) -> None:
    dm.open_position("T1", "scalping", "RELIANCE", "2450.05", 10, datetime.now(UTC), stop_price="2440")
    dm.open_position("T2", "scalping", "M&M", 700, 5, datetime.now(UTC), side="SHORT")
    dm.open_position("T3", "ema", "RELIANCE", 2451, 1, datetime.now(UTC))
    dm.close_position("T3", "ema", "RELIANCE", 2461, datetime.now(UTC))
    dm.update_trailing_sl("T1", "scalping", "RELIANCE", "2445.5", "2460", "atr")
    dm.record_signal("scalping", "TCS", datetime.now(UTC), {"rsi": 30}, decision="SKIPPED", reason="late")
    dm.process_tick("RELIANCE", {"ltp": 2460.05})


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and the ledger answers no reader."""

    def refuse(*_: Any) -> Any:
        raise LedgerBusy("another writer holds it")

    def begin() -> None:
        for place, name in ((valuation, "open_positions"), (valuation, "position_of"), (ledger_copy, "_sequence")):
            monkeypatch.setattr(place, name, refuse)
        monkeypatch.setattr(ledger_copy, "BUILT", dict.fromkeys(ledger_copy.BUILT, refuse))

    return begin


def plain(answer: Any) -> Any:
    """An answer without its origin."""
    if isinstance(answer, list):
        return [plain(one) for one in answer]
    return {**(answer if isinstance(answer, dict) else answer.as_dict()), "origin": ""}


def origins(answer: Any) -> set[str]:
    rows = answer if isinstance(answer, list) else [answer]
    return {row["origin"] if isinstance(row, dict) else row.origin for row in rows}


@pytest.mark.parametrize("name", QUESTIONS)
class TestOrigins:
    @pytest.mark.ledger
    def test_both_say_the_same_and_who_they_are(self, dm: DataManager, name: str) -> None:
        true = QUESTIONS[name](dm)
        assert origins(true) == {"ledger"}
        ledger_copy.rebuild("main", datetime.now(UTC))
        copied = QUESTIONS[name](dm)
        assert origins(copied) == {"hot"}
        assert plain(copied) == plain(true)

    @pytest.mark.ledger
    def test_a_copy_that_is_behind_does_not_answer(self, dm: DataManager, name: str) -> None:
        ledger_copy.rebuild("main", datetime.now(UTC))
        with DataManager(source="other") as other:
            dm.open_position("T4", "scalping", "RELIANCE", 2460, 7, datetime.now(UTC))
            told = QUESTIONS[name](other)  # of a process that wrote nothing itself
        assert origins(told) == {"ledger"}

    def test_a_busy_ledgers_copy_answers(self, dm: DataManager, busy: Callable[[], None], name: str) -> None:
        true = QUESTIONS[name](dm)
        ledger_copy.rebuild("main", datetime.now(UTC))
        busy()
        assert plain(QUESTIONS[name](dm)) == plain(true)

    def test_but_not_one_from_before_our_own_write(self, dm: DataManager, busy: Callable[[], None], name: str) -> None:
        ledger_copy.rebuild("main", datetime.now(UTC))
        dm.open_position("T4", "scalping", "TCS", 100, 1, datetime.now(UTC))
        busy()
        with pytest.raises(LedgerBusy):
            QUESTIONS[name](dm)

    def test_unknown_is_never_flat(self, dm: DataManager, busy: Callable[[], None], name: str) -> None:
        busy()
        with pytest.raises(LedgerBusy):
            QUESTIONS[name](dm)

    def test_what_makes_no_sense_is_asked_of_the_ledger(self, dm: DataManager, name: str) -> None:
        true = QUESTIONS[name](dm)
        ledger_copy.rebuild("main", datetime.now(UTC))
        raw = cache.cache.client.get_client()
        sound = {part: ledger_copy.read("main", part) for part in ledger_copy.SECTIONS}
        for garbage in (7, [7], [{"trade_id": "T1"}], {"scalping": 3}, None, "x"):
            for part, entry in sound.items():
                assert entry is not None
                raw.set(cache.cache.make_key(ledger_copy.name_of("main", part)), json.dumps({**entry, part: garbage}))
            told = QUESTIONS[name](dm)
            assert plain(told) == plain(true), garbage
            assert origins(told) == {"ledger"}, garbage

    def test_an_unknown_account_is_refused(self, shared_ledger: RedisServer, name: str) -> None:
        with pytest.raises(UnknownAccount):
            QUESTIONS[name](DataManager(account="nobody"))


@pytest.mark.ledger
class TestAnswers:
    """The figures themselves, from each origin."""

    @pytest.fixture(params=["ledger", "hot"])
    def asked(self, dm: DataManager, request: pytest.FixtureRequest) -> DataManager:
        if request.param == "hot":
            ledger_copy.rebuild("main", datetime.now(UTC))
        return dm

    def test_positions_are_valued_at_the_newest_tick(self, asked: DataManager) -> None:
        first, second = asked.get_open_positions()
        assert (first.trade_id, first.unrealised_pnl, first.last_price) == ("T1", 100, Decimal("2460.05"))
        assert (second.trade_id, second.side, second.unrealised_pnl) == ("T2", "SHORT", None)

    def test_trailing_stops(self, asked: DataManager) -> None:
        [stop] = asked.get_trailing_stops()
        assert (stop.trade_id, stop.stop_price, stop.extreme_price, stop.method) == (
            "T1", Decimal("2445.5"), Decimal(2460), "atr",
        )  # fmt: skip
        assert asked.get_trailing_stops(strategy_id="scalping") == [stop]
        assert asked.get_trailing_stops(strategy_id="ema") == []

    def test_counters(self, asked: DataManager) -> None:
        ema, scalping = asked.get_all_counters()
        assert (ema.strategy_id, ema.trades_opened, ema.trades_closed, ema.trades_open) == ("ema", 1, 1, 0)
        assert (scalping.trades_opened, scalping.trades_open, scalping.signals_skipped) == (2, 2, 1)
        assert asked.get_strategy_counters("scalping") == scalping
        assert asked.get_strategy_counters("nobody").trades_opened == 0

    def test_counters_leave_out_what_is_void(self, dm: DataManager) -> None:
        void(Trade.objects.get(trade_id="T2").pk, by="asha", reason="never sent")
        counters = dm.get_strategy_counters("scalping")
        assert (counters.trades_opened, counters.trades_open) == (1, 1)

    def test_the_days_figures(self, asked: DataManager) -> None:
        assert asked.get_day_figures()["gross_pnl"] == 10

    def test_a_copy_of_another_day_says_nothing_of_today(self, dm: DataManager) -> None:
        ledger_copy.rebuild("main", datetime.now(UTC) - timedelta(days=1))
        assert dm.get_strategy_counters("scalping").trades_opened == 2
        assert dm.get_strategy_counters("scalping").origin == "ledger"
        assert dm.get_day_figures()["origin"] == "ledger"


class TestManyAtOnce:
    def test_ticks_and_indicators_of_many_symbols_say_where_each_came_from(self, dm: DataManager) -> None:
        at = 10**18
        with DataManager(source="other") as other:
            other.process_tick("TCS", {"ltp": 3}, at=at)
            other.cache_indicators("TCS", {"rsi": 50}, at=at)
            dm.cache_indicators("RELIANCE", {"rsi": 45.5}, at=at)
            cache.put_newest(
                "tick", {cache.key("tick", "main", "M&M"): {"exchange_time": at, "time": at, "close": 7.0}}
            )
            ticks = dm.get_latest_ticks(["RELIANCE", "TCS", "M&M", "ABSENT"])
            found = dm.get_indicators_of(["RELIANCE", "TCS", "ABSENT"])
        assert {name: (tick["last_price"], tick["origin"]) for name, tick in ticks.items()} == {
            "RELIANCE": (2460.05, "process"), "TCS": (3, "spool"), "M&M": (7, "hot"),
        }  # fmt: skip
        assert found == {"RELIANCE": {"rsi": 45.5}, "TCS": {"rsi": 50}}
        assert {name: one.origin for name, one in found.items()} == {"RELIANCE": "process", "TCS": "spool"}

    def test_what_is_shipped_comes_from_the_store(self, dm: DataManager) -> None:
        with DataManager(source="other") as other:
            other.process_tick("TCS", {"ltp": 3})
            other.cache_indicators("TCS", {"rsi": 50})
            other.flush(600)
        tick = dm.get_latest_tick("TCS")
        assert tick is not None
        assert (tick["last_price"], tick["origin"]) == (3, "store")
        assert getattr(dm.get_indicators("TCS"), "origin", None) == "store"

    def test_the_hot_state_is_asked_once_for_all(self, dm: DataManager, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []
        breaker = Breaker()
        monkeypatch.setattr(breaker, "succeeded", lambda: calls.append(1))
        monkeypatch.setattr(cache, "breaker", breaker)
        dm.get_latest_ticks([f"S{number}" for number in range(50)])
        dm.get_indicators_of([f"S{number}" for number in range(50)])
        assert len(calls) == 2

    def test_the_store_is_asked_once_for_all_open_positions(
        self, dm: DataManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = [f"S{number}" for number in range(12)]
        with DataManager(source="other") as other:
            for number, name in enumerate(names):
                other.process_tick(name, {"ltp": 10 + number})
            other.flush(60)
        for number, name in enumerate(names * 2):
            dm.open_position(f"M{number}", "many", name, 5, 1, datetime.now(UTC))
        questions: list[PointQuery] = []
        newest = DeltaStore.newest

        def counted(store: DeltaStore, query: PointQuery) -> Any:
            questions.append(query)
            return newest(store, query)

        monkeypatch.setattr(DeltaStore, "newest", counted)
        held = [one for one in dm.get_open_positions() if one.strategy_id == "many"]
        assert [one.last_price for one in held] == [Decimal(10 + number) for number in range(12)] * 2
        assert len(questions) == 1
        account = Account.objects.get(code="main")
        shown = {one.position.symbol: one.position.last_price for one in priced_positions(account)}
        assert [shown[name] for name in names] == [Decimal(10 + number) for number in range(12)]
        assert len(questions) == 2

    def test_a_text_is_not_a_list_of_symbols(self, dm: DataManager) -> None:
        for ask in (dm.get_latest_ticks, dm.get_indicators_of):
            with pytest.raises(InvalidValue, match="symbols"):
                ask("TCS")


class TestASlowStore:
    """An InfluxDB that drips its answers, which no time-out between two bytes would ever end."""

    @pytest.fixture
    def influx(self, dm: DataManager, settings: Any) -> Iterator[FaultyInflux]:
        with faulty_influx() as server:
            settings.INFLUXDB_V2_URL, settings.INFLUXDB_V2_TOKEN = server.url, "x"
            settings.INFLUXDB_V2_ORG = settings.INFLUXDB_V2_BUCKET = "velox"
            server.behaviour.drip_seconds = 0.05
            yield server

    def test_the_first_question_ends_and_those_that_follow_do_not_ask_it(
        self, dm: DataManager, influx: FaultyInflux
    ) -> None:
        for _ in range(5):
            with pytest.raises(StoreUnavailable, match=r"InfluxDB|lately"):
                dm.get_latest_tick("TCS")
        assert influx.questions == 1

    def test_what_the_process_or_the_spool_knows_answers(self, dm: DataManager, influx: FaultyInflux) -> None:
        with DataManager(source="other") as other:
            other.process_tick("TCS", {"ltp": 3})
            for symbol, origin in (("TCS", "spool"), ("RELIANCE", "process")):
                tick = dm.get_latest_tick(symbol)
                assert tick is not None
                assert tick["origin"] == origin
        assert influx.questions == 1

    def test_it_is_asked_again_once_the_pause_is_over(
        self, dm: DataManager, influx: FaultyInflux, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(newest, "STORE_AWAY_SECONDS", 0.0)
        with DataManager(source="third") as third:
            with pytest.raises(StoreUnavailable):
                third.get_latest_tick("TCS")
            influx.behaviour.drip_seconds = 0.0
            assert third.get_latest_tick("TCS") is None
        assert influx.questions == 2
