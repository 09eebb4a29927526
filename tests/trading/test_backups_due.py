"""When a ledger without a backup stops being fine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import page_desk
from trading import summon
from trading.bookkeeping.copying import beside
from trading.health import report as module
from trading.health.report import report
from trading.operations.back_up import back_up
from trading.operations.create_account import create_account
from trading.operations.restore import restore


@pytest.fixture(autouse=True)
def alone(ledger: Any, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(summon, "summon", lambda: None)
    monkeypatch.setattr(module, "_since", {})
    settings.LOG_DIR = tmp_path / "logs"
    settings.LOG_DIR.mkdir()
    yield


def later(**passed: float) -> dict[str, Any]:
    """Return the ledger's part of the report of a time to come."""
    found: dict[str, Any] = report(now=datetime.now(UTC) + timedelta(**passed))["parts"]["ledger"]
    return found


def test_a_ledger_in_which_nothing_happened_needs_no_backup_however_old_it_is() -> None:
    assert (later(days=400)["status"], later(days=400)["code"]) == ("ok", "")


@pytest.mark.ledger
def test_facts_older_than_a_day_and_in_no_backup_are_a_finding_with_its_cure() -> None:
    page_desk.trades(1)
    fresh, old = later(hours=23), later(hours=25)
    assert fresh["status"] == "ok"
    assert fresh["detail"].endswith("No backup was made yet.")
    assert (old["status"], old["code"]) == ("degraded", "no_backup")
    assert "No backup was made yet, and facts wait for one since 25 h." in old["detail"]
    assert "manage.py backup" in old["cure"]
    assert report(now=datetime.now(UTC) + timedelta(hours=25))["status"] == "degraded"  # and never down


@pytest.mark.ledger
def test_it_is_the_age_of_the_record_that_counts_not_of_the_trade() -> None:
    page_desk.trades(1)  # of 2024: an import that happens now can be made again today
    assert later(hours=1)["status"] == "ok"


@pytest.mark.ledger
def test_a_backup_ends_it_until_newer_facts_wait_for_two_days() -> None:
    page_desk.trades(1)
    back_up()
    assert later(days=400)["status"] == "ok"  # nothing has happened since
    page_desk.trades(1, first=2)
    assert later(hours=47)["status"] == "ok"
    assert (later(hours=49)["status"], later(hours=49)["code"]) == ("degraded", "backup_old")
    assert "The last backup is 49.0 h old, and facts wait for one since 49 h." in later(hours=49)["detail"]


def test_a_copy_of_a_clock_that_ran_ahead_is_not_the_newest() -> None:
    page_desk.trades(1)
    ahead = back_up()
    for path in (ahead, beside(ahead)):
        path.rename(path.with_name(path.name.replace("ledger-20", "ledger-99")))
    page_desk.trades(1, first=2)
    back_up()
    assert later(days=3)["status"] == "ok"


@pytest.mark.parametrize("book", ["replay", "demo"])
def test_what_can_be_made_again_needs_no_backup(book: str) -> None:
    if book == "demo":
        create_account(
            "show", book="demo", currency="INR", zone="Asia/Kolkata", capital=1, capital_date=page_desk.DAY.date()
        )
    page_desk.trades(1, account="replay" if book == "replay" else "show")
    assert later(days=9)["status"] == "ok"


def test_a_copy_without_its_note_or_with_a_broken_one_counts_for_nothing() -> None:
    page_desk.trades(1)
    note = back_up()
    note = note.with_name(f"{note.name}.heads.json")
    for text in ("", "[]", '{"heads": {"main": 3}}', '{"heads": null}'):
        note.write_text(text)
        assert (later(hours=49)["status"], later(hours=49)["code"]) == ("degraded", "backup_old")
    note.unlink()
    assert later(hours=49)["code"] == "backup_old"


@pytest.mark.ledger
def test_a_newer_backup_of_the_ledger_that_was_replaced_holds_nothing_of_the_restored_one() -> None:
    page_desk.trades(1)
    older = back_up()
    page_desk.trades(2, first=2)
    back_up()
    restore(older, force=True)
    assert later(days=9)["status"] == "ok"  # all of it is in the backup that was restored
    page_desk.trades(2, first=12)  # as many facts as the newer backup tells of, and others
    assert later(days=9)["code"] == "backup_old"
    back_up()
    assert later(days=9)["status"] == "ok"
