"""`manage.py doctor`: findings with cures; --fix mends what is harmless and leaves the rest to a person."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from tests.redis_server import RedisServer
from tests.trading.fault_makers import MAKERS, Room
from tests.waiting import until
from timeseries import wiring
from trading.health import diagnosis, faults, integrity
from trading.health import report as module
from trading.health.faults import FAULTS
from trading.health.integrity import DailyCheck
from trading.health.mending import MENDINGS
from trading.hot import cache, comparisons
from trading.hot.breaker import Breaker
from trading.models import Journal


@pytest.fixture
def room(
    ledger: Any, alone: None, redis: RedisServer, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Room]:
    settings.LOG_DIR = tmp_path / "logs"
    monkeypatch.setattr(module, "_since", {})
    monkeypatch.setattr(cache, "breaker", Breaker())
    with ExitStack() as stack:
        yield Room(ledger.data_dir, settings, monkeypatch, stack, redis)
        connections.close_all()


def doctor(*words: str) -> tuple[int, dict[str, Any]]:
    out, code = io.StringIO(), 0
    try:
        call_command("doctor", "--format", "json", *words, stdout=out)
    except SystemExit as end:
        code = int(str(end.code))
    return code, json.loads(out.getvalue())


def test_the_table_says_what_is_mended_and_nothing_else_is() -> None:
    assert {fault.key for fault in FAULTS if fault.mending} == MENDINGS.keys()


def test_a_desk_that_is_well_is_told_so(room: Room) -> None:
    assert doctor("--fix") == (0, {"is_well": True, "database": "sqlite", "findings": []})


def test_a_damaged_file_is_mended_from_the_segments_and_only_when_asked(room: Room) -> None:
    MAKERS["store/store_damaged"](room)
    code, found = doctor()
    assert (code, [row["is_mended"] for row in found["findings"]]) == (1, [False])
    assert found["findings"][0]["cure"] == faults.STORE_DAMAGED.cure
    code, found = doctor("--fix")
    assert (code, [(row["code"], row["is_mended"]) for row in found["findings"]]) == (0, [("store_damaged", True)])
    assert wiring.open_store().damages(seconds=60) == []


def test_what_a_person_must_decide_is_left(room: Room) -> None:
    MAKERS["spool/balance"](room)
    before = {path for path in room.data_dir.rglob("*") if path.is_file()}
    code, found = doctor("--fix")
    assert (code, [(row["code"], row["is_mended"], row["outcome"]) for row in found["findings"]]) == (
        1,
        [("balance", False, "")],
    )
    after = {path for path in room.data_dir.rglob("*") if path.is_file()}
    assert after - {room.data_dir / "ledger_checked.json"} == before


def test_the_write_ahead_log_is_applied_and_nothing_of_the_books_moves(room: Room) -> None:
    MAKERS["ledger/wal_large"](room)
    rows = list(Journal.objects.values_list("sequence", "mac"))
    room.stack.close()  # the reader ends
    assert MENDINGS["ledger/wal_large"]() == "The log is applied and cut."
    assert (room.data_dir / "ledger.sqlite3-wal").stat().st_size == 0
    assert list(Journal.objects.values_list("sequence", "mac")) == rows


def test_a_stale_copy_is_made_anew_and_a_waiting_fact_posted(room: Room) -> None:
    at = MAKERS["hot/copy_stale"](room)
    MAKERS["intake/facts_wait"](room)
    assert {finding.code for finding in diagnosis.diagnose(now=at)} >= {"copy_stale", "facts_wait"}
    mended = {finding.code: finding.outcome for finding in diagnosis.mend(diagnosis.diagnose(now=at))}
    assert mended["copy_stale"].startswith("The copy is that of the ledger")
    assert mended["facts_wait"] == "1 facts are decided."
    compared = datetime.fromisoformat(comparisons.last()["main"].at)
    assert datetime.now(UTC) - compared < timedelta(minutes=5)


def damage_a_page(place: Path) -> bytes:
    """Overwrite a page of the ledger that no look at its health reads, that of no signals; return what stood there."""
    connections.close_all()
    with closing(sqlite3.connect(place)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(page, size)] = file.execute(
            "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'trading_screenshot'"
        )
    with place.open("r+b") as raw:
        raw.seek((page - 1) * size)
        content = raw.read(size)
        raw.seek((page - 1) * size)
        raw.write(b"\xff" * size)
    return content


def test_a_ledger_whose_pages_are_damaged_is_found_by_its_own_check(room: Room) -> None:
    damage_a_page(room.data_dir / "ledger.sqlite3")
    assert module.report(now=datetime.now(UTC))["parts"]["ledger"]["status"] == "ok"  # nobody has read that page
    code, found = doctor("--fix")
    assert (code, found["findings"][0]["code"], found["findings"][0]["outcome"]) == (1, "ledger_damaged", "")
    assert module.report(now=datetime.now(UTC))["parts"]["ledger"]["code"] == "ledger_damaged"


def test_the_watch_over_the_desk_finds_damage_once_a_day_and_forgets_that_of_another_file(room: Room) -> None:
    place, check, at = room.data_dir / "ledger.sqlite3", DailyCheck(), datetime.now(UTC)
    check.look(at)
    until(lambda: integrity.last_check())
    assert "found whole 0.0 h ago" in module.report(now=at)["parts"]["ledger"]["detail"]
    damage_a_page(place)
    check.look(at + timedelta(hours=23))
    check.look(at + timedelta(hours=25))
    until(lambda: module.report(now=at + timedelta(hours=25))["parts"]["ledger"]["code"] == "ledger_damaged")
    copy = place.with_name("copy")
    shutil.copy(place, copy)
    connections.close_all()
    copy.rename(place)  # as a restored backup takes its place
    assert integrity.last_check() is None
