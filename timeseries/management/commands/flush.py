"""`manage.py flush`: wait until what was recorded is in the store. Django's own flush, which empties tables, is out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from timeseries.errors import FlushTimeout, VeloxError
from timeseries.wiring import open_pump

# How Django's own flush is called, by hand and by its test cases. None of it may ever empty the ledger.
OF_DJANGO = ("interactive", "database", "reset_sequences", "allow_cascade", "inhibit_post_migrate")


class Command(BaseCommand):
    help = (
        "Ship what waits in the spool and return when the store has acknowledged it. Exit 0 done, 1 some points still "
        "wait, 2 could not run. It deletes nothing: Django's command of this name is not available in VELOX."
    )
    requires_system_checks: list[str] = []
    stealth_options = OF_DJANGO

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options; Django's own are known here only to be refused in plain words."""
        parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="at most (default: 30)")
        parser.add_argument("--format", choices=("table", "json"), default="table")
        hidden: dict[str, Any] = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
        parser.add_argument("--noinput", "--no-input", action="store_false", dest="interactive", **hidden)
        parser.add_argument("--database", dest="database", **hidden)

    def handle(self, *args: Any, **options: Any) -> None:
        """Flush the spool, say how it went, and leave with FACE §6's exit code."""
        if given := [name for name in OF_DJANGO if name in options]:
            raise CommandError(
                f"flush was called as Django's flush ({', '.join(given)}), which would empty the database. In VELOX it "
                "ships the spool and deletes nothing. To start again, use another VELOX_DATA_DIR.",
                returncode=2,
            )
        if not options["timeout"] >= 0:
            raise CommandError("--timeout is a number of seconds, 0 or more.", returncode=2)
        started = time.monotonic()
        try:
            hint, points = self._flush(options["timeout"])
        except (VeloxError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        self._tell(options["format"], hint, points, time.monotonic() - started)
        if hint:
            sys.exit(1)

    def _flush(self, timeout: float) -> tuple[str, dict[str, Any]]:
        pump = open_pump()
        try:
            pump.wait_until_settled(pump.everything(), timeout)
        except FlushTimeout as error:
            return str(error), pump.points()
        return "", pump.points()

    def _tell(self, form: str, hint: str, points: dict[str, Any], elapsed: float) -> None:
        if form == "json":
            body = {"settled": not hint, "points": points, "elapsed_seconds": round(elapsed, 3), "detail": hint}
            self.stdout.write(json.dumps(body))
        elif hint:
            self.stderr.write(hint)
        else:
            self.stdout.write(f"Every recorded point is in the store: {points['stored']:,} points, {elapsed:.1f} s.")
