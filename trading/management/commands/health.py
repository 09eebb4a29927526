"""`manage.py health`: every part of VELOX, how it is, and what cures it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from trading.health.report import report
from trading.health.state import OK
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments, emit


class Command(VeloxCommand):
    help = "Show how every part is. Exit 0 when all are well, 1 when one is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, **options: Any) -> bool:
        found = report(now=datetime.now(UTC))
        rows = [[name, part["status"], part["detail"], part["cure"]] for name, part in found["parts"].items()]
        points = [[name.replace("_", " "), value] for name, value in found["points"].items()]
        tables = [
            Table(f"VELOX is {found['status']}", ["Part", "Status", "What", "Cure"], rows),
            Table("Points", ["", "Number"], points),
        ]
        emit(Report("Health", found, tables), form=options["format"], stdout=self.stdout, output=options["output"])
        return bool(found["status"] == OK)
