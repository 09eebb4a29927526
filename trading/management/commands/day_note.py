"""`manage.py day_note`: one of the desk's notes of a day, as it would be told now."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime

from trading.domain.desk_notes import DeskNote, DueNote, NoteKind
from trading.errors import InvalidValue
from trading.health.report import look
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.models import Account
from trading.newest import newest_points
from trading.notes.facts import note_of, notes_of_day
from trading.queries.accounts import get_account
from trading.queries.period import desk_date, parse_day
from trading.transactions import ask


class Command(VeloxCommand):
    help = (
        "Tell one of the desk's notes as it would be told now: ready (before the day's first session: parts, feed, "
        "disk, clock, backup, positions carried over, limits), closing (what is open in the session that ends next), "
        "flat (after the last session: P&L, what is open, what is missing). VELOX sends each of itself when it is due. "
        "Exit 1 where something is to be done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kind", required=True, choices=[str(kind) for kind in NoteKind])
        parser.add_argument("--day", metavar="YYYY-MM-DD", help="the trading day (default: today)")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, kind: str, day: str | None, account: str) -> bool:
        now = datetime.now(UTC)
        date = desk_date(now) if day is None else parse_day(day)
        row = ask(get_account, account)
        due = _due(row, kind, ask(notes_of_day, row, date), now)
        note = None
        if due is not None:
            last_ticks = newest_points(row.code).known_ticks
            note = ask(note_of, row, due, last_ticks, lambda at: look(now=at), now=now)
        if note is None:
            note = DeskNote(f"Nothing is open: account {row.code}, {date}.", is_fine=True, lines=())
        body = {
            "account": row.code,
            "date": date,
            "kind": kind,
            "due_at": None if due is None else due.due_at,
            "fine": note.is_fine,
            "verdict": note.verdict,
            "lines": list(note.lines),
        }
        self.emit(Report("Note of the day", body, [Table(note.verdict, ["Note"], [[line] for line in note.lines])]))
        return note.is_fine


def _due(account: Account, kind: str, notes: list[DueNote], now: datetime) -> DueNote | None:
    """Return the note of a kind among a day's: of those before sessions end the next, None where nothing is held.

    Raises: InvalidValue for a day without a session.
    """
    if not notes:
        raise InvalidValue(
            f"No market of account {account.code} trades on that day.",
            field="day",
            hint="`manage.py sessions --date` shows when an exchange trades.",
        )
    of_kind = [note for note in notes if note.kind == kind]
    return next((note for note in of_kind if now < note.until), of_kind[-1] if of_kind else None)
