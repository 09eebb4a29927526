"""The health report: its shape, and that each check fails when what it checks is broken."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections import namedtuple
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections

from tests.redis_server import redis_server, use
from tests.waiting import until
from timeseries.spool.counter import REFUSED_NS, CounterMap
from timeseries.spool.folder import Spool
from trading import summon
from trading.data_manager import DataManager
from trading.health import faults, recording
from trading.health import report as module
from trading.health.report import report
from trading.hot import cache
from trading.hot.breaker import Breaker
from trading.management.commands import health as health_command

PARTS = list(faults.PARTS)
POINTS = ["accepted", "stored", "spooled", "dead_lettered", "expired", "damaged", "cleared", "balance"]
OPEN_HOURS = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # a Monday, 10:30 at the desk


@pytest.fixture(autouse=True)
def alone(ledger: Any, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[None]:
    """Nobody ships; the logs have a folder; what an earlier report has seen is forgotten."""
    monkeypatch.setattr(summon, "summon", lambda: None)
    monkeypatch.setattr(module, "_since", {})
    settings.LOG_DIR = tmp_path / "logs"
    settings.LOG_DIR.mkdir()
    yield


def now() -> datetime:
    return datetime.now(UTC)


def part(name: str, at: datetime | None = None) -> tuple[str, str]:
    found = report(now=at or now())["parts"][name]
    return found["status"], found["code"]


class TestShape:
    def test_it_has_the_promised_keys_and_can_be_told_as_json(self) -> None:
        found = report(now=OPEN_HOURS)
        assert list(found) == ["status", "checked_at", "parts", "points", "feeds"]
        assert list(found["parts"]) == PARTS
        for one in found["parts"].values():
            assert list(one) == ["status", "since", "latency_ms", "code", "detail", "cure"]
            assert one["status"] in {"ok", "degraded", "down", "off"}
        assert list(found["points"]) == [*POINTS, "oldest_seconds", "unsynced_seconds"]
        assert found["checked_at"] == "2026-11-23T05:00:00.000Z"
        json.dumps(found, allow_nan=False)

    @pytest.mark.ledger
    def test_a_new_desk_is_well_and_what_is_not_used_is_off(self) -> None:
        found = report(now=now())
        assert found["status"] == "ok"
        states = {name: one["status"] for name, one in found["parts"].items()}
        off = {
            "intake",
            "hot",
            "broker",
            "worker",
            "beat",
            "feed",
            "clock" if connection.vendor == "sqlite" else "",
            "site",
            "alerts",
            "duties",
        }
        assert states == {name: "off" if name in off else "ok" for name in PARTS}
        assert found["points"] == {**dict.fromkeys(POINTS, 0), "oldest_seconds": None, "unsynced_seconds": 0.0}

    def test_since_stands_as_long_as_the_state_does(self, data_dir: Path) -> None:
        first = report(now=OPEN_HOURS)["parts"]["store"]["since"]
        again = report(now=OPEN_HOURS + timedelta(minutes=5))["parts"]["store"]
        assert (again["status"], again["since"]) == ("ok", first)
        (data_dir / "delta").write_text("a file stands in the way")
        later = report(now=OPEN_HOURS + timedelta(minutes=6))["parts"]["store"]
        assert (later["status"], later["since"]) == ("degraded", "2026-11-23T05:06:00.000Z")

    def test_looking_makes_no_folder(self, data_dir: Path) -> None:
        before = sorted(path.name for path in data_dir.iterdir() if "sqlite3" not in path.name)
        report(now=now())
        assert sorted(path.name for path in data_dir.iterdir() if "sqlite3" not in path.name) == before


@pytest.mark.ledger
class TestLedger:
    def test_without_a_ledger_it_is_down_with_its_cure(self, no_tables: Path) -> None:
        found = report(now=now())
        assert (found["status"], part("ledger")) == ("down", ("down", "ledger_not_ready"))
        assert "migrate" in found["parts"]["ledger"]["cure"]
        assert not no_tables.exists()

    def test_tables_older_than_the_code_are_down(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'trading'")
        assert part("ledger") == ("down", "ledger_not_ready")

    def test_a_ledger_newer_than_the_code_is_down(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('trading', '9999_later', '2026-01-01')"
            )
        assert part("ledger") == ("down", "ledger_not_ready")

    def test_a_ledger_that_takes_no_writes_is_down(self) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA query_only = ON")
            else:
                cursor.execute("SET default_transaction_read_only = on")
        assert part("ledger") == ("down", "ledger_read_only")

    def test_a_writer_that_does_not_let_go_is_told(self) -> None:
        expected = ("degraded", "ledger_busy") if connection.vendor == "sqlite" else ("ok", "")  # a lock for each row
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
                cursor.execute("UPDATE trading_account SET currency = currency")
                assert part("ledger") == expected
                cursor.execute("ROLLBACK")
        finally:
            other.close()

    def test_it_counts_the_journal(self) -> None:
        with DataManager() as dm:
            dm.open_position("T1", "ema", "TCS", 1, 1, OPEN_HOURS - timedelta(days=900))
        detail = report(now=now())["parts"]["ledger"]["detail"]
        assert detail.endswith(". 1 operations in the journal. No backup was made yet.")
        assert detail.startswith(("SQLite 3.", "PostgreSQL 1"))


class TestSpool:
    def test_a_segment_removed_by_hand_is_told(self, data_dir: Path) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
        [segment] = data_dir.rglob("*.seg")
        segment.unlink()
        assert part("spool") == ("degraded", "balance")
        assert report(now=now())["points"]["balance"] == 1

    def test_refused_records_are_down_then_degraded_then_forgotten(self, data_dir: Path, settings: Any) -> None:
        dm = DataManager()
        dm.process_tick("TCS", {"ltp": 1})
        lane = dm.telemetry.recorder._writer.lanes["ticks"]  # type: ignore[union-attr]
        lane.words[2] += 1
        lane.words[REFUSED_NS] = int(OPEN_HOURS.timestamp()) * 10**9
        for seconds, expected in ((5, "down"), (59, "down"), (61, "degraded"), (3599, "degraded"), (3601, "ok")):
            assert part("spool", OPEN_HOURS + timedelta(seconds=seconds))[0] == expected
        # One that is refused after the report has looked at the clock.
        told = report(now=OPEN_HOURS - timedelta(seconds=1))["parts"]["spool"]["detail"]
        assert told == "1 records were refused, the last 0 s ago."
        dm.close()

    def test_a_spool_that_fills_up_says_so_long_before_it_refuses(self, data_dir: Path, settings: Any) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
        assert part("spool")[0] == "ok"
        settings.VELOX_SPOOL_MAX_BYTES = 4 * next(data_dir.rglob("*.seg")).stat().st_size // 3
        assert part("spool")[0] == "ok"
        settings.VELOX_SPOOL_MAX_BYTES -= 100
        assert part("spool") == ("degraded", "spool_low")

    def test_a_disk_that_could_not_sync_is_degraded_until_it_is_put_right(self, data_dir: Path) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
        [counter] = [CounterMap(path.parent) for path in data_dir.rglob("ticks/issued")]
        counter.doubt(1, 1, 5)
        counter.close()
        assert part("spool") == ("degraded", "sync_failed")
        for lane in Spool(data_dir / "spool").lanes():
            lane.sync()
        assert part("spool")[0] == "ok"

    def test_a_spool_that_was_emptied_under_its_recorder_is_down(self, data_dir: Path) -> None:
        with DataManager() as dm:
            assert dm.process_tick("TCS", {"ltp": 1})
            shutil.rmtree(data_dir / "spool")
            until(lambda: not dm.process_tick("TCS", {"ltp": 2}))
            until(lambda: dm.process_tick("TCS", {"ltp": 3}))
            assert part("spool") == ("down", "spool_removed")
            assert report(now=now())["status"] == "down"
            assert part("spool", now() + timedelta(minutes=5)) == ("degraded", "spool_removed")

    def test_records_that_nobody_syncs_for_long_are_degraded(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            monkeypatch.setattr(faults, "UNSYNCED_SECONDS", 0.0)
            monkeypatch.setattr(faults, "UNSYNCED_WINDOWS", 0)
            assert part("spool") == ("degraded", "unsynced")
            assert report(now=now())["points"]["unsynced_seconds"] > 0
        assert part("spool")[0] == "ok"  # who closes syncs what it recorded

    def test_a_spool_that_cannot_be_written_is_down(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (data_dir / "spool").mkdir()
        read_only(monkeypatch, data_dir / "spool")
        assert part("spool") == ("down", "spool_failed")
        assert report(now=now())["status"] == "down"

    def test_a_spool_that_cannot_be_counted_is_down_and_raises_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(_: Spool) -> None:
            raise OSError("an I/O error")

        monkeypatch.setattr(Spool, "lanes", fails)
        found = report(now=now())
        assert (found["status"], found["parts"]["spool"]["code"]) == ("down", "spool_failed")
        assert list(found["points"]) == [*POINTS, "oldest_seconds", "unsynced_seconds"]


class TestOthers:
    def test_a_store_that_is_out_of_order_is_degraded(self, data_dir: Path) -> None:
        (data_dir / "delta").write_text("a file stands in the way")
        assert part("store")[0] == "degraded"
        assert report(now=now())["status"] == "degraded"

    def test_a_store_that_is_named_in_part_is_degraded_and_the_points_are_counted(self, settings: Any) -> None:
        settings.INFLUXDB_V2_URL = "http://127.0.0.1:9"
        assert part("store") == ("degraded", "store_misconfigured")
        assert part("spool") == ("ok", "")
        settings.INFLUXDB_V2_ORG = settings.INFLUXDB_V2_BUCKET = settings.INFLUXDB_V2_TOKEN = "velox"
        assert part("store") == ("degraded", "store_unavailable")

    @pytest.mark.parametrize("address", ["archive", "s3://", "file:///dev/null/archive"], ids=["word", "s3", "folder"])
    def test_an_archive_that_is_no_address_is_told_with_its_own_cure(self, settings: Any, address: str) -> None:
        settings.VELOX_ARCHIVE_URL = address
        state = report(now=now())["parts"]["store"]
        assert (state["status"], state["code"]) == ("degraded", "archive_refused")
        assert address in state["detail"] and "It is s3://bucket/prefix" in state["detail"]
        assert "INFLUXDB" not in state["cure"]

    def test_points_that_nobody_ships_are_told_after_a_minute(self) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
        assert part("shipper") == ("ok", "")
        with monkeypatched_clock(65):
            assert part("shipper") == ("degraded", "nobody_ships")
            with summon.being_the_companion():
                assert part("shipper") == ("degraded", "behind")
        with summon.being_the_companion():
            assert report(now=now())["parts"]["shipper"]["detail"] == f"The companion works (process {os.getpid()})."

    def test_redis_is_ok_when_it_answers_and_degraded_when_not(
        self, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cache, "breaker", Breaker())
        with redis_server(tmp_path) as server:
            use(server.url, settings, is_patient=False)
            assert part("hot") == ("ok", "")
            with server.frozen():
                assert part("hot") == ("degraded", "cache_unreachable")
        assert part("hot") == ("degraded", "cache_unreachable")
        assert report(now=now())["status"] == "degraded"  # the desk works without

    def test_a_quiet_feed_is_a_fault_in_session_alone(self) -> None:
        dm = DataManager(source="broker")
        dm.process_tick("TCS", {"ltp": 1})
        feeds = report(now=now())["feeds"]
        assert list(feeds) == ["broker"]
        assert 0 <= feeds["broker"]["age_seconds"] < 30
        at = datetime.fromisoformat(feeds["broker"]["last_at"])
        assert abs((now() - at).total_seconds()) < 30
        for hour, expected in ((5, "degraded"), (15, "ok")):  # 10:30 and 20:30 at the desk, on a later Monday
            assert part("feed", datetime(2027, 1, 18, hour, tzinfo=UTC))[0] == expected
        dm.close()
        assert part("feed") == ("off", "")

    @pytest.mark.parametrize(("free", "status"), [(1 << 20, "down"), (1 << 29, "degraded"), (1 << 40, "ok")])
    def test_the_disk_is_told_before_it_is_full(self, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 41, 0, free))
        assert part("disk")[0] == status

    def test_a_log_folder_that_cannot_be_written_is_told(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        read_only(monkeypatch, settings.LOG_DIR)
        assert part("logs") == ("degraded", "logs_read_only")

    @pytest.mark.parametrize("name", sorted(module.SLOW))
    def test_a_part_that_answers_late_is_not_well(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        def checked(milliseconds: float) -> dict[str, Any]:
            clock = iter([0.0, milliseconds / 1000])
            with monkeypatch.context() as patched:
                patched.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
                return module._checked(name, lambda: module.State("ok", "", "It answers."), OPEN_HOURS)

        limit = module.SLOW[name]
        late = checked(limit + 1)
        assert (checked(limit)["status"], late["status"], late["code"]) == ("ok", "degraded", "slow")
        assert late["detail"] == f"It answers. To ask it took {limit + 1} ms, over {limit}."
        assert late["cure"].startswith("Look at")

    def test_a_redis_that_takes_most_of_a_second_is_not_well(self) -> None:
        assert module.SLOW["hot"] < 971

    def test_a_check_that_breaks_is_a_finding_and_no_exception(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recording, "disk", lambda: 1 / 0)
        assert part("disk") == ("degraded", "check_failed")


class TestCommand:
    @pytest.mark.ledger
    def test_json_is_one_object_and_exit_0_means_well(self) -> None:
        out = io.StringIO()
        call_command("health", "--format", "json", stdout=out)
        assert json.loads(out.getvalue())["status"] == "ok"

    @pytest.mark.ledger
    def test_it_shows_feeds_with_the_session_and_each_strategys_money_and_risk(self) -> None:
        def answer(form: str) -> str:
            with suppress(SystemExit):
                call_command("health", "--format", form, stdout=(out := io.StringIO()))
            return out.getvalue()

        at = datetime.now(UTC)
        with DataManager(source="kite") as dm:
            dm.open_position("t1", "ema", "TCS", 100, 3, at, stop_price=90)
            dm.process_tick("TCS", {"ltp": "104.25"})
            dm.open_position("t2", "bare", "SBIN", 10, 5, at)
            dm.close_position("t2", None, "SBIN", "11.1", at, charges="0.25")
            dm.open_position("t3", "bare", "INFY", 10, 1, at)
            told, shown = json.loads(answer("json")), answer("table")
        bare, ema = told["strategies"]
        assert bare == {
            "account": "main", "currency": "INR", "strategy": "bare", "realised_pnl": "5.25", "open_trades": 1,
            "unrealised_pnl": None, "risk": None, "unpriced": 1, "without_stop": 1,
        }  # fmt: skip
        assert (ema["unrealised_pnl"], ema["risk"], ema["without_stop"]) == ("12.75", "42.75", 0)
        assert told["session"]["exchange"] == "NSE"
        assert re.search(r"Feeds, NSE (is closed|trades until \d\d:\d\d)", shown)
        assert "main today, INR" in shown and "42.75" in shown and "kite" in shown

    def test_without_a_ledger_it_shows_the_parts_and_no_money(self, data_dir: Path, alone: None) -> None:
        connections.close_all()
        (data_dir / "ledger.sqlite3").unlink()
        out = io.StringIO()
        with suppress(SystemExit):
            call_command("health", "--format", "json", stdout=out)
        told = json.loads(out.getvalue())
        assert (told["status"], told["session"], told["strategies"]) == ("down", None, None)

    def test_a_finding_is_exit_1(self, data_dir: Path) -> None:
        (data_dir / "delta").write_text("a file stands in the way")
        with pytest.raises(SystemExit) as left:
            call_command("health", stdout=io.StringIO())
        assert left.value.code == 1
        connections.close_all()

    def test_it_watches_until_ctrl_c_and_answers_for_the_last_look(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def wait(seconds: float) -> None:
            if (data_dir / "delta").exists():
                raise KeyboardInterrupt
            (data_dir / "delta").write_text("a file stands in the way")

        monkeypatch.setattr(health_command.time, "sleep", wait)
        out = io.StringIO()
        with pytest.raises(SystemExit) as left:
            call_command("health", "--watch", stdout=out)
        looks = [line.strip() for line in out.getvalue().splitlines() if "VELOX is" in line]
        assert (left.value.code, looks) == (1, ["VELOX is ok", "VELOX is degraded"])
        connections.close_all()


class monkeypatched_clock:
    """The pump's clock, by which waiting points grow old, goes so many seconds ahead."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        from timeseries.shipping import pump

        self.real = real = pump.balance.points
        ahead = int(self.seconds * 10**9)
        pump.balance.points = lambda spool, *, now: real(spool, now=now + ahead)

    def __exit__(self, *_: object) -> None:
        from timeseries.shipping import pump

        pump.balance.points = self.real


def read_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Refuse new files in this folder: root, who runs the tests in a container, may write anywhere."""
    real = recording.tempfile.TemporaryFile

    def refuse(*said: Any, **more: Any) -> Any:
        if more.get("dir") == folder:
            raise PermissionError(13, "Permission denied")
        return real(*said, **more)

    monkeypatch.setattr(recording.tempfile, "TemporaryFile", refuse)


def test_keys_of_a_feed_that_are_not_read_stand_in_the_feeds_detail(alone: None) -> None:
    with DataManager(source="kite") as dm:
        for price in (5, 6):
            dm.process_tick("RELIANCE", {"ltp": price, "ltt": "1740729552723"})
        assert report(now=now())["parts"]["feed"]["detail"] == "1 recording. Not read: ltt of kite (2)."
    after = report(now=now())["parts"]["feed"]
    assert (after["status"], after["detail"]) == ("off", "Nobody records ticks now. Not read: ltt of kite (2).")
