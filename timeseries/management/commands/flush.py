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
        absent, hidden = argparse.SUPPRESS, argparse.SUPPRESS
        parser.add_argument(
            "--noinput", "--no-input", action="store_false", dest="interactive", default=absent, help=hidden
        )
        parser.add_argument("--database", dest="database", default=absent, help=hidden)

    def handle(self, *args: Any, **options: Any) -> None:
        """Flush the spool, print how it went, and leave with 0, 1 or 2 as the help says."""
        if of_django := [name for name in OF_DJANGO if name in options]:
            raise CommandError(
                f"flush was called as Django's flush ({', '.join(of_django)}), which would empty the database. In "
                "VELOX it ships the spool and deletes nothing. To start again, use another VELOX_DATA_DIR.",
                returncode=2,
            )
        if not options["timeout"] >= 0:
            raise CommandError("--timeout is a number of seconds, 0 or more.", returncode=2)
        started = time.monotonic()
        hint = ""
        try:
            pump = open_pump()
            try:
                pump.wait_until_settled(pump.everything(), options["timeout"])
            except FlushTimeout as error:
                hint = str(error)
            points = pump.points()
        except (VeloxError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        elapsed = time.monotonic() - started
        if options["format"] == "json":
            report = {"settled": not hint, "points": points, "elapsed_seconds": round(elapsed, 3), "detail": hint}
            self.stdout.write(json.dumps(report))
        elif hint:
            self.stderr.write(hint)
        else:
            self.stdout.write(f"Every recorded point is in the store: {points['stored']:,} points, {elapsed:.1f} s.")
        if hint:
            sys.exit(1)
