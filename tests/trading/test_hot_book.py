"""The ledger's copy in the hot state: what it holds, when it answers, how it is mended."""

from __future__ import annotations

import io
import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.redis_server import RedisServer, use
from trading.companion.companion import Companion
from trading.data_manager import DataManager
from trading.health.report import report
from trading.hot import cache, comparisons, ledger_copy


@pytest.fixture
def dm(shared_ledger: RedisServer) -> Iterator[DataManager]:
    with DataManager() as made:
        made.open_position("T1", "scalping", "RELIANCE", "2450.05", 10, datetime.now(UTC), stop_price="2440")
        made.open_position("T2", "scalping", "M&M", 700, 5, datetime.now(UTC), side="SHORT")
        made.update_trailing_sl("T1", "scalping", "RELIANCE", "2445.5", "2460", "atr")
        made.record_signal("scalping", "TCS", datetime.now(UTC), {"rsi": 30}, decision="SKIPPED", reason="late")
        yield made


def copied(part: str) -> Any:
    """What the hot state has of an account's part; None where that is unknown."""
    entry = ledger_copy.read("main", part)
    return None if entry is None else entry[part]


@pytest.mark.ledger
class TestCopy:
    def test_it_holds_positions_stops_counters_and_the_days_sums(self, dm: DataManager) -> None:
        dm.close_position("T2", "scalping", "M&M", 690, datetime.now(UTC))
        assert ledger_copy.rebuild("main", datetime.now(UTC)) == {"missing": 4, "behind": 0, "wrong": 0}
        [position] = copied("positions")
        assert (position["trade_id"], position["open_quantity"], position["avg_price"]) == ("T1", "10", "2450.05")
        [stop] = copied("stops")
        assert (stop["trade_id"], stop["stop_price"], stop["method"]) == ("T1", "2445.5", "atr")
        assert copied("counters")["scalping"] == {
            "trades_opened": 2, "trades_closed": 1, "trades_open": 1, "signals_taken": 0, "signals_skipped": 1,
        }  # fmt: skip
        assert Decimal(copied("day")["gross_pnl"]) == 50

    def test_an_account_without_trades_is_known_to_be_flat(self, shared_ledger: RedisServer) -> None:
        ledger_copy.rebuild("main", datetime.now(UTC))
        assert copied("positions") == []


class TestMending:
    @pytest.mark.ledger
    def test_what_is_not_what_the_ledger_says_is_found_and_mended(self, dm: DataManager) -> None:
        ledger_copy.rebuild("main", datetime.now(UTC))
        name = ledger_copy.name_of("main", "positions")
        true = cache.get_many([name])[name]
        for wrong in ({**true, "positions": []}, {**true, "sequence": 10**9}, {"positions": 7}):
            cache.drop([name])
            cache.put("book", {name: wrong}, {name: (10**9, 0)})
            assert ledger_copy.rebuild("main", datetime.now(UTC)) == {"missing": 0, "behind": 0, "wrong": 1}
            assert cache.get_many([name])[name]["positions"] == true["positions"]
        assert ledger_copy.rebuild("main", datetime.now(UTC)) == {"missing": 0, "behind": 0, "wrong": 0}

    @pytest.mark.ledger
    def test_what_is_behind_is_no_fault(self, dm: DataManager) -> None:
        ledger_copy.rebuild("main", datetime.now(UTC))
        dm.close_position("T2", "scalping", "M&M", 690, datetime.now(UTC))
        assert ledger_copy.rebuild("main", datetime.now(UTC)) == {"missing": 0, "behind": 4, "wrong": 0}

    def test_a_slow_writers_older_copy_changes_nothing(self, dm: DataManager) -> None:
        version, old = ledger_copy._from_ledger("main", datetime.now(UTC).date())
        dm.close_position("T2", "scalping", "M&M", 690, datetime.now(UTC))
        ledger_copy.rebuild("main", datetime.now(UTC))
        names = {ledger_copy.name_of("main", part): entry for part, entry in old.items()}
        cache.put("book", names, dict.fromkeys(names, version))
        assert [row["trade_id"] for row in copied("positions")] == ["T1"]

    @pytest.mark.ledger
    def test_the_companion_copies_what_changed_and_mends_once_a_minute(self, dm: DataManager) -> None:
        clock = [1000.0]
        companion = Companion(clock=lambda: clock[0])
        companion._copy_ledger()
        assert len(copied("positions")) == 2
        dm.close_position("T2", "scalping", "M&M", 690, datetime.now(UTC))
        companion._copy_ledger()
        assert len(copied("positions")) == 1
        cache.cache.clear()
        companion._copy_ledger()
        assert copied("positions") is None
        clock[0] += 61
        companion._copy_ledger()
        assert len(copied("positions")) == 1


@pytest.mark.ledger
class TestProof:
    @pytest.fixture
    def verified(self, dm: DataManager) -> Callable[[], dict[str, Any]]:
        def verify() -> dict[str, Any]:
            out = io.StringIO()
            try:
                call_command("verify_ledger", format="json", stdout=out)
            except SystemExit as ended:
                assert ended.code == 1
            told: dict[str, Any] = json.loads(out.getvalue())
            return told

        return verify

    @pytest.mark.parametrize("part", ledger_copy.SECTIONS)
    def test_verify_ledger_names_a_copy_that_is_wrong(self, verified: Callable[[], dict[str, Any]], part: str) -> None:
        ledger_copy.rebuild("main", datetime.now(UTC))
        assert verified()["ok"]
        name = ledger_copy.name_of("main", part)
        entry = cache.get_many([name])[name]
        wrong: Any = [] if isinstance(entry[part], list) else {}
        cache.put("book", {name: {**entry, part: wrong}}, {name: (10**9, 0)})
        told = verified()
        [found] = told["differences"]
        assert (told["ok"], found["kind"], found["pk"], found["field"]) == (False, "cache", name, part)
        assert (found["stored"], found["expected"]) == (wrong, entry[part])
        assert cache.get_many([name])[name][part] == wrong  # it is told, and left for who mends

    def test_a_copy_that_is_missing_or_behind_is_no_difference(
        self, dm: DataManager, verified: Callable[[], dict[str, Any]]
    ) -> None:
        assert verified()["checked"]["cached_entries"] >= 4
        ledger_copy.rebuild("main", datetime.now(UTC))
        dm.close_position("T2", "scalping", "M&M", 690, datetime.now(UTC))
        assert verified()["ok"]


