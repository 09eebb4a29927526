"""`manage.py note_restore`: say that PostgreSQL was put back to an earlier time."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime

from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.operations.note_restore import note_restore
from trading.proof.restores import restore_facts
from trading.queries.period import parse_moment
from trading.transactions import reading


class Command(VeloxCommand):
    help = (
        "Note, signed with journal.key, which published heads a restore of PostgreSQL to an earlier time, or a standby "
        "that lacked commits, has lost: each later proof tells of it, and takes them for no difference."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", required=True, help="who put it back")
        parser.add_argument("--reason", required=True, help="why; kept with the note")
        parser.add_argument("--to", metavar="TIME", help="the time it was put back to (default: of the last row left)")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, by: str, reason: str, to: str | None) -> bool:
        instant = None if to is None else parse_moment(to)
        with reading():
            note = note_restore(by=by, reason=reason, to=instant, now=datetime.now(UTC))
        facts = restore_facts(note)
        rows: list[list[Value]] = [[name.replace("_", " "), fact] for name, fact in facts.items()]
        table = Table("Restore noted", ["What", "Noted"], rows)
        self.emit(Report("Restore noted", {**facts, "timeline": note.timeline, "stands": note.stands}, [table]))
        return True
