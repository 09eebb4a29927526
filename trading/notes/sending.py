"""Raising the desk's notes as alerts when they are due, each once over restarts."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from trading.domain.desk_notes import DueNote, NoteKind
from trading.health.report import may_pass
from trading.models import Account, Alert
from trading.newest import newest_points
from trading.notes.facts import HealthCheck, note_of, noted_accounts, notes_of_day
from trading.operations.raise_alert import Notice, raise_alert
from trading.queries.period import desk_date
from trading.transactions import reading

BACK_DAYS = 7  # so long a flat note of before a holiday may still be of use
READY_WAITS = timedelta(minutes=6)  # at most, for faults that may pass by themselves


def raise_due_notes(health: HealthCheck, *, now: datetime) -> int:
    """Raise every note that is due by ``now``, still of use, and told nobody yet; return how many.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly; the notes not raised are due at the next call.
    """
    with reading():
        accounts = noted_accounts(now)
    return sum(_raise_of(account, health, now) for account in accounts)


def _raise_of(account: Account, health: HealthCheck, now: datetime) -> int:
    """Raise the due notes of one account."""
    count, ask_health = 0, cache(health)
    with reading():
        keys = {note.key(account.code): note for note in _due(account, now)}
        for key in Alert.objects.filter(key__in=keys, recovered_at=None).values_list("key", flat=True):
            del keys[key]
    for key, note in keys.items():
        is_early = note.kind == NoteKind.READY and now - note.due_at < READY_WAITS
        if is_early and may_pass(ask_health(now).report, now):
            continue  # it is told once: a look that met a slow moment must not say "not ready" for the day
        with reading():
            content = note_of(account, note, newest_points(account.code).known_ticks, ask_health, now=now)
        if content is None:
            continue
        kind = Alert.Kind.NOT_FLAT if note.kind == NoteKind.FLAT and not content.is_fine else Alert.Kind.NOTE
        count += raise_alert(Notice(kind, key, content.text, account.code, "desk", f"note_{note.kind}"), now=now)
    return count


def _due(account: Account, now: datetime) -> list[DueNote]:
    """Return the notes of an account that are due and still of use."""
    today, due, has_begun = desk_date(now), list[DueNote](), False
    for days in range(1, -BACK_DAYS - 1, -1):  # a session may open on the evening before its day
        notes = notes_of_day(account, today + timedelta(days=days))
        due += [note for note in notes if note.due_at <= now < note.until]
        if has_begun and notes:
            break  # what is before the last day and the one before it is past its use
        has_begun = has_begun or any(note.due_at <= now for note in notes)
    return due
