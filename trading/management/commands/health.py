"""`manage.py health`: the state of every part of VELOX, since when, and what cures it."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from contextlib import suppress
from datetime import UTC, datetime

from django.utils import timezone
from rich.console import Console

from trading.health.report import HealthReport, report
from trading.health.state import OK
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value

WATCH_SECONDS = 2.0
# "Since" is what this process saw: one look alone knows nothing of it.
COLUMNS, WATCHED = ["Part", "Status", "ms", "What", "Cure"], ["Part", "Status", "Since", "ms", "What", "Cure"]


class Command(VeloxCommand):
    help = "Show how every part is. Exit 0 when all are well, 1 when one is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--watch",
            action="store_true",
            help=f"look again every {WATCH_SECONDS:g} s, until Ctrl-C; the last look counts",
        )
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, watch: bool) -> bool:
        health = self._look(watch)
        with suppress(KeyboardInterrupt):
            while watch:
                time.sleep(WATCH_SECONDS)
                if self.form == "table":
                    Console().clear()  # nothing where the output is no terminal
                health = self._look(watch)
        return health["status"] == OK

    def _look(self, is_watched: bool) -> HealthReport:
        health = report(now=datetime.now(UTC))
        self.emit(_report(health, is_watched))
        return health


def _report(health: HealthReport, is_watched: bool) -> Report:
    parts: list[list[Value]] = []
    for name, row in health["parts"].items():
        since = [f"{timezone.localtime(datetime.fromisoformat(row['since'])):%d %b %H:%M:%S}"] if is_watched else []
        parts.append([name, row["status"], *since, row["latency_ms"], row["detail"], row["cure"]])
    points: list[list[Value]] = [
        [name.replace("_", " "), count if isinstance(count, int | float) else None]
        for name, count in health["points"].items()
    ]
    columns = WATCHED if is_watched else COLUMNS
    tables = [Table(f"VELOX is {health['status']}", columns, parts), Table("Points", ["", "Number"], points)]
    return Report("Health", health, tables)
