"""`manage.py backup`: copy the ledger and prove the copy."""

from __future__ import annotations

from argparse import ArgumentParser

from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.progress_bars import progress_bars
from trading.operations.back_up import KEPT, back_up
from trading.transactions import reading


class Command(VeloxCommand):
    help = (
        "Copy the ledger while it is written, prove the copy, and keep the newest few. Keep the folder elsewhere, too: "
        "journal.key lies in it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keep", type=int, default=KEPT, help=f"how many backups stay (default: {KEPT})")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, keep: int) -> bool:
        with reading(), progress_bars() as progress:
            path = back_up(keep=keep, progress=progress)
        data = {"file": str(path), "bytes": path.stat().st_size}
        table = Table("Backup", ["File", "Bytes"], [[str(path), path.stat().st_size]])
        note = "Keep a copy of its folder elsewhere, where only the desk reads it: journal.key lies beside the copy."
        self.emit(Report("Backup", data, [table], [note]))
        return True
