"""`manage.py restore`: put a backup in the ledger's place."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from getpass import getuser
from pathlib import Path

from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.progress_bars import progress_bars
from trading.management.report import Value
from trading.operations.restore import restore


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


class Command(VeloxCommand):
    help = "Prove a backup, then let it take the ledger's place; a newer ledger is never replaced without --force."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="what `manage.py backup` made")
        parser.add_argument("--force", action="store_true", help="replace a newer ledger; it is kept among the backups")
        parser.add_argument(
            "--by", default="", help="who restores; each later proof tells it (default: who is logged in)"
        )
        parser.add_argument("--reason", default="no reason given", help="why; each later proof tells it")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, file: Path, force: bool, by: str, reason: str) -> bool:
        with progress_bars() as progress:
            restored = restore(file, force=force, by=by or _user(), reason=reason, progress=progress)
        rows: list[list[Value]] = [
            [code or "references", sequence, mac] for code, (sequence, mac) in restored.heads.items()
        ]
        replaced = None if restored.replaced is None else str(restored.replaced)
        lost, files = list(restored.screenshots_lost), list(restored.files_lost)
        data = {
            "file": str(file),
            "heads": restored.heads,
            "replaced": replaced,
            "screenshots_lost": lost,
            "files_lost": files,
        }
        notes = [] if replaced is None else [f"The ledger that was there: {replaced}"]
        notes += [f"No longer there: screenshot {name}" for name in lost]
        notes += [f"No longer there: {name}" for name in files]
        self.emit(Report("Restored", data, [Table("Restored", ["Account", "Sequence", "Head"], rows)], notes))
        return True
