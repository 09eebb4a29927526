"""`manage.py recount_candles`: count the kept candles of days that are over again, from their ticks."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from timeseries.errors import VeloxError
from timeseries.wiring import open_store


class Command(BaseCommand):
    help = (
        "Forget the candles that the embedded store keeps of days that are over, and count them again from their "
        "ticks. Readings meanwhile take the ticks. Exit 0 done, 2 could not run. InfluxDB's minutes, which outlast "
        "their ticks, stay as they are."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count every day that is over and print how many there were."""
        started = time.monotonic()
        try:
            days = open_store().recount_closed_days(now=time.time_ns())
        except (VeloxError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        elapsed = time.monotonic() - started
        if options["format"] == "json":
            self.stdout.write(json.dumps({"days": days, "elapsed_seconds": round(elapsed, 3)}))
        else:
            self.stdout.write(f"The candles of {days:,} days are counted from their ticks, {elapsed:.1f} s.")