class TestReport:
    def test_what_comparing_found_is_told_by_health_until_it_is_well_again(self, dm: DataManager) -> None:
        clock = [1000.0]
        companion = Companion(clock=lambda: clock[0])

        def compared() -> dict[str, Any]:
            clock[0] += 61
            companion._copy_ledger()
            found: dict[str, Any] = report(now=datetime.now(UTC))["parts"]["hot"]
            return found

        assert "not compared" in report(now=datetime.now(UTC))["parts"]["hot"]["detail"]
        compared()
        name = ledger_copy.name_of("main", "stops")
        cache.put("book", {name: {"sequence": 10**9, "stops": []}}, {name: (10**9, 0)})
        found = compared()
        assert (found["status"], found["code"]) == ("degraded", "mended")
        assert "1 entries were wrong and are mended" in found["detail"]
        found = compared()
        assert found["status"] == "ok"
        assert "nothing was wrong; 1 wrong entries were mended before" in found["detail"]

    def test_two_who_compare_at_once_lose_no_count(self, ledger: Any) -> None:
        found = {"missing": 0, "behind": 0, "wrong": 1}
        threads = [
            Thread(target=comparisons.note, args=(code, found, datetime.now(UTC))) for code in ("main", "replay") * 20
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {code: one.mended for code, one in comparisons.last().items()} == {"main": 20, "replay": 20}

    @pytest.mark.parametrize("text", ["", "[1]", "{}", '{"main": 1}', '{"main": {"at": 1}}', "\x80"])
    def test_a_file_that_makes_no_sense_is_none(self, ledger: Any, settings: Any, text: str) -> None:
        Path(settings.DATA_DIR, "hot_compared.json").write_text(text)
        assert comparisons.last() == {}
        comparisons.note("main", {"missing": 0, "behind": 0, "wrong": 0}, datetime.now(UTC))
        assert set(comparisons.last()) == {"main"}


class TestCommand:
    @pytest.mark.ledger
    def test_it_makes_everything_anew(self, dm: DataManager) -> None:
        dm.process_tick("RELIANCE", {"ltp": 2460})
        dm.cache_indicators("RELIANCE", {"rsi": 45.5})
        out = io.StringIO()
        call_command("rebuild_cache", format="json", stdout=out)
        told = json.loads(out.getvalue())
        assert told["shared"] is True
        assert told["accounts"]["main"] == {"missing": 4, "behind": 0, "wrong": 0}
        assert told["newest"] == {"ticks": 1, "indicators": 1}
        assert told["compared"] == {}
        out = io.StringIO()
        call_command("rebuild_cache", stdout=out)
        assert "main: compared before at 20" in out.getvalue()
        found = cache.newest("tick", "main", "RELIANCE")
        assert found is not None
        assert found["close"] == 2460
        assert len(copied("positions")) == 2

    def test_without_a_redis_there_is_nothing_to_do(self, ledger: Any) -> None:
        out = io.StringIO()
        call_command("rebuild_cache", stdout=out)
        assert "no shared hot state" in out.getvalue()

    def test_a_redis_that_is_gone_is_said(self, dm: DataManager, settings: Any) -> None:
        use("redis://127.0.0.1:1/0", settings)
        with pytest.raises(CommandError, match="Redis") as refused:
            call_command("rebuild_cache", stdout=io.StringIO())
        assert refused.value.returncode == 2

    def test_an_unknown_account_is_refused(self, shared_ledger: RedisServer) -> None:
        with pytest.raises(CommandError):
            call_command("rebuild_cache", account="nobody", stdout=io.StringIO())


@pytest.mark.ledger
def test_with_every_server_hung_and_the_ledger_locked_telemetry_goes_on_and_raises_nothing(
    dm: DataManager, shared_ledger: RedisServer, settings: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        port = silent.getsockname()[1]
        settings.CELERY_BROKER_URL = f"amqp://guest:guest@127.0.0.1:{port}//"
        settings.INFLUXDB_V2_URL, settings.INFLUXDB_V2_TOKEN = f"http://127.0.0.1:{port}", "x"
        settings.INFLUXDB_V2_ORG = settings.INFLUXDB_V2_BUCKET = "velox"
        _records_all_the_same(dm, shared_ledger)


def _records_all_the_same(dm: DataManager, shared_ledger: RedisServer) -> None:
    path = Path(str(connection.settings_dict["NAME"]))
    if connection.vendor != "sqlite":
        path = Path(":memory:")
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    try:
        with shared_ledger.frozen():
            for number in range(1, 2001):
                assert dm.process_tick("RELIANCE", {"ltp": 2400 + number / 100})
            assert dm.cache_indicators("RELIANCE", {"rsi": 45.5})
            assert dm.update_position_snapshot("scalping", "RELIANCE", 2460, 10)
            tick = dm.get_latest_tick("RELIANCE")
            assert tick is not None
            assert tick["last_price"] == 2420
            assert dm.get_indicators("RELIANCE") == {"rsi": 45.5}
    finally:
        locker.execute("ROLLBACK")
        locker.close()
