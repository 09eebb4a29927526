"""`manage.py reconcile`: the ledger beside the broker's files and the hot copy, each difference once."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from trading.brokers.files import mapped, read_statement
from trading.domain.breaks import Break, Figures
from trading.domain.reconciliation import Reconciliation
from trading.errors import InvalidValue
from trading.hot.differences import differing_entries, held_positions
from trading.management.base import VeloxCommand
from trading.management.files import read_text
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.queries.instrument_names import parse_symbols
from trading.queries.period import desk_date, parse_day
from trading.queries.reconciliation import reconcile
from trading.transactions import reading

COLUMNS = ("Day", "What", "Which", "Ledger", "Broker", "Hot copy", "Proposal", "Id")


class Command(VeloxCommand):
    help = (
        "Compare the ledger with the broker's files (tradebooks, statements, contract notes) and with the hot copy: "
        "fills, positions, results and charges, each difference once with what would put it right. Without a file, "
        "with the fills that were imported. Nothing is booked. Exit 1 while anything differs."
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
    ) -> bool:
        now = datetime.now(UTC)
        password = None if password_file is None else read_text(password_file, field="password_file").split("\n")[0]
        layouts = [mapped(read_text(path, field="mapping"), path.name) for path in mapping]
        statements = [
            read_statement(_content(path), path.name, password=password, mappings=layouts, zone=zone) for path in files
        ]
        names = None if symbols is None else parse_symbols(read_text(symbols, field="symbols"))
        with reading():
            reconciliation = reconcile(
                account,
                statements,
                symbols=names,
                first=None if first is None else parse_day(first),
                last=None if last is None else parse_day(last),
                plan=plan,
                hot=list(differing_entries(account, now)),
                held_hot=held_positions(account, desk_date(now)),
                now=now,
            )
        self.emit(report_of(reconciliation))
        return reconciliation.is_clean


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidValue(f"{path} cannot be read: {error.strerror}.", field="files") from error


def report_of(reconciliation: Reconciliation) -> Report:
    """Return a reconciliation as a command's answer: three columns side by side, the oldest break first."""
    title = f"Breaks · {reconciliation.account}"
    rows = [_row(each) for each in reconciliation.breaks]
    tables = [Table(title, list(COLUMNS), rows)]
    if reconciliation.following:
        following = [[*_row(each.difference)[:6], each.cause] for each in reconciliation.following]
        tables.append(Table("What follows from them", [*COLUMNS[:6], "Break"], following))
    if reconciliation.marked:
        marked: list[list[Value]] = [
            [line.day, line.last_day, line.segment, line.head, line.estimate, line.broker, line.sure]
            for line in reconciliation.marked
        ]
        columns = ["Day", "To", "Segment", "Head", "Schedule", "Broker", "Sure"]
        tables.append(Table("Not settled in the schedule, and no break", columns, marked))
    if reconciliation.left_out:
        lines: list[list[Value]] = [list(line) for line in reconciliation.left_out]
        tables.append(Table("Could not be compared", ["File", "Row", "Reason", "What it is"], lines))
    count = len(reconciliation.breaks)
    notes = [f"{count:,} breaks are open; nothing was booked." if count else "Nothing differs."]
    return Report(title, reconciliation.as_dict(), tables, notes, sheet=tables[0])


def _row(each: Break) -> list[Value]:
    sides: Sequence[Figures | None] = (each.ledger, each.broker, each.hot)
    key = {name: text for name, text in each.key.items() if name not in ("account", "day")}
    return [each.day, each.kind.value, _words(key), *map(_words, sides), each.proposal.text, each.id]


def _words(figures: Mapping[str, str | None] | None) -> str:
    if figures is None:
        return ""
    return ", ".join(f"{name} {text}" for name, text in figures.items() if text)
