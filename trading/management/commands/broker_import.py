"""`manage.py broker_import`: bring brokers' files into the ledger, each fill once."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from trading.brokers.files import mapped
from trading.management.base import VeloxCommand
from trading.management.files import read_broker_file, read_password, read_text, strategy_rules
from trading.management.output import Report, Table, add_format_arguments
from trading.management.progress_bars import progress_bars
from trading.management.report import Value
from trading.operations.import_files import BrokerUpload, ImportOptions, import_files
from trading.queries.import_report import FileReport, totals
from trading.queries.instrument_names import parse_symbols

COLUMNS = (
    "File",
    "What it is",
    "From",
    "To",
    "Zone",
    "Rows",
    "Fills",
    "Known",
    "Ignored",
    "Rejected",
    "Sales without cost",
)
ROWS_SHOWN = 50


class Command(VeloxCommand):
    help = (
        "Bring brokers' files (tradebooks, order books, statements, contract notes) into the ledger: each fill is "
        "booked once, whatever files it stands in, and trades go from flat to flat. What a file is, is told by what "
        "it holds. Exit 0 when nothing is to be looked at, 1 when a file or a row was refused or a total disagrees."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        parser.add_argument("--broker", help="the broker that the files are of; another one is refused")
        parser.add_argument("--layout", help="what the files are, such as zerodha-tradebook, if not recognised")
        parser.add_argument("--strategy", metavar="ID", help="the strategy of all fills (default: imported)")
        parser.add_argument("--rules", type=Path, metavar="CSV", help="strategies by symbol, tag, from, to")
        parser.add_argument("--zone", help="of clock times, where a file names none: America/New_York")
        parser.add_argument("--symbols", type=Path, metavar="CSV", help="symbols by isin, company or code")
        parser.add_argument(
            "--mapping", type=Path, action="append", default=[], metavar="TOML", help="a layout of one's own"
        )
        parser.add_argument("--password-file", type=Path, metavar="FILE", help="its first line opens locked notes")
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
        parser.add_argument("--strict", action="store_true", help="book nothing where anything is to be looked at")
        add_format_arguments(parser, formats=("table", "json", "csv"))

    def answer(
        self,
        *,
        files: Sequence[Path],
        account: str,
        broker: str | None,
        layout: str | None,
        strategy: str | None,
        rules: Path | None,
        zone: str | None,
        symbols: Path | None,
        mapping: Sequence[Path],
        password_file: Path | None,
        dry_run: bool,
        strict: bool,
    ) -> bool:
        options = ImportOptions(
            password=None if password_file is None else read_password(password_file),
            mappings=[mapped(read_text(path, field="mapping"), path.name) for path in mapping],
            layout=layout,
            broker=broker,
            zone=zone,
            symbols=None if symbols is None else parse_symbols(read_text(symbols, field="symbols")),
            rules=strategy_rules(strategy, rules, field="rules"),
        )
        uploads = [BrokerUpload(path.name, partial(read_broker_file, path)) for path in files]
        with progress_bars() as progress:
            reports = import_files(account, uploads, options, is_trial=dry_run, is_strict=strict, progress=progress)
        self.emit(report_of(reports, is_trial=dry_run))
        return all(report.is_fine for report in reports)


def report_of(reports: Sequence[FileReport], *, is_trial: bool) -> Report:
    """Return what became of files as a command's answer."""
    body = {"files": [report.as_dict() for report in reports], **totals(reports), "dry_run": is_trial}
    lines: list[list[Value]] = []
    remarks: list[list[Value]] = []
    for report in reports:
        file = report.as_dict()
        ignored, rejected = sum(file["ignored"].values()), file["rejected"]["total"]
        layout = f"{file['broker']} {file['kind']}".strip() or "refused"
        period = (file["period"]["from"], file["period"]["to"])
        counts = (file["rows_read"], file["fills"], file["already_known"], ignored, rejected, file["opening_sales"])
        lines.append([report.name, layout, *period, file["zone"], *counts])
        if file["refused"] is not None:
            remarks.append([report.name, None, file["refused"]["code"], file["refused"]["message"]])
        remarks += [[report.name, None, "finding", finding] for finding in file["findings"]]
        remarks += [[report.name, None, f"{each['kind']} to confirm", each["text"]] for each in file["actions"]]
        remarks += [[report.name, row["row"], row["reason"], row["text"]] for row in file["rows"][:ROWS_SHOWN]]
    title = "Would be imported" if is_trial else "Imported"
    tables = [Table(title, list(COLUMNS), lines)]
    if remarks:
        tables.append(Table("To be looked at", ["File", "Row", "Reason", "What it is"], remarks))
    verb = "would be " if is_trial else ""
    notes = [f"{body['trades_opened']} trades {verb}opened, {body['trades_closed']} {verb}closed."]
    if any(report.actions for report in reports):
        notes.append("Corporate actions wait for a person: `manage.py corporate_actions`.")
    return Report("Brokers' files", body, tables, notes, sheet=tables[0])
