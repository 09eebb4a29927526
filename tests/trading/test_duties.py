"""Duties: work by period is done by one host at a time, whoever is killed, stopped, cut off or has a clock that stands.

Hosts are processes with a data folder each and one ledger for all.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from tests.trading.book import opened
from tests.trading.duty_hosts import (
    BEFORE,
    FAILED,
    LOST,
    WITHIN,
    effects,
    hosts,
    is_one_at_a_time,
    write_effect,
    written_by,
)
from tests.waiting import until
from tests.with_postgres import free_port
from trading import duties
from trading.alerts import day_work
from trading.alerts.watch import DeskWatch
from trading.companion.follower import Follower
from trading.duties import ALERTS, BEAT_SECONDS, SILENT_SECONDS, UPKEEP, Duty, DutyLost
from trading.health import faults
from trading.health.report import report
from trading.models import Alert, AlertDelivery, DutyRow, FollowerCursor
from trading.operations.back_up import back_up
from trading.operations.raise_alert import Notice, raise_alert
from trading.operations.restore import restore
from trading.transactions import writing

pytestmark = [pytest.mark.usefixtures("ledger", "alone"), pytest.mark.ledger]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silence of a second is long."""
    monkeypatch.setattr(duties, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(duties, "SILENT_SECONDS", 1.0)


class Clock:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Desk:
    """A duty as the host of one data folder seeks it, by a clock of its own."""

    def __init__(self, place: str, patch: pytest.MonkeyPatch, name: str = ALERTS) -> None:
        self.place, self.patch, self.clock = place, patch, Clock()
        self.duty = Duty(name, clock=self.clock)

    def seek(self, after_seconds: float = 0.0) -> bool:
        self.clock.seconds += after_seconds
        self.patch.setattr(duties, "_place", lambda: self.place)
        return self.duty.seek()

    def writes(self) -> bool:
        """Write under the duty; tell whether that is there then."""
        before = written_by(self.place)
        try:
            with self.duty.doing(), writing():
                write_effect(self.place)
        except DutyLost:
            pass
        return written_by(self.place) > before


@pytest.fixture
def desks(monkeypatch: pytest.MonkeyPatch) -> tuple[Desk, Desk]:
    """Two hosts, of which the first has the duty and the second has seen so."""
    first, second = Desk("A", monkeypatch), Desk("B", monkeypatch)
    assert first.seek() and not second.seek()
    return first, second


class TestHosts:
    def test_a_killed_holder_is_followed_by_the_other_host(self, quick: None, tmp_path: Path) -> None:
        with hosts(tmp_path, "A", "B") as (first, _):
            first.kill()
            until(lambda: written_by("B"))
        assert is_one_at_a_time()

    @pytest.mark.parametrize("stage", [BEFORE, WITHIN])
    def test_one_that_was_stopped_for_long_writes_nothing_more(self, stage: str, quick: None, tmp_path: Path) -> None:
        if stage == WITHIN and connection.vendor == "sqlite":
            return  # there a transaction that stands keeps every writer out, on the one machine that can use the file
        with hosts(tmp_path, "A", "B") as (first, _):
            first.stop_at(stage)
            count = written_by("A")
            until(lambda: written_by("B"))
            first.go_on()
            until(lambda: first.has(LOST) or first.has(FAILED))
            assert is_one_at_a_time()
            assert [term for name, term in effects() if name == "A"][:count] == [1] * count
            assert ("A", 1) not in effects()[count:]

    def test_one_that_is_cut_off_is_followed_and_writes_nothing_of_its_term_when_it_is_back(
        self, quick: None, tmp_path: Path
    ) -> None:
        if connection.vendor == "sqlite":
            return
        port = free_port()
        with door(port) as process, hosts(tmp_path, "A", "B", ports={"A": port}) as (first, _):
            process.send_signal(signal.SIGSTOP)  # what is on its way arrives late, as after a fault of the network
            until(lambda: written_by("B"))
            assert not first.has(LOST)  # it cannot know
            process.send_signal(signal.SIGCONT)
            until(lambda: first.has(LOST) or first.has(FAILED))
            passes = first.passes()
            until(lambda: first.passes() > passes + 5)
        assert is_one_at_a_time()


@contextmanager
def door(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Let the ledger's server be reached by this port, too; yield the process that does."""
    server = str(connection.settings_dict["PORT"])
    process = subprocess.Popen([sys.executable, "-m", "tests.door", str(port), server], stdout=subprocess.PIPE)
    try:
        assert process.stdout and process.stdout.readline() == b"open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


class TestClocks:
    def test_a_silent_holder_is_overtaken_after_the_silence_and_not_before(self, desks: tuple[Desk, Desk]) -> None:
        _, second = desks
        assert not second.seek(SILENT_SECONDS)
        assert second.seek(BEAT_SECONDS)
        assert DutyRow.objects.get(name=ALERTS).term == 2

    def test_who_was_overtaken_writes_nothing(self, desks: tuple[Desk, Desk]) -> None:
        first, second = desks
        assert first.writes()
        second.seek(BEAT_SECONDS)
        assert second.seek(SILENT_SECONDS + 1)
        assert first.duty.is_held  # its clock stands: it cannot know
        assert not first.writes()
        assert not first.duty.is_held
        assert second.writes()
        assert is_one_at_a_time()

    def test_a_clock_that_stands_takes_nothing_over(self, desks: tuple[Desk, Desk]) -> None:
        _, second = desks
        assert not any(second.seek() for _ in range(100))

    def test_what_is_written_under_a_duty_counts_as_a_beat(self, desks: tuple[Desk, Desk]) -> None:
        first, second = desks
        for _ in range(5):
            assert first.writes()
            assert not second.seek(SILENT_SECONDS - 1)

    def test_who_looks_again_after_a_long_stop_sees_that_the_holder_went_on(self, desks: tuple[Desk, Desk]) -> None:
        first, second = desks
        assert first.seek(BEAT_SECONDS)
        assert not second.seek(1000 * SILENT_SECONDS)
        assert second.seek(SILENT_SECONDS + 1)

    def test_a_duty_that_was_given_back_is_anybodys_at_once(self, desks: tuple[Desk, Desk]) -> None:
        first, second = desks
        first.duty.release()
        assert second.seek(BEAT_SECONDS)
        assert not first.writes()

    def test_another_process_of_the_folder_takes_it_at_once_and_the_former_writes_nothing(
        self, desks: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, again = desks[0], Desk("A", monkeypatch)
        assert again.seek()
        assert not first.writes()
        assert again.writes()

    def test_a_ledger_put_back_to_an_earlier_time_gives_nobody_his_term_back(
        self, desks: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, again = desks[0], Desk("A", monkeypatch)
        before = DutyRow.objects.filter(name=ALERTS).values().get()
        again.seek()
        DutyRow.objects.filter(name=ALERTS).update(term=before["term"], beats=before["beats"], word="earlier")
        assert not first.writes() and not again.writes()
        assert again.seek(BEAT_SECONDS)

    def test_a_restored_ledger_has_no_holder_and_nobody_waits_for_one_who_is_no_more(
        self, desks: tuple[Desk, Desk]
    ) -> None:
        first, second = desks
        restore(back_up(), force=True)
        assert second.seek(BEAT_SECONDS)
        assert not first.writes() and second.writes()

    def test_a_ledger_that_cannot_be_asked_changes_nothing(
        self, desks: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = desks
        with monkeypatch.context() as patched, connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'trading'")
            patched.setattr("trading.transactions._fitting", set())
            assert first.seek(BEAT_SECONDS) and not second.seek(BEAT_SECONDS)


class TestWork:
    def test_the_journal_is_followed_where_the_duty_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        opened()
        other = Desk("B", monkeypatch, UPKEEP)
        assert other.seek()
        monkeypatch.setattr(duties, "_place", lambda: "A")
        follower = Follower()
        assert follower.run_once() == 0 and not FollowerCursor.objects.exists()
        other.duty.release()
        follower.duty.clock = lambda: 1e9
        assert follower.run_once() == 1
        follower.close()

    def test_a_watch_without_the_duty_judges_its_own_folder_and_sends_nothing(
        self, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.VELOX_ALERT_URLS = ["json://127.0.0.1:9/"]
        other = Desk("B", monkeypatch)
        assert other.seek()
        monkeypatch.setattr(duties, "_place", lambda: "A")
        now = datetime.now(UTC)
        raise_alert(Notice(Alert.Kind.TEST, "test:1", "A test."), now=now)
        found: Any = {
            "status": "degraded",
            "parts": {
                fault.part: {"status": "degraded", "code": fault.code, "detail": "planted", "cure": fault.cure}
                for fault in (faults.STANDBY_MISSING, faults.DISK_LOW)
            },
        }
        watch = DeskWatch(lambda _: found)
        try:
            for seconds in range(0, 60, 10):
                at = now + timedelta(seconds=seconds)
                watch.judge_once(at)
                until(lambda: not watch._health._thread or not watch._health._thread.is_alive())
                watch.send_once(at, float(seconds))
            assert list(Alert.objects.exclude(kind="test").values_list("component", flat=True)) == ["disk"]
            assert not AlertDelivery.objects.exists()
        finally:
            watch.end()

    def test_what_a_thread_does_under_a_duty_that_was_lost_is_not_written(
        self, desks: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = desks
        second.seek(BEAT_SECONDS)
        assert second.seek(SILENT_SECONDS + 1)

        def work(now: datetime) -> None:
            with suppress(DutyLost):
                raise_alert(Notice(Alert.Kind.NOTE, "note", "A note."), now=now)
            connections.close_all()

        monkeypatch.setattr(day_work, "work", work)
        notes = day_work.DayWork()
        with first.duty.doing():
            notes.look(datetime.now(UTC), clock_seconds=1.0)
        until(lambda: notes._thread and not notes._thread.is_alive())
        assert not Alert.objects.exists() and not first.duty.is_held


class TestHealth:
    def state(self, silent_seconds: float = 0.0) -> tuple[str, str, str]:
        DutyRow.objects.update(beaten_at=datetime.now(UTC) - timedelta(seconds=silent_seconds))
        row = report(now=datetime.now(UTC))["parts"]["duties"]
        return row["status"], row["code"], row["detail"]

    def test_it_says_which_host_holds_which(self) -> None:
        assert self.state()[0] == "off"
        duty = Duty(UPKEEP)
        assert duty.seek()
        status, _, detail = self.state()
        assert status == "ok" and "`upkeep` in term 1: " in detail and ", process " in detail

    def test_that_nobody_holds_one_is_a_fault_where_somebody_should(self, settings: Any) -> None:
        Duty(UPKEEP).seek()
        assert self.state(faults.UNHELD_SECONDS + 5)[:2] == ("off", "")
        settings.VELOX_RECORDER_ELSEWHERE = True
        status, code, detail = self.state(faults.UNHELD_SECONDS + 5)
        assert (status, code) == ("degraded", "duty_unheld") and "`upkeep`" in detail
