"""`manage.py backup`: a proved copy of the ledger."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from trading.management.base import VeloxCommand
from trading.management.commands.verify_ledger import shown_progress
from trading.management.output import Report, Table, add_format_arguments, emit
from trading.operations.back_up import KEPT, back_up
from trading.transactions import reading


class Command(VeloxCommand):
    help = "Copy the ledger while it is written, prove the copy, and keep the newest few. Keep journal.key elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keep", type=int, default=KEPT, help=f"how many backups stay (default: {KEPT})")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, **options: Any) -> bool:
        with reading(), shown_progress() as progress:
            path = back_up(keep=options["keep"], progress=progress)
        data = {"file": str(path), "bytes": path.stat().st_size}
        table = Table("Backup", ["File", "Bytes"], [[str(path), path.stat().st_size]])
        note = "It is worth nothing without journal.key: keep a copy of that elsewhere."
        report = Report("Backup", data, [table], [note])
        emit(report, form=options["format"], stdout=self.stdout, output=options["output"])
        return True
