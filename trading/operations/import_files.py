"""Importing brokers' files: each is read, and its fills are brought into the ledger; one that is refused keeps no other
out, unless it is asked for strictly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypedDict

from trading.bookkeeping.import_trial import ImportTrial
from trading.bookkeeping.imported_files import must_be_kept
from trading.brokers.files import read_statement
from trading.brokers.format import Format
from trading.brokers.values import Statement
from trading.domain.strategy_rules import StrategyRule
from trading.errors import LedgerBusy, LedgerNotReady, UnknownAccount, VeloxError
from trading.operations.import_charges import import_charges
from trading.operations.import_fills import import_fills
from trading.operations.propose_actions import proposals_in, propose_actions
from trading.progress import Progress
from trading.queries.accounts import get_account
from trading.queries.import_report import FileReport
from trading.queries.instrument_names import NameMap
from trading.queries.stated_charges import charges_replaced
from trading.transactions import in_parts, proving, reading

FATAL = (LedgerBusy, LedgerNotReady, UnknownAccount)


@dataclass(frozen=True, slots=True)
class BrokerUpload:
    """A file as a person hands it over: its name, for messages alone, and what reads its content."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files are to be read and booked (see `brokers.files.read_statement` and `import_fills`)."""

    password: str | None = None
    mappings: Sequence[Format] = ()
    layout: str | None = None
    broker: str | None = None
    zone: str | None = None
    symbols: NameMap | None = None
    rules: Sequence[StrategyRule] = ()
    by: str = ""

    def __repr__(self) -> str:
        return "ImportOptions(...)"  # a password is in it: no log and no traceback has it


class NamedBy(TypedDict):
    """How the fills of a file get their symbols and strategies."""

    symbols: NameMap | None
    rules: Sequence[StrategyRule]


def import_files(
    account: str,
    uploads: Iterable[BrokerUpload],
    options: ImportOptions,
    *,
    is_trial: bool = False,
    is_strict: bool = False,
    progress: Progress = lambda *_: None,
) -> list[FileReport]:
    """Import files one after another and return what became of each; ``is_trial`` writes nothing.

    ``is_strict``: where anything in any of them is to be looked at, none is booked, and what was seen is returned.

    Raises: LedgerBusy, LedgerNotReady, UnknownAccount: earlier files stay, call again.
    """
    files = list(uploads)
    if is_trial or is_strict:
        trial = ImportTrial(account)
        reports = _actions_once([_import(account, upload, options, trial, progress) for upload in files])
        if is_trial or not all(report.is_fine for report in reports):
            return reports
    with in_parts():
        return _actions_once([_import(account, upload, options, None, progress) for upload in files])


def _actions_once(reports: list[FileReport]) -> list[FileReport]:
    """Return the reports, each corporate action with the first of the files that tell it."""
    seen: set[str] = set()
    for report in reports:
        report.actions = [action for action in report.actions if action.key not in seen]
        seen |= {action.key for action in report.actions}
    return reports


def _import(
    account: str, upload: BrokerUpload, options: ImportOptions, trial: ImportTrial | None, progress: Progress
) -> FileReport:
    """Import one file, or try it after the others of a trial; return what became of it."""
    report = FileReport(upload.name)
    try:
        report.statement = read_statement(
            upload.read(),
            upload.name,
            password=options.password,
            mappings=options.mappings,
            layout=options.layout,
            broker=options.broker,
            zone=options.zone,
        )
        names: NamedBy = {"symbols": options.symbols, "rules": options.rules}
        if trial is not None:
            outcome = trial.add(report.statement, **names)
        else:
            outcome = import_fills(account, report.statement, **names, by=options.by, progress=progress)
    except FATAL:
        raise
    except VeloxError as error:
        # Its frames hold the file's content, and the password.
        error.__cause__ = error.__context__ = None
        report.refusal = error.with_traceback(None)
        _forget_content(report)
        return report
    report.fills, report.already_known, report.opening_sales = (
        outcome.fills,
        outcome.already_known,
        outcome.opening_sales,
    )
    report.trades_opened, report.trades_closed = outcome.trades_opened, outcome.trades_closed
    report.refused, report.findings = outcome.refused, outcome.findings
    if trial is not None:
        report.actions = proposals_in(account, report.statement, symbols=options.symbols)
        try:
            replaced = trial.charges_replaced(report.statement)
            report.charges = trial.charges(report.statement)
            report.findings += replaced
        except FATAL:
            raise
        except VeloxError as error:
            report.findings.append(f"Its charges were not taken: {error}")
    else:
        with proving(partial(must_be_kept, account, report.statement)):
            _take_the_rest(account, report, report.statement, options)
    report.findings += [
        f"The file's total {name} is not what its rows add up to." for name in report.statement.contradictions
    ]
    _forget_content(report)
    return report


def _forget_content(report: FileReport) -> None:
    """Keep of a file what is said of it, so that twenty large ones take the memory of one."""
    if report.statement is not None:
        report.statement = replace(
            report.statement, fills=(), charges=(), bills=(), positions=(), notes=(), actions=(), estimates=()
        )


def _take_the_rest(account: str, report: FileReport, statement: Statement, options: ImportOptions) -> None:
    """Keep the corporate actions and charges that a file tells; what cannot be taken is a finding, its fills stay."""
    try:
        report.actions = propose_actions(account, statement, symbols=options.symbols, by=options.by)
    except FATAL:
        raise
    except VeloxError as error:
        report.findings.append(f"Its corporate actions were not taken: {error}")
    try:
        with reading():
            replaced = charges_replaced(get_account(account), statement)
        report.charges = import_charges(account, statement, by=options.by)
        report.findings += replaced
    except FATAL:
        raise
    except VeloxError as error:
        report.findings.append(f"Its charges were not taken: {error}")
