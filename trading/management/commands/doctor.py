"""`manage.py doctor`: every fault of now explained with its cure; --fix mends what is harmless."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from datetime import UTC, datetime

from django.db import DEFAULT_DB_ALIAS, connections

from trading.health.diagnosis import diagnose, mend
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table, Value

COLUMNS = ["Part", "Status", "Fault", "What", "Cure", "Mended by --fix"]


class Command(VeloxCommand):
    help = (
        "Explain each fault with its cure (docs/faults.md), after a check of the whole ledger's file. --fix mends what "
        "is harmless and touches nothing that was accepted. Exit 0 nothing is wrong any more, 1 something is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="mend what the table of faults calls mended")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, fix: bool) -> bool:
        findings = diagnose(now=datetime.now(UTC))
        remaining = findings
        if fix and findings:
            findings = mend(findings)
            remaining = diagnose(now=datetime.now(UTC))
        keys = {(finding.part, finding.code) for finding in remaining}
        diagnosis = {
            "is_well": not remaining,
            "database": connections[DEFAULT_DB_ALIAS].vendor,
            "findings": [
                {**asdict(finding), "is_mended": (finding.part, finding.code) not in keys} for finding in findings
            ],
        }
        rows: list[list[Value]] = [
            [row.part, row.status, row.fault, row.detail, row.cure, row.outcome or row.mending or "a person decides"]
            for row in findings
        ]
        tables = [Table("Findings", COLUMNS, rows)] if rows else []
        self.emit(Report("Doctor", diagnosis, tables, [] if rows else ["Nothing is wrong."]))
        return not remaining
