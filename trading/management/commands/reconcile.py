"""`manage.py reconcile`: the ledger beside the broker's files and the hot copy, each difference once, and approvals."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from trading.brokers.files import mapped, read_statement
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand, refuse_idle
from trading.management.break_tables import approval_report, breaks_report
from trading.management.files import read_broker_file, read_password, read_text
from trading.management.output import add_format_arguments
from trading.operations.approve_breaks import approve_breaks
from trading.operations.find_breaks import find_breaks
from trading.queries.instrument_names import parse_symbols
from trading.queries.period import parse_day


class Command(VeloxCommand):
    help = (
        "Compare the ledger with the broker's files (tradebooks, statements, contract notes) and with the hot copy: "
        "fills, positions, results and charges, each difference once with what would put it right. Without a file, "
        "with what was imported. Breaks are kept with the time at which they were first seen; nothing is booked "
        "before somebody approves it: --approve ID --as USER --reason WHY. Exit 1 while any break is open."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        parser.add_argument("--from", dest="first", metavar="YYYY-MM-DD", help="the first day (default: the broker's)")
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="the last day (default: the broker's)")
        parser.add_argument("--plan", metavar="NAME", help="the brokerage plan of estimates (default: the account's)")
        parser.add_argument("--zone", help="of clock times, where a file names none: America/New_York")
        parser.add_argument("--symbols", type=Path, metavar="CSV", help="symbols by isin, company or code")
        parser.add_argument(
            "--mapping", type=Path, action="append", default=[], metavar="TOML", help="a layout of one's own"
        )
        parser.add_argument("--password-file", type=Path, metavar="FILE", help="its first line opens locked notes")
        parser.add_argument(
            "--approve", nargs="+", action="extend", default=[], metavar="ID", help="book what these breaks propose"
        )
        parser.add_argument("--as-it-is", action="store_true", help="with --approve: accept them, and book nothing")
        parser.add_argument("--as", dest="by", default="", metavar="USER", help="with --approve: the operator")
        parser.add_argument("--reason", default="", help="with --approve: why; it is kept")
        add_format_arguments(parser, formats=("table", "csv", "json"))

    def answer(
        self,
        *,
        files: Sequence[Path],
        account: str,
        first: str | None,
        last: str | None,
        plan: str | None,
        zone: str | None,
        symbols: Path | None,
        mapping: Sequence[Path],
        password_file: Path | None,
        approve: Sequence[str],
        as_it_is: bool,
        by: str,
        reason: str,
    ) -> bool:
        now = datetime.now(UTC)
        of_a_file = {"--zone": zone, "--symbols": symbols, "--mapping": mapping, "--password-file": password_file}
        if approve:
            if files:
                raise InvalidValue("Breaks are approved without files.", field="files", hint="Name the breaks alone.")
            refuse_idle("beside --approve", {"--from": first, "--to": last, "--plan": plan, **of_a_file})
            approved = approve_breaks(account, approve, by=by, reason=reason, as_it_is=as_it_is)
            self.emit(approval_report(account, approved))
            return True
        refuse_idle("without --approve", {"--as-it-is": as_it_is, "--as": by, "--reason": reason})
        if not files:
            refuse_idle("without a file", of_a_file)
        password = None if password_file is None else read_password(password_file)
        layouts = [mapped(read_text(path, field="mapping"), path.name) for path in mapping]
        statements = [
            read_statement(read_broker_file(path), path.name, password=password, mappings=layouts, zone=zone)
            for path in files
        ]
        seen = find_breaks(
            account,
            statements,
            symbols=None if symbols is None else parse_symbols(read_text(symbols, field="symbols")),
            first=None if first is None else parse_day(first),
            last=None if last is None else parse_day(last),
            plan=plan,
            by="reconcile",
            now=now,
        )
        self.emit(breaks_report(seen, now))
        return not seen.breaks.open and not seen.run.left_out
