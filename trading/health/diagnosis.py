"""The faults of now, each explained with its cure, and mended where that is harmless: what `manage.py doctor` tells."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.utils import DatabaseError

from trading.health import integrity
from trading.health.faults import BY_KEY
from trading.health.mending import MENDINGS
from trading.health.report import report


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that is there: what it is, how it shows, its cure, what --fix does ("": a person decides), and did."""

    part: str
    code: str
    status: str
    fault: str
    detail: str
    cure: str
    mending: str
    outcome: str = ""


def diagnose(*, now: datetime) -> list[Finding]:
    """Return the faults of every part, and what SQLite's own check of the whole ledger finds now."""
    with suppress(DatabaseError, OSError):  # which the part `ledger` tells
        integrity.check_file(now=now)
    rows = report(now=now)["parts"].items()
    return [_finding(f"{name}/{row['code']}", row["status"], row["detail"]) for name, row in rows if row["code"]]


def mend(findings: list[Finding]) -> list[Finding]:
    """Mend what is harmless and return the findings with what became of each. It never raises for a fault."""
    outcomes = []
    for finding in findings:
        mending = MENDINGS.get(f"{finding.part}/{finding.code}", str)
        try:
            outcomes.append(mending())
        except Exception as error:  # a disk, a store or a server, each with errors of its own
            outcomes.append(f"It could not be mended: {error}")
    return [replace(finding, outcome=outcome) for finding, outcome in zip(findings, outcomes, strict=True)]


def _finding(key: str, status: str, detail: str) -> Finding:
    fault = BY_KEY[key]
    return Finding(fault.part, fault.code, status, fault.name, detail, fault.cure, fault.mending)
