"""A desk with a broker: a real worker ships what the bell rings for, and whatever fails, every point arrives once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.companions import ended_afterwards, living_companion
from tests.conftest import Ledger
from tests.rabbit_server import rabbit_server
from tests.redis_server import redis_server
from tests.waiting import until
from tests.workers import BEAT, WORKER, celery
from timeseries import presence, wiring
from timeseries.worker.broker import FLUSH_TICKS, SWEEP
from timeseries.worker.broker_client import BrokerBell
from trading import summon
from trading.data_manager import DataManager
from trading.health.report import report

SERVERS = {"redis": redis_server, "rabbitmq": rabbit_server}
# What does not depend on the kind of broker: starting workers takes seconds.
only_redis = pytest.mark.parametrize("broker", ["redis"], indirect=True)


@pytest.fixture(scope="module", params=list(SERVERS))
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def desk(ledger: Ledger, broker: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A desk whose every process knows the broker, and for which nobody starts a companion yet."""
    settings.CELERY_BROKER_URL = broker.url
    monkeypatch.setenv("CELERY_BROKER_URL", broker.url)
    ledger.env["CELERY_BROKER_URL"] = broker.url
    return ledger


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)


def points() -> dict[str, Any]:
    return wiring.open_pump().points()


def recorded(number: int, first: int = 0) -> None:
    with DataManager() as dm:
        for count in range(number):
            assert dm.process_tick("TCS", {"ltp": first + count + 1})


def stored(number: int) -> bool:
    found = points()
    assert found["balance"] == 0
    return bool(found["stored"] == number)


def prices() -> list[float]:
    hour = timedelta(hours=1)
    with DataManager() as dm:
        return sorted(dm.get_ticks("TCS", now() - hour, now() + hour).column("close").to_pylist())


def now() -> datetime:
    return datetime.now(UTC)


def test_a_ring_ships_what_waits_and_a_second_one_nothing(desk: Ledger, alone: None) -> None:
    recorded(500)
    with closing(BrokerBell(desk.env["CELERY_BROKER_URL"])) as bell, celery(desk.data_dir, desk.env, *WORKER):
        for _ in range(3):
            assert bell.ring(FLUSH_TICKS)
        until(lambda: stored(500))
        recorded(500, first=500)
        assert bell.ring(SWEEP) and bell.ring(FLUSH_TICKS)
        until(lambda: stored(1000))
        parts = report(now=now())["parts"]
        assert (parts["broker"]["status"], parts["worker"]["status"]) == ("ok", "ok")
        assert parts["beat"]["code"] == "no_beat"
    assert prices() == [float(number + 1) for number in range(1000)]


@only_redis
def test_doorbells_that_expired_meanwhile_are_quiet_and_a_revoked_task_is_said(desk: Ledger, alone: None) -> None:
    recorded(10)
    with closing(BrokerBell(desk.env["CELERY_BROKER_URL"])) as bell, celery(desk.data_dir, desk.env, *WORKER):
        app = bell._app
        # A broadcast reaches who listens at that moment, and a worker listens a moment after it is ready.
        until(lambda: app.control.revoke("unwanted", reply=True, timeout=1))
        for number in range(20):
            app.send_task(FLUSH_TICKS, task_id=f"late-{number}", expires=now() - timedelta(seconds=1))
        app.send_task(FLUSH_TICKS, task_id="unwanted")
        assert bell.ring(FLUSH_TICKS)
        until(lambda: stored(10))
        log = desk.data_dir / "logs" / "velox.log"
        until(lambda: "unwanted" in log.read_text())
        app.close()
    words = log.read_text() + (desk.data_dir / "worker.output").read_text()
    assert "task_revoked" in words
    assert "expired=True" not in words
    assert "late-" not in words


@only_redis
def test_every_message_lost_the_sweep_comes_on_schedule(desk: Ledger, alone: None) -> None:
    recorded(300)
    with celery(desk.data_dir, desk.env, *WORKER), celery(desk.data_dir, desk.env, *BEAT):
        until(lambda: stored(300))
        assert report(now=now())["parts"]["beat"]["status"] == "ok"
    assert prices() == [float(number + 1) for number in range(300)]


@only_redis
def test_a_worker_killed_at_any_moment_loses_and_doubles_nothing(desk: Ledger, alone: None) -> None:
    with closing(BrokerBell(desk.env["CELERY_BROKER_URL"])) as bell:
        for turn in range(2):
            recorded(2000, first=turn * 2000)
            with celery(desk.data_dir, desk.env, *WORKER) as worker:
                bell.ring(FLUSH_TICKS)
                until(lambda turn=turn: points()["stored"] > turn * 2000 or points()["spooled"] == 0)
                os.killpg(worker.pid, signal.SIGKILL)
        with celery(desk.data_dir, desk.env, *WORKER):
            bell.ring(FLUSH_TICKS)
            until(lambda: stored(4000))
    assert prices() == [float(number + 1) for number in range(4000)]


