"""`manage.py doctor`: findings with cures; --fix mends what is harmless and leaves the rest to a person."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from tests.redis_server import RedisServer
from tests.trading.fault_makers import MAKERS, Room
from timeseries import wiring
from trading.health import diagnosis, faults
from trading.health import report as module
from trading.health.faults import FAULTS
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
    before = sorted(path for path in room.data_dir.rglob("*") if path.is_file())
    code, found = doctor("--fix")
    assert (code, [(row["code"], row["is_mended"], row["outcome"]) for row in found["findings"]]) == (
        1,
        [("balance", False, "")],
    )
    assert sorted(path for path in room.data_dir.rglob("*") if path.is_file()) == before


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


def test_a_ledger_whose_pages_are_damaged_is_found_by_its_own_check(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "integrity", lambda: ["row 1 missing from index"])
    code, found = doctor("--fix")
    assert (code, found["findings"][0]["code"], found["findings"][0]["outcome"]) == (1, "ledger_damaged", "")
