"""`manage.py health`: the state of every part of VELOX, and what cures it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime

from trading.health.report import report
from trading.health.state import OK
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value


class Command(VeloxCommand):
    help = "Show how every part is. Exit 0 when all are well, 1 when one is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self) -> bool:
        health = report(now=datetime.now(UTC))
        parts = [[name, state["status"], state["detail"], state["cure"]] for name, state in health["parts"].items()]
        points: list[list[Value]] = [
            [name.replace("_", " "), count if isinstance(count, int | float) else None]
            for name, count in health["points"].items()
        ]
        tables = [
            Table(f"VELOX is {health['status']}", ["Part", "Status", "What", "Cure"], parts),
            Table("Points", ["", "Number"], points),
        ]
        self.emit(Report("Health", health, tables))
        return health["status"] == OK