def test_a_broker_killed_and_restarted_midway_loses_and_doubles_nothing(desk: Ledger, broker: Any, alone: None) -> None:
    with closing(BrokerBell(broker.url)) as bell, celery(desk.data_dir, desk.env, *WORKER):
        recorded(1000)
        assert bell.ring(FLUSH_TICKS)
        until(lambda: points()["stored"] > 0)
        broker.kill()
        try:
            recorded(1000, first=1000)
            # What is written first to a connection whose end has died may still be taken by the kernel.
            until(lambda: not bell.ring(FLUSH_TICKS))
        finally:
            broker.start()  # the tests that follow share it
        recorded(1000, first=2000)
        # The worker, which was there all the time, hears again by itself.
        until(lambda: bell.ring(FLUSH_TICKS) and stored(3000))
    assert prices() == [float(number + 1) for number in range(3000)]


@only_redis
def test_the_journal_is_followed_by_the_worker_where_no_companion_lives(desk: Ledger, alone: None) -> None:
    with DataManager() as dm:
        dm.open_position("T1", "orb", "TCS", 100, 10, now())
        dm.close_position("T1", "orb", "TCS", 101, now())
    with celery(desk.data_dir, desk.env, *WORKER), celery(desk.data_dir, desk.env, *BEAT):
        until(lambda: points()["stored"] == 3)  # two executions, and what the strategy made
    with DataManager() as dm:
        assert dm.get_executions("T1").column("side").to_pylist() == ["BUY", "SELL"]


class TestCompanion:
    @pytest.fixture(autouse=True)
    def ended(self, desk: Ledger) -> Iterator[None]:
        with ended_afterwards():
            yield

    def test_it_rings_and_the_worker_ships(self, desk: Ledger) -> None:
        with celery(desk.data_dir, desk.env, *WORKER), DataManager() as dm:
            for count in range(1000):
                dm.process_tick("TCS", {"ltp": count + 1})
            pid = living_companion()
            until(lambda: stored(1000))
            log = desk.data_dir / "logs" / "velox.log"

            def told() -> bool:
                # One more, each time: a message that waited in the broker may have had all shipped before it looked.
                dm.process_tick("TCS", {"ltp": 1})
                return log.exists() and "a worker ships" in log.read_text()

            until(told)
            assert "the companion ships" not in log.read_text()
            assert pid == summon.companion_pid()

    @only_redis
    def test_without_a_worker_it_ships_itself(self, desk: Ledger) -> None:
        with DataManager() as dm:
            dm.process_tick("TCS", {"ltp": 1})
            living_companion()
            until(lambda: stored(1))
            parts = report(now=now())["parts"]
            assert (parts["worker"]["status"], parts["worker"]["code"]) == ("degraded", "no_worker")

    @only_redis
    def test_a_worker_that_hangs_costs_seconds_and_no_point(self, desk: Ledger) -> None:
        with celery(desk.data_dir, desk.env, *WORKER) as worker:
            os.killpg(worker.pid, signal.SIGSTOP)
            try:
                with DataManager() as dm:
                    dm.process_tick("TCS", {"ltp": 1})
                    until(lambda: stored(1))
            finally:
                os.killpg(worker.pid, signal.SIGCONT)
        assert prices() == [1.0]


def test_a_broker_that_is_gone_is_told_and_stops_nothing(
    ledger: Ledger, alone: None, settings: Any, tmp_path: Path
) -> None:
    with redis_server(tmp_path) as gone:
        settings.CELERY_BROKER_URL = gone.url
        bell = BrokerBell(gone.url)
        with gone.frozen():
            part = report(now=now())["parts"]["broker"]
            assert (part["status"], part["code"]) == ("degraded", "broker_unreachable")
            assert bell.ring(FLUSH_TICKS) is False
        assert bell.ring(FLUSH_TICKS) is True  # it is asked anew each time
    assert report(now=now())["parts"]["broker"]["code"] == "broker_unreachable"
    assert bell.ring(FLUSH_TICKS) is False
    bell.close()


def test_presence_follows_the_machines_own_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert presence.seconds_since(tmp_path, "worker") is None
    presence.mark(tmp_path, "worker")
    assert presence.is_there(tmp_path, "worker")
    ahead = presence.time.monotonic_ns() + 20 * 10**9
    monkeypatch.setattr(presence.time, "monotonic_ns", lambda: ahead)
    assert not presence.is_there(tmp_path, "worker")
    monkeypatch.setattr(presence.time, "monotonic_ns", lambda: 0)  # the machine was started anew
    assert presence.seconds_since(tmp_path, "worker") is None
    (tmp_path / "run" / "worker").write_text("garbage")
    assert presence.seconds_since(tmp_path, "worker") is None
