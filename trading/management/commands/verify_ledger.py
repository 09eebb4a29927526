"""`manage.py verify_ledger`: prove that nobody touched the ledger."""

from __future__ import annotations

import json
from argparse import ArgumentParser

from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.progress_bars import progress_bars
from trading.management.report import Value
from trading.proof.desk import prove_desk
from trading.proof.since_head import NEWEST
from trading.proof.verification import Proof
from trading.queries.period import parse_day
from trading.transactions import reading

COLUMNS = ("Kind", "Table", "Row", "Field", "Stored", "Expected")


class Command(VeloxCommand):
    help = (
        "Compute everything anew from the fills and the journal, walk its chain and its published heads, check "
        "triggers and constraints, compare the hot state's copy, and list each difference. Exit 0 when there is none, "
        "1 for findings."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", metavar="DAY", help="only trades of which something was recorded from that day on"
        )
        parser.add_argument(
            "--from-head",
            metavar="SEQUENCE",
            type=int,
            nargs="?",
            const=NEWEST,
            help="only what was recorded after this row of each chain, in seconds (without a number: after the newest "
            "head that is kept with a backup, or else anywhere outside the ledger)",
        )
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, since: str | None, from_head: int | None) -> bool:
        if since is not None and from_head is not None:
            raise InvalidValue("--since and --from-head ask for two proofs.", field="from_head", hint="Give one.")
        if from_head is not None and from_head < 0:
            raise InvalidValue(f"from_head is {from_head}.", field="from_head", hint="Give a sequence of the journal.")
        first = None if since is None else parse_day(since)
        with reading(), progress_bars() as progress:
            proof = prove_desk(since=first, from_head=from_head, progress=progress)
        self.emit(report(proof))
        return proof.ok


def report(proof: Proof) -> Report:
    """Return a proof as a report: its verdict, the counts, and each difference."""
    verdict = "The ledger is proved" if proof.ok else f"{len(proof.differences):,} differences"
    counts: list[list[Value]] = [[name.replace("_", " "), count] for name, count in proof.checked.items()]
    tables = [Table(verdict, ["Checked", "Number"], counts)]
    if proof.differences:
        differences: list[list[Value]] = [
            [
                *(difference.kind, difference.table, difference.pk, difference.field),
                *(
                    value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
                    for value in (difference.stored, difference.expected)
                ),
            ]
            for difference in proof.differences
        ]
        tables.append(Table("Differences", list(COLUMNS), differences))
    notes = [f"{proof.left_off:,} more were found and left off."] if proof.left_off else []
    notes += [
        f"Restored to {note.restored_to} by {note.by} at {note.made_at} ({note.reason}): "
        f"{note.heads_lost:,} published heads lost."
        for note in proof.restores
    ]
    notes += [f"Not looked at: {matter}." for matter in proof.not_looked_at]
    return Report("Verification of the ledger", proof.as_dict(), tables, notes)
