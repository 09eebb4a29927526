"""Notes of days: each version kept with its author, told by the journal, proved, and never changed."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from django.db import connection

from tests.trading.tampering import unguarded
from trading.errors import InvalidValue
from trading.models import Account, DayNote, Journal
from trading.operations.clear_account import clear_account
from trading.operations.write_day_note import CHARACTERS_MAX, write_day_note
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.day_notes import days_with_note, notes_of

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]

DAY = date(2024, 3, 15)


@pytest.fixture
def main(ledger: None) -> Account:
    return get_account("main")


def test_every_version_is_kept_with_its_author_and_told_by_the_journal(main: Account) -> None:
    write_day_note(main, DAY, "gap up, no entries\nbefore ten", by="asha")
    write_day_note(main, DAY, "gap up: two entries", by="ravi", after=1)
    assert [(note.version, note.text, note.author) for note in notes_of(main, DAY)] == [
        (2, "gap up: two entries", "ravi"),
        (1, "gap up, no entries\nbefore ten", "asha"),
    ]
    rows = Journal.objects.filter(operation="write_day_note")
    assert [(row.recorded_by, json.loads(row.body)["note"]) for row in rows] == [
        ("asha", {"day": "2024-03-15", "version": 1, "text": "gap up, no entries\nbefore ten"}),
        ("ravi", {"day": "2024-03-15", "version": 2, "text": "gap up: two entries"}),
    ]
    assert verify_ledger().ok


def test_the_same_again_changes_nothing(main: Account) -> None:
    assert write_day_note(main, DAY, "", by="asha") is None
    for _ in range(2):
        write_day_note(main, DAY, "quiet", by="asha")
    assert (DayNote.objects.count(), Journal.objects.count()) == (1, 1)


def test_a_version_that_its_author_never_saw_is_hidden_by_none(main: Account) -> None:
    write_day_note(main, DAY, "of asha", by="asha", after=0)
    with pytest.raises(InvalidValue, match="asha has written version 1 meanwhile"):
        write_day_note(main, DAY, "of ravi", by="ravi", after=0)
    assert [note.text for note in notes_of(main, DAY)] == ["of asha"]


def test_a_note_that_is_taken_back_stays_as_a_version_and_marks_no_day(main: Account) -> None:
    write_day_note(main, DAY, "by mistake", by="asha")
    write_day_note(main, DAY - timedelta(days=1), "kept", by="asha")
    write_day_note(main, DAY, "", by="asha")
    assert [note.text for note in notes_of(main, DAY)] == ["", "by mistake"]
    assert days_with_note(main, DAY - timedelta(days=7), DAY) == {DAY - timedelta(days=1)}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": "x" * (CHARACTERS_MAX + 1)}, "note"),
        ({"text": "a\x00b"}, "note"),
        ({"by": ""}, "by"),
        ({"day": date(1999, 12, 31)}, "day"),
        ({"day": date(2999, 1, 1)}, "day"),
    ],
)
def test_what_is_no_note_is_refused(main: Account, wrong: dict[str, str | date], field: str) -> None:
    note = {"account": main, "day": DAY, "text": "fine", "by": "asha", **wrong}
    with pytest.raises(InvalidValue) as refusal:
        write_day_note(**note)
    assert refusal.value.field == field
    assert not DayNote.objects.exists() and not Journal.objects.exists()


def test_a_word_changed_past_velox_is_named_by_the_proof(main: Account) -> None:
    write_day_note(main, DAY, "I moved the stop.", by="asha")
    with unguarded() as cursor:
        cursor.execute("UPDATE trading_daynote SET text = 'I held the stop.'")
    assert [(one.table, one.field) for one in verify_ledger().differences] == [("trading_daynote", "text")]
    assert connection.vendor in ("sqlite", "postgresql")


def test_notes_of_a_replay_go_when_it_is_cleared(main: Account) -> None:
    write_day_note(get_account("replay"), DAY, "of the replay", by="asha")
    write_day_note(main, DAY, "of main", by="asha")
    assert clear_account("replay")["day_notes"] == 1
    assert [note.text for note in DayNote.objects.all()] == ["of main"]
    assert verify_ledger().ok
