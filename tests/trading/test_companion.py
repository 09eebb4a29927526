"""The companion: one per data folder, detached, replaced when it dies, gone when nobody needs it."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from tests.companions import ended_afterwards, is_alive, living_companion
from tests.redis_server import redis_server, use
from tests.trading.test_hot import tick
from tests.waiting import until
from timeseries import wiring
from timeseries.shipping import pump
from timeseries.shipping.pump import Pump
from timeseries.spool.disk_space import Room, Space
from trading import summon
from trading.companion import companion as module
from trading.companion.companion import Companion, Job
from trading.companion.follower import Follower
from trading.data_manager import DataManager
from trading.hot import breaker as breakers
from trading.hot import cache
from trading.hot.breaker import Breaker
from trading.management.commands import ship
from trading.queries.projection import unprojected

MANAGE = Path(__file__).parents[2] / "manage.py"


@pytest.fixture
def ended(data_dir: Path) -> Iterator[None]:
    with ended_afterwards():
        yield


def points() -> dict[str, Any]:
    return wiring.open_pump().points()


class TestSummoned:
    def test_the_first_record_brings_one_that_keeps_nothing_of_ours(self, ledger: Any, ended: None) -> None:
        reading, writing = os.pipe2(os.O_NONBLOCK)
        os.set_inheritable(writing, True)  # as a harness does that reads until its children are gone
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            pid = living_companion()
            status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            assert int(status[3]) not in {os.getpgid(0), os.getsid(0)}  # a session of its own
            assert int(status[1]) != os.getpid()  # and nobody's child
            os.close(writing)
            assert os.read(reading, 1) == b""  # nobody else holds our pipe
            os.close(reading)
            targets = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.name in {"0", "1", "2"}}
            assert targets == {"/dev/null", str(summon.lock_path().parent / "logs" / "companion.log")}
            dm.flush(600)
        assert points()["stored"] == 1

    def test_killed_it_is_replaced_at_the_next_flush_and_nothing_is_lost(self, ledger: Any, ended: None) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            first = living_companion()
            os.kill(first, signal.SIGKILL)
            until(lambda: summon.companion_pid() is None)
            dm.process_tick("TCS", {"ltp": 2})
            dm.flush(600)
            assert living_companion() != first
            assert points()["stored"] == 2

    def test_killed_it_is_replaced_by_ticks_alone(self, ledger: Any, ended: None) -> None:
        with DataManager() as dm:
            assert dm.process_tick("TCS", {"ltp": 1})
            os.kill(living_companion(), signal.SIGKILL)
            until(lambda: summon.companion_pid() is None)
            deadline = time.monotonic() + 20
            while summon.companion_pid() is None and time.monotonic() < deadline:
                assert dm.process_tick("TCS", {"ltp": 2})
                time.sleep(0.01)
            assert summon.companion_pid() is not None

    def test_of_many_that_record_at_once_one_starts_it(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch, ended: None
    ) -> None:
        started: list[int] = []
        monkeypatch.setattr(summon, "_start", lambda descriptor: started.append(os.dup(descriptor)))
        for _ in range(20):
            threads = [threading.Thread(target=summon.summon) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(started) == 1
            assert summon.companion_pid() == 0  # it has the lock before it runs
            os.close(started.pop())  # it dies
            assert summon.companion_pid() is None

    def test_who_only_looks_keeps_nobody_from_starting_it(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[int] = []
        monkeypatch.setattr(summon, "_start", lambda descriptor: started.append(descriptor))
        summon.summon()
        looks = threading.Event()

        def look() -> None:
            while not looks.is_set():
                summon.companion_pid()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            for _ in range(300):
                summon.summon()
        finally:
            looks.set()
            thread.join()
        assert len(started) == 301

    def test_a_folder_that_cannot_be_written_raises_nothing(self, data_dir: Path, settings: Any) -> None:
        (data_dir / "file").write_text("")
        settings.DATA_DIR = data_dir / "file" / "below"
        summon.summon()
        assert summon.companion_pid() is None

    def test_it_costs_the_first_record_little(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(summon.sys, "executable", "/bin/true")
        spent = []
        for _ in range(5):
            started = time.perf_counter()
            summon.summon()
            spent.append(time.perf_counter() - started)
        assert min(spent) < 0.1


class TestLife:
    @pytest.fixture
    def clock(self) -> list[float]:
        return [0.0]

    @pytest.fixture
    def quick(self, alone: None, ledger: Any, monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> Companion:
        """A companion in this process, whose pauses move its clock by ten seconds."""
        made = Companion(clock=lambda: clock[0])

        def pause(_: float) -> bool:
            clock[0] += 10
            assert clock[0] < 1000
            return False

        monkeypatch.setattr(made.pump, "wait", pause)
        return made

    def test_it_ends_a_minute_after_the_last_recorder(
        self, quick: Companion, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dm = DataManager()
        dm.process_tick("TCS", {"ltp": 1})
        pause = quick.pump.wait

        def closes(seconds: float) -> bool:
            if clock[0] == 200:
                dm.close()
            return pause(seconds)

        monkeypatch.setattr(quick.pump, "wait", closes)
        quick.run()
        assert 260 < clock[0] <= 280
        assert points()["spooled"] == 0

    def test_it_ends_when_its_folder_is_gone(
        self, quick: Companion, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            pause = quick.pump.wait

            def removes(seconds: float) -> bool:
                connections.close_all()
                # The thread that shows limits may write a file there meanwhile, which makes a removal begin anew.
                until(lambda: shutil.rmtree(data_dir, ignore_errors=True) or not data_dir.exists())
                return pause(seconds)

            monkeypatch.setattr(quick.pump, "wait", removes)
            quick.run()
        assert not data_dir.exists()

    def test_it_leaves_a_folder_that_was_made_anew_to_another(
        self, alone: None, ledger: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with summon.being_the_companion() as is_ours:
            assert is_ours
            made = Companion()
            passes = []

            def anew(_: float) -> bool:
                passes.append(1)
                assert len(passes) < 5
                summon.lock_path().rename(data_dir / "elsewhere")
                with summon.being_the_companion() as again:
                    assert again
                return False

            monkeypatch.setattr(made.pump, "wait", anew)
            made.run()
        assert passes == [1]

    def test_what_fails_keeps_the_other_parts_from_nothing(
        self, quick: Companion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails() -> None:
            raise RuntimeError("planted")

        for part in quick.jobs:
            if part.name == "the follower":
                part.work = fails
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
        quick.run()
        assert points()["stored"] == 1

    def test_a_desk_without_a_ledger_ships_its_ticks(
        self, alone: None, data_dir: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
    ) -> None:
        if connections["default"].vendor != "sqlite":
            pytest.skip("a server's ledger is not a file")
        with django_db_blocker.unblock():
            monkeypatch.setitem(connections["default"].settings_dict, "NAME", data_dir / "ledger.sqlite3")
            with DataManager() as dm:
                assert dm.process_tick("TCS", {"ltp": 1})
            made = Companion(idle_seconds=0)
            made.run()
        assert points()["stored"] == 1
        assert not (data_dir / "ledger.sqlite3").exists()

    def test_between_the_slices_of_a_long_backlog_all_parts_have_their_turn_and_nothing_is_slept(
        self, alone: None, ledger: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pump, "PASS_SECONDS", 0.0)
        monkeypatch.setattr(pump, "MANY", 1)
        monkeypatch.setattr("timeseries.shipping.shipper.ship_slice.__kwdefaults__", {"rows": 4})
        made, waits = Companion(), []

        def wait(seconds: float) -> bool:
            waits.append((seconds, points()["stored"]))
            made.stopped = points()["spooled"] == 0
            return True

        monkeypatch.setattr(made.pump, "wait", wait)
        with DataManager() as dm:
            for number in range(12):
                dm.process_tick("TCS", {"ltp": number + 1})
            made.run()
        assert waits == [(0.0, 4), (0.0, 8), (module.PAUSE_SECONDS, 12)]

    def test_what_is_recorded_is_synced_while_another_part_takes_long(self, alone: None, ledger: Any) -> None:
        made, begun, done = Companion(idle_seconds=0), threading.Event(), threading.Event()

        def takes_long() -> None:
            begun.set()
            done.wait(60)

        made.jobs.append(Job("the long part", takes_long, 3600.0))
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            (lane,) = wiring.open_spool().lanes()
            thread = threading.Thread(target=made.run)
            thread.start()
            try:
                assert begun.wait(60)
                until(lambda: lane.unsynced() is None)  # the syncer takes a moment to start
                dm.process_tick("TCS", {"ltp": 2})
                deadline = time.monotonic() + 20
                while lane.unsynced() is not None and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert lane.unsynced() is None
            finally:
                done.set()
                made.stop()
                thread.join()


class TestPart:
    def test_it_comes_when_it_is_due_or_called_for(self) -> None:
        done: list[float] = []
        part = Job("work", lambda: done.append(1), 10.0)
        for now, at_once in ((0, False), (5, False), (5, True), (14, False), (15, False)):
            part.run(now, at_once=at_once)
        assert len(done) == 3

    def test_after_each_fault_it_waits_longer_and_a_ring_does_not_wake_it(self) -> None:
        tries: list[float] = []
        now = 0.0

        def fails() -> None:
            tries.append(now)
            raise RuntimeError("planted")

        part = Job("work", fails, 0.0)
        while now < 200:
            part.run(now, at_once=True)
            now += 1
        gaps = [later - earlier for earlier, later in pairwise(tries)]
        assert gaps[:5] == [1, 2, 4, 8, 16]
        assert set(gaps[5:]) == {30}

    def test_it_is_itself_again_after_a_success(self) -> None:
        faults = [RuntimeError("planted")]

        def work() -> None:
            if faults:
                raise faults.pop()

        part = Job("work", work, 0.5)
        part.run(0, at_once=False)
        assert (part.failures, part.due_at) == (1, 1.0)
        part.run(1, at_once=False)
        assert (part.failures, part.due_at) == (0, 1.5)


class TestHotCopy:
    @pytest.fixture
    def copying(
        self, alone: None, ledger: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> Iterator[tuple[Companion, Any]]:
        with redis_server(tmp_path) as server:
            use(server.url, settings)
            monkeypatch.setattr(cache, "breaker", Breaker())
            yield Companion(), server

    def test_newest_values_reach_other_processes(self, copying: Any) -> None:
        companion, _ = copying
        with DataManager() as dm:
            for price in (1, 2, 3):
                dm.process_tick("TCS", {"ltp": price}, at=price * 10**9 + 10**18)
            dm.process_tick("TCS", {"ltp": 99}, at=10**18)  # a late one
            dm.cache_indicators("TCS", {"rsi": 45.5}, timeframe="5m")
            companion._copy()
            other = DataManager(source="other")
            assert cache.newest("tick", "main", "TCS")["close"] == 3
            assert other.get_latest_tick("TCS") == {**(dm.get_latest_tick("TCS") or {}), "origin": "hot"}
            assert other.get_indicators("TCS", timeframe="5m") == {"rsi": 45.5}

    @pytest.mark.parametrize("was_killed", [False, True], ids=["by the same", "by the next after a kill"])
    def test_what_was_shipped_before_it_was_copied_is_copied(self, copying: Any, was_killed: bool) -> None:
        companion, _ = copying
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            companion._copy()
            dm.process_tick("TCS", {"ltp": 2})
            assert wiring.open_pump().drain(600)
            (Companion() if was_killed else companion)._copy()
        assert cache.newest("tick", "main", "TCS")["close"] == 2

    def test_what_the_cache_did_not_take_comes_again(
        self, copying: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        companion, server = copying
        use(server.url, settings, is_patient=False)
        monkeypatch.setattr(breakers, "AWAY_SECONDS", 0.0)
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            companion._copy()
            dm.process_tick("TCS", {"ltp": 2})
            with server.frozen():
                companion._copy()
            until(lambda: companion._copy() or cache.newest("tick", "main", "TCS") is not None)
            companion._copy()
        assert cache.newest("tick", "main", "TCS")["close"] == 2

    def test_more_than_one_slice_is_copied_whole(self, copying: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        companion, _ = copying
        monkeypatch.setattr(module, "ROWS_MAX", 10)
        with DataManager() as dm:
            dm.process_tick("FIRST", {"ltp": 1})
            companion._copy()
            dm.process_tick("FIRST", {"ltp": 2})
            for number in range(35):
                dm.process_tick(f"S{number}", {"ltp": number + 1})
            companion._copy()
        assert cache.newest("tick", "main", "FIRST")["close"] == 2
        assert cache.newest("tick", "main", "S34")["close"] == 35

    def test_flushing_redis_changes_no_answer(self, copying: Any) -> None:
        companion, server = copying
        with DataManager() as dm, DataManager(source="b") as second, DataManager(source="c") as reader:
            for number, manager in ((5, dm), (9, second), (7, dm), (8, second)):
                manager.process_tick("TCS", {"ltp": number}, at=10**18 + number * 10**9)
                manager.cache_indicators("TCS", {"n": number}, at=10**18 + number * 10**9)
            dm.open_position("T1", "ema", "TCS", 5, 10, 10**18)

            def answers() -> list[Any]:
                """What each knows, without where it came from."""
                asked = [
                    (one.get_latest_tick("TCS") or {}, one.get_indicators("TCS"), one.get_position("ema", "TCS"))
                    for one in (dm, second, reader)
                ]
                return [[{**t, "origin": ""}, i, {**p.as_dict(), "origin": ""}] for t, i, p in asked]

            before = answers()
            companion._copy()
            assert cache.newest("tick", "main", "TCS") is not None
            copied = answers()
            server.tell("FLUSHALL")
            flushed = answers()
            cache.put_newest("tick", {cache.key("tick", "main", "TCS"): tick(1, 1)})  # something old
            assert before == copied == flushed
            assert [answer[0]["last_price"] for answer in before] == [9, 9, 9]
            assert [answer[1] for answer in before] == [{"n": 9}] * 3


class TestShip:
    def test_one_pass_ships_all_and_says_how_much(self, alone: None, ledger: Any) -> None:
        with DataManager() as dm:
            for price in range(1, 11):
                dm.process_tick("TCS", {"ltp": price})
            dm.open_position("T1", "ema", "TCS", 5, 10, 10**18)
        out, err = io.StringIO(), io.StringIO()
        call_command("ship", stdout=out, stderr=err)
        assert out.getvalue() == "11 points stored, 0 waiting.\n"  # ten ticks and one execution

    def test_a_spool_full_of_what_waits_is_shipped_before_the_journal(
        self, alone: None, ledger: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            dm.open_position("T1", "ema", "TCS", 5, 10, 10**18)
        monkeypatch.setattr(Room, "space", lambda room: Space(used=2, limit=1, free=2**40, reserve=0))
        out, err = io.StringIO(), io.StringIO()
        with pytest.raises(SystemExit) as left:
            call_command("ship", stdout=out, stderr=err)
        assert (left.value.code, out.getvalue()) == (1, "1 points stored, 0 waiting.\n")
        assert "1 rows of the journal are not among them yet" in err.getvalue()

    def test_what_comes_meanwhile_may_wait(self, alone: None, ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})

            def and_go_on(pump: Pump, targets: dict[Any, int], *, until: float) -> dict[Any, int]:
                left = ship_through(pump, targets, until=until)
                dm.process_tick("TCS", {"ltp": 2})
                return left

            ship_through = Pump.ship_through
            monkeypatch.setattr(Pump, "ship_through", and_go_on)
            out = io.StringIO()
            call_command("ship", stdout=out, stderr=io.StringIO())
        assert out.getvalue() == "1 points stored, 1 waiting.\n"

    def test_where_a_companion_follows_the_journal_it_waits_for_that(
        self, alone: None, ledger: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ship, "PASS_SECONDS", 0.05)
        with DataManager() as dm:
            dm.open_position("T1", "ema", "TCS", 5, 10, 10**18)
        out = io.StringIO()
        with summon.being_the_companion() as is_ours:
            assert is_ours
            with pytest.raises(SystemExit) as left:  # this companion does nothing
                call_command("ship", stdout=out, stderr=io.StringIO())
            assert (left.value.code, out.getvalue()) == (1, "0 points stored, 0 waiting.\n")

            def seen_late(ends: dict[int, int]) -> int:
                number = unprojected(ends)
                follower.run_once()
                return number

            with closing(Follower()) as follower:
                monkeypatch.setattr(ship, "unprojected", seen_late)
                call_command("ship", stdout=out, stderr=io.StringIO())
        assert out.getvalue().endswith("\n1 points stored, 0 waiting.\n")

    def test_a_store_that_is_out_of_order_is_exit_1(
        self, alone: None, ledger: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ship, "PASS_SECONDS", 0.05)
        (data_dir / "delta").write_text("a file stands in the way")
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
        with pytest.raises(SystemExit) as left:
            call_command("ship", stdout=io.StringIO(), stderr=io.StringIO())
        assert left.value.code == 1
        assert points()["spooled"] == 1

    def test_a_second_companion_leaves_at_once(self, data_dir: Path) -> None:
        err = io.StringIO()
        with summon.being_the_companion() as is_ours:
            assert is_ours
            call_command("ship", watch=True, stderr=err)
        assert "works on this folder already" in err.getvalue()

    def test_who_began_to_record_while_it_ended_is_served(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lives: list[Any] = []

        class Short:
            stopped = False

            def __init__(self, **_: Any) -> None:
                lives.append(self)

            def run(self) -> None:
                assert summon.companion_pid() == os.getpid()

            def stop(self) -> None: ...

            def is_wanted(self) -> bool:
                assert summon.companion_pid() is None  # the lock is free by now, so nobody waits in vain
                return len(lives) == 1

        monkeypatch.setattr(ship, "Companion", Short)
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        try:
            call_command("ship", watch=True)
        finally:
            signal.signal(signal.SIGTERM, before[0])
            signal.signal(signal.SIGINT, before[1])
        assert len(lives) == 2

    def test_sigterm_ends_it_in_order(self, ledger: Any) -> None:
        worker = subprocess.Popen([sys.executable, str(MANAGE), "ship", "--watch", "--stay"], env=ledger.env)
        try:
            assert living_companion() == worker.pid
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(600) == 0
        finally:
            worker.kill()
            worker.wait()
        assert summon.companion_pid() is None
        assert not is_alive(worker.pid)

    def test_an_unknown_option_is_exit_2(self) -> None:
        with pytest.raises(CommandError):
            call_command("ship", "--forever")
