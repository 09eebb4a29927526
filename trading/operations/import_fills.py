"""Importing the fills of a broker's statement: each is kept once as a fact, and the trades follow from all of them.

First the fills that are new are kept, then the trades of every instrument that the file touches are brought to what all
its kept fills make of them. Both go in short transactions, so that a strategy waits little: what a kill leaves undone
the next import of the same file does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import DatabaseError

from timeseries.spool.locks import FileLock
from trading.bookkeeping import incoming_fills, journal, settling
from trading.bookkeeping.import_outcome import ImportOutcome
from trading.bookkeeping.imported_files import keep_file, must_be_kept, must_fit
from trading.bookkeeping.incoming_fills import IncomingFill
from trading.bookkeeping.kept_fills import kept_rows, write_rows
from trading.bookkeeping.listings import Shares, bought_elsewhere, shares_of
from trading.bookkeeping.other_sources import compare_sources
from trading.brokers.values import Statement
from trading.domain.position import CrossesZeroError
from trading.domain.strategy_rules import StrategyRule
from trading.errors import InvalidValue
from trading.models import Account, BrokerFile, BrokerFill, Instrument, Strategy
from trading.progress import Progress
from trading.queries.accounts import get_account
from trading.queries.imported_trades import IMPORTER, FillGroup
from trading.queries.instrument_names import NameMap, names_of
from trading.queries.instruments import shown_symbol
from trading.transactions import busy, in_parts, proving, read_only, reading, together, writing

IMPORTERS_LOCK = 0x76656C6F77  # any number, the same on every host
FirstDays = dict[tuple[int, int], date]  # primary keys of instrument and strategy, to the first day


@dataclass(frozen=True, slots=True)
class FillsImport:
    """One run: the account, the statement, and how its fills are named."""

    account: Account
    statement: Statement
    by: str
    progress: Progress


def import_fills(
    account_code: str,
    statement: Statement,
    *,
    symbols: NameMap | None = None,
    rules: Sequence[StrategyRule] = (),
    by: str = "",
    progress: Progress = lambda *_: None,
) -> ImportOutcome:
    """Bring the fills of a statement into the ledger and return what became of them; the same again changes nothing.

    ``symbols`` names instruments that the file does not name by a symbol; ``rules`` give fills their strategy, else it
    is `imported`.

    Raises: InvalidValue for a time without a zone, WrongClient, CurrencyMismatch, UnknownAccount, LedgerBusy (what is
        written so far stays: call again), LedgerNotReady.
    """
    with reading():
        account = get_account(account_code)
        run = FillsImport(account, statement, by, progress)
        names = names_of({line.instrument for line in statement.fills}, symbols or {})
    with _alone(), in_parts():
        with reading():
            must_fit(account, statement)
        outcome, touched = ImportOutcome(), FirstDays()
        file = keep_file(account, statement, by=by)
        parts = incoming_fills.named(statement, names, rules, at_once=incoming_fills.COMPARED_AT_ONCE)
        with proving(partial(must_be_kept, account_code, statement)):
            while True:
                with reading():
                    incoming, refused = next(parts, (None, []))
                    if incoming is None:
                        break
                    check = compare_sources(account, statement.sha256, incoming)
                outcome.already_known += len(check.known_by_order)
                outcome.refused += [*refused, *check.refused]
                outcome.findings += check.findings
                _keep_fills(run, file, check.free, touched, outcome)
                del incoming, check  # before the next ones are made
            shares = _settle(run, touched, outcome)
            with writing():
                pass  # whose proof is that what is answered is in the ledger
        with reading():
            outcome.findings += bought_elsewhere(account, shares)
    return outcome


def _keep_fills(
    run: FillsImport, file: BrokerFile, incoming: Sequence[IncomingFill], touched: FirstDays, outcome: ImportOutcome
) -> None:
    """Write the fills that are new; note the first day of each instrument and strategy that they are of."""
    for start in range(0, len(incoming), settling.FILLS_AT_ONCE):
        with writing():
            account, head = journal.lock_account(run.account.code)
            fills = incoming_fills.sort_out(account, incoming[start : start + settling.FILLS_AT_ONCE])
            rows = kept_rows(file, account, fills)
            write_rows(account, rows, head, by=run.by)
        for row in (*rows, *(row for _, row in fills.known if isinstance(row, BrokerFill))):
            group = (row.instrument_id, row.strategy_id)
            touched[group] = min(row.day, touched.get(group, row.day))
        outcome.fills += len(rows)
        outcome.already_known += len(fills.known)
        outcome.refused += fills.refused
        outcome.findings += fills.charged_otherwise()
        read = outcome.fills + outcome.already_known + len(outcome.refused)
        run.progress("fills", min(read, len(run.statement.fills)), len(run.statement.fills))


def _settle(run: FillsImport, touched: FirstDays, outcome: ImportOutcome) -> list[Shares]:
    """Bring the trades of what the file touches to what all kept fills make of them; return what that leaves."""
    shares: list[Shares] = []
    instruments = Instrument.objects.select_related("exchange").in_bulk({instrument for instrument, _ in touched})
    strategies = Strategy.objects.in_bulk({strategy for _, strategy in touched})
    for number, ((instrument, strategy), day) in enumerate(sorted(touched.items()), 1):
        group = FillGroup(run.account, instruments[instrument], strategies[strategy])
        with reading():
            plan = settling.plan_of(group, day)
        try:
            # Trades give way together with the booking of what takes their place, or not at all: nor where a person
            # or a strategy had a hand in one since it was looked at.
            with together() if plan.replaced else nullcontext():
                settling.must_stand(plan)
                if plan.replaced:
                    settling.settle(plan, by=run.by or IMPORTER, reason=settling.REASON)
                else:
                    settling.book_all(group, plan.to_book, by=run.by)
        except (InvalidValue, CrossesZeroError) as error:
            symbol = shown_symbol(group.instrument.exchange.code, group.instrument.symbol)
            outcome.findings.append(
                f"{symbol}: its fills are kept, and its trades could not be brought to them: {error}"
            )
            continue
        outcome.add(plan, run.statement)
        shares.append(shares_of(plan))
        run.progress("trades", number, len(touched))
    return shares


@contextmanager
def _alone() -> Iterator[None]:
    """Let one import at a time work on a ledger. Raises: LedgerBusy where another does."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        try:
            lock = FileLock(Path(str(connection.settings_dict["NAME"])).with_suffix(".import"))
        except OSError as error:
            raise read_only(error.strerror or "no reason was told") from error
        with lock:
            if not lock.take():
                raise busy("another import works on it")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [IMPORTERS_LOCK])
        if not cursor.fetchone()[0]:
            raise busy("another import works on it")
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:  # a lost session has freed it
            cursor.execute("SELECT pg_advisory_unlock(%s)", [IMPORTERS_LOCK])
