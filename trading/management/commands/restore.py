"""`manage.py restore`: put a backup in the ledger's place."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from trading.management.base import VeloxCommand
from trading.management.commands.verify_ledger import shown_progress
from trading.management.output import Report, Table, add_format_arguments, emit
from trading.operations.restore import restore


class Command(VeloxCommand):
    help = "Prove a backup, then let it take the ledger's place; a newer ledger is never replaced without --force."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="what `manage.py backup` made")
        parser.add_argument("--force", action="store_true", help="replace a newer ledger; it is kept among the backups")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, **options: Any) -> bool:
        with shown_progress() as progress:
            done = restore(options["file"], force=options["force"], progress=progress)
        rows = [[code or "references", sequence, mac] for code, (sequence, mac) in done.heads.items()]
        replaced = None if done.replaced is None else str(done.replaced)
        data = {"file": str(options["file"]), "heads": done.heads, "replaced": replaced}
        notes = [] if replaced is None else [f"The ledger that was there: {replaced}"]
        report = Report("Restored", data, [Table("Restored", ["Account", "Sequence", "Head"], rows)], notes)
        emit(report, form=options["format"], stdout=self.stdout, output=options["output"])
        return True
