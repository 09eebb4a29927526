"""The table of faults: each is made, and health tells of it with the status, the code and the cure of the table."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.db.utils import OperationalError

from tests.redis_server import RedisServer
from tests.timeseries.influx_server import faulty_influx
from tests.trading.fault_makers import MAKERS, Room, use_influx
from trading.health import database, faults
from trading.health import report as module
from trading.health.faults import BY_KEY, FAULTS, Fault
from trading.health.report import report
from trading.hot import cache
from trading.hot.breaker import Breaker

ON_POSTGRESQL = {"ledger/ledger_unreachable", "ledger/archive_off", "ledger/archive_failing", "clock/clock_database"}
ON_POSTGRESQL |= {"ledger/standby_missing"}
OF_ANY_PART = {"slow", "check_failed"}


@pytest.fixture
def room(
    ledger: Any, alone: None, redis: RedisServer, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Room]:
    settings.LOG_DIR = tmp_path / "logs"
    settings.LOG_DIR.mkdir()
    monkeypatch.setattr(module, "_since", {})
    monkeypatch.setattr(cache, "breaker", Breaker())
    with ExitStack() as stack:
        yield Room(ledger.data_dir, settings, monkeypatch, stack, redis)
        connections.close_all()


def expect(fault: Fault, at: datetime | None) -> None:
    row = report(now=at or datetime.now(UTC))["parts"][fault.part]
    assert (row["code"], row["status"], row["cure"]) == (fault.code, fault.status, fault.cure), row["detail"]


def test_each_fault_of_a_part_is_made_here() -> None:
    elsewhere = {fault.key for fault in FAULTS if fault.code in OF_ANY_PART or fault.part == "web"} | ON_POSTGRESQL
    assert MAKERS.keys() | elsewhere == BY_KEY.keys()
    assert not MAKERS.keys() & elsewhere


@pytest.mark.parametrize("key", MAKERS)
def test_health_tells_of_it_with_its_cure(key: str, room: Room) -> None:
    expect(BY_KEY[key], MAKERS[key](room))


@pytest.mark.parametrize("is_dripping", [False, True], ids=["says nothing", "drips"])
def test_an_influxdb_that_takes_the_question_and_never_ends_its_answer_is_told(room: Room, is_dripping: bool) -> None:
    with faulty_influx() as influx, socket.create_server(("127.0.0.1", 0)) as listener:
        influx.behaviour.drip_seconds = 0.05  # between two bytes, for ever: no time-out between them ends it
        use_influx(room, influx.url if is_dripping else f"http://127.0.0.1:{listener.getsockname()[1]}")
        started = time.monotonic()
        expect(faults.STORE_UNAVAILABLE, None)
        assert time.monotonic() - started < 60  # of a busy machine; without a limit it would never be over


def test_an_influxdb_whose_answers_break_off_or_that_refuses_every_question_is_told_as_that(room: Room) -> None:
    with faulty_influx() as influx:
        use_influx(room, influx.url)
        influx.behaviour.cut = 20  # within the head of the answer
        expect(faults.STORE_UNAVAILABLE, None)
        influx.behaviour.cut, influx.behaviour.everything = None, 400
        expect(faults.STORE_MISCONFIGURED, None)


def test_a_ledger_that_cannot_be_written_is_one_fault_though_nobodys_beat_is_taken(room: Room) -> None:
    MAKERS[faults.DUTY_UNHELD.key](room)
    expect(faults.DUTY_UNHELD, None)
    MAKERS[faults.LEDGER_BUSY.key](room)
    expect(faults.LEDGER_BUSY, None)
    assert report(now=datetime.now(UTC))["parts"]["duties"]["status"] == "off"


def test_what_looks_like_a_fault_and_is_none(room: Room) -> None:
    room.recorder(source="broker")
    for hour, day in ((15, 18), (5, 17)):  # 20:30 on a Monday, and a Sunday
        assert report(now=datetime(2027, 1, day, hour, tzinfo=UTC))["parts"]["feed"]["status"] == "ok"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.code == "check_failed"], ids=lambda row: row.part)
def test_a_check_that_breaks_is_a_fault_of_its_part(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_since", {})
    row = module._checked(fault.part, lambda: 1 / 0, datetime.now(UTC))  # type: ignore[arg-type, return-value]
    assert (row["code"], row["status"], row["cure"]) == (fault.code, fault.status, fault.cure)


@pytest.mark.ledger
class TestPostgreSQL:
    def test_a_server_that_is_gone_is_told_as_that(self, room: Room) -> None:
        if connection.vendor != "postgresql":
            assert database.broken(connection, OperationalError("no such table: django_migrations")) is None
            return
        connection.close()
        room.patch.setitem(connection.settings_dict, "PORT", "9")
        room.patch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        expect(faults.LEDGER_UNREACHABLE, None)

    def test_a_clock_apart_from_the_servers_is_told(self, room: Room) -> None:
        if connection.vendor == "postgresql":
            expect(faults.CLOCK_DATABASE, datetime.now(UTC) + timedelta(seconds=faults.CLOCK_SECONDS + 1))
            assert report(now=datetime.now(UTC))["parts"]["clock"]["code"] != "clock_database"

    def test_an_archive_that_is_asked_for_and_off_or_failing_is_told(self, room: Room) -> None:
        if connection.vendor != "postgresql":
            return
        assert report(now=datetime.now(UTC))["parts"]["ledger"]["status"] == "ok"
        room.settings.VELOX_WAL_ARCHIVE = True
        expect(faults.ARCHIVE_OFF, None)
        # A failing archive needs a server that was started with one: its view is stood in for by one of the same name.
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP VIEW pg_stat_archiver AS SELECT 3 AS failed_count, 'W' AS last_failed_wal,"
                " now() AS last_failed_time, NULL::timestamptz AS last_archived_time"
            )
            cursor.execute("SET search_path = pg_temp, public, pg_catalog")
        room.patch.setattr(database, "archive_mode", lambda _: "on")
        expect(faults.ARCHIVE_FAILING, None)
