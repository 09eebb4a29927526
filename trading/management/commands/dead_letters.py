"""`manage.py dead_letters`: the points that InfluxDB refused, each with its line and the reason."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from timeseries.shipping.resending import Retried, list_letters
from timeseries.wiring import open_pump, open_spool
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table

COLUMNS = ["Source", "Measurement", "Sequence", "Account", "Status", "Reason", "Line"]


class Command(VeloxCommand):
    help = (
        "Show the points that the store will not take, or offer them once more. Exit 0 there is none, 1 there are "
        "some, 2 could not run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--retry", action="store_true", help="offer each once more, byte for byte")
        add_format_arguments(parser, formats=("table", "json", "csv"))

    def answer(self, *, retry: bool) -> bool:
        retried = open_pump().retry_dead_letters() if retry else None
        letters = list_letters(open_spool())
        self.emit(report(letters, retried))
        return not letters


def report(letters: list[dict[str, Any]], retried: Retried | None) -> Report:
    """Return the dead letters as a report, after a retry with what became of them."""
    data: dict[str, Any] = {"dead_letters": letters}
    notes = [] if letters else ["There is no dead letter."]
    if retried is not None:
        data["retried"] = {"stored": retried.stored, "cleared": retried.cleared, "refused": retried.refused}
        notes.append(f"{retried.stored} are stored now, {retried.refused} were refused again.")
    rows = [[letter[name.lower()] for name in COLUMNS] for letter in letters]
    table = Table("Dead letters", COLUMNS, rows)
    return Report("Dead letters", data, [table] if rows else [], notes, sheet=table)
