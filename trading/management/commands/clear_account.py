"""`manage.py clear_account`: remove an account's rows from the ledger, and its points."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import CommandError

from timeseries.wiring import open_pump
from trading.hot import cache
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.operations.clear_account import clear_account
from trading.queries.accounts import get_account


class Command(VeloxCommand):
    help = (
        "Remove every trade, signal, stop, summary and point of an account; the account itself stays. Only an account "
        "whose book is replay can be cleared. Asks first, unless --yes is given; may be repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", help="the account")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, code: str, yes: bool) -> bool:
        account = get_account(code)
        if account.book == "replay" and not yes:
            question = f"Everything that account {code} holds will be removed. Type its code to go on: "
            self.stderr.write(question, ending="")
            try:
                typed = input()
            except EOFError:
                typed = ""
            if typed.strip() != account.code:
                raise CommandError("Nothing was removed (--yes goes on without asking).", returncode=2)
        rows = clear_account(account.code)
        # The ledger first: its refusal leaves the points alone, and a repeat finishes what was cut off.
        points = open_pump().clear_account(account.code)
        cache.forget(account.code)
        self.emit(report(account.code, rows, points))
        return True


def report(code: str, rows: dict[str, int], points: int) -> Report:
    """Return how much of an account was removed: rows of the ledger by kind, and points."""
    counts: list[list[Value]] = [[kind, count] for kind, count in [*sorted(rows.items()), ("points", points)]]
    data = {"account": code, "rows": rows, "points": points}
    return Report(f"Cleared {code}", data, [Table(f"Removed from {code}", ["What", "Count"], counts)])
