"""`manage.py intake`: facts that came while the ledger could not answer, and what became of each."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from dataclasses import asdict

from trading import intake
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments

COLUMNS = ("sequence", "queued_at", "operation", "account", "trade_id", "state", "code", "reason")


class Command(VeloxCommand):
    help = (
        "Show the facts that the intake has kept (DataManager(ledger_intake=True)), each with its outcome; --post "
        "posts what waits. Exit 1 where a fact waits or was refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--post", action="store_true", help="post what waits now, in order")
        add_format_arguments(parser)

    def answer(self, *, post: bool) -> bool:
        of_folder = intake.of_this_folder()
        if post:
            self.say(f"{of_folder.post()} posted or refused.")
        facts = [asdict(fact) for fact in of_folder.facts()]
        states = Counter(fact["state"] for fact in facts)
        counts = {state: states[state] for state in (intake.WAITING, intake.POSTED, intake.REFUSED)}
        table = Table("Intake", COLUMNS, [[fact[name] for name in COLUMNS] for fact in facts])
        notes = [", ".join(f"{count} {state}" for state, count in counts.items())]
        self.emit(Report("Intake", {**counts, "facts": facts}, [table], notes))
        return not (counts[intake.WAITING] or counts[intake.REFUSED])
