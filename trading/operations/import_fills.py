"""Importing the fills of a broker's statement: each is kept once as a fact, and the trades follow from all of them.

First the fills that are new are kept, then the trades of every instrument that the file touches are brought to what all
its kept fills make of them. Both go in short transactions, so that a strategy waits little: what a kill leaves undone
the next import of the same file does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import DatabaseError

from timeseries.spool.locks import FileLock
from trading.bookkeeping import incoming_fills, journal, settling
from trading.bookkeeping.imported_files import keep_file, must_fit
from trading.bookkeeping.incoming_fills import IncomingFill
from trading.bookkeeping.kept_fills import kept_rows, write_rows
from trading.bookkeeping.other_sources import SourceCheck, compare_sources
from trading.bookkeeping.settling import SettlingPlan
from trading.brokers.values import Remark, Statement
from trading.domain import trade_building
from trading.domain.money import from_units
from trading.domain.position import CrossesZeroError
from trading.domain.strategy_rules import StrategyRule
from trading.domain.trade_building import ReportedFill
from trading.errors import InvalidValue
from trading.models import Account, BrokerFile, Instrument, Strategy
from trading.proof.trades import Progress
from trading.queries.accounts import get_account
from trading.queries.imported_trades import FillGroup
from trading.queries.instrument_names import NameMap, names_of
from trading.queries.instruments import find_instrument, shown_symbol
from trading.transactions import busy, reading, together, writing

IMPORTERS_LOCK = 0x76656C6F77  # any number, the same on every host
FirstDays = dict[tuple[int, int], date]  # primary keys of instrument and strategy, to the first day


@dataclass(slots=True)
class ImportOutcome:
    """What became of a statement's fills. ``findings`` are things to look at that are no row of the file."""

    fills: int = 0
    already_known: int = 0
    opening_sales: int = 0
    trades_opened: int = 0
    trades_closed: int = 0
    refused: list[Remark] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


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
    is_trial: bool = False,
    progress: Progress = lambda *_: None,
) -> ImportOutcome:
    """Bring the fills of a statement into the ledger and return what became of them; the same again changes nothing.

    ``symbols`` names instruments that the file does not name by a symbol; ``rules`` give fills their strategy, else it
    is `imported`. ``is_trial`` writes nothing and tells what would be.

    Raises: InvalidValue for a time without a zone, WrongClient, CurrencyMismatch, UnknownAccount, LedgerBusy (what is
        written so far stays: call again), LedgerNotReady.
    """
    with reading():
        account = get_account(account_code)
        run = FillsImport(account, statement, by, progress)
        must_fit(account, statement)
        names = names_of([line.instrument for line in statement.fills], symbols or {})
        incoming, refused = incoming_fills.named(statement, names, rules)
        if is_trial:
            return _trial(run, incoming, refused)
    with _alone():
        with reading():
            check = compare_sources(account, statement.sha256, incoming)
        outcome = _begun(check, refused)
        incoming = check.free
        file = keep_file(account, statement, by=by)
        touched = _keep_fills(run, file, incoming, outcome)
        _settle(run, touched, outcome)
    return outcome


def _keep_fills(
    run: FillsImport, file: BrokerFile, incoming: Sequence[IncomingFill], outcome: ImportOutcome
) -> FirstDays:
    """Write the fills that are new; return the first day of each instrument and strategy that the file touches."""
    touched: FirstDays = {}
    for start in range(0, len(incoming), settling.FILLS_AT_ONCE):
        with writing():
            account, head = journal.lock_account(run.account.code)
            fills = incoming_fills.sort_out(account, incoming[start : start + settling.FILLS_AT_ONCE])
            rows = kept_rows(file, account, fills)
            write_rows(rows, head, by=run.by)
        for row in (*rows, *(row for _, row in fills.known if row is not None)):
            group = (row.instrument_id, row.strategy_id)
            touched[group] = min(row.day, touched.get(group, row.day))
        outcome.fills += len(rows)
        outcome.already_known += len(fills.known)
        outcome.refused += fills.refused
        run.progress("fills", min(start + settling.FILLS_AT_ONCE, len(incoming)), len(incoming))
    return touched


def _settle(run: FillsImport, touched: FirstDays, outcome: ImportOutcome) -> None:
    """Bring the trades of what the file touches to what all kept fills make of them."""
    instruments = Instrument.objects.select_related("exchange").in_bulk({instrument for instrument, _ in touched})
    strategies = Strategy.objects.in_bulk({strategy for _, strategy in touched})
    for number, ((instrument, strategy), day) in enumerate(sorted(touched.items()), 1):
        group = FillGroup(run.account, instruments[instrument], strategies[strategy])
        with reading():
            plan = settling.plan_of(group, day)
        try:
            # Trades give way together with the booking of what takes their place, or not at all.
            with together() if plan.replaced else nullcontext():
                settling.give_way(plan.replaced)
                settling.book_all(group, plan.to_book, by=run.by)
        except (InvalidValue, CrossesZeroError) as error:
            symbol = shown_symbol(group.instrument.exchange.code, group.instrument.symbol)
            outcome.findings.append(
                f"{symbol}: its fills are kept, and its trades could not be brought to them: {error}"
            )
            continue
        _tell(plan, outcome, run.statement)
        run.progress("trades", number, len(touched))


def _tell(plan: SettlingPlan, outcome: ImportOutcome, statement: Statement) -> None:
    """Add what one group's plan has to say to the outcome."""
    symbol = shown_symbol(plan.group.instrument.exchange.code, plan.group.instrument.symbol)
    days = (statement.first_day or date.min, statement.last_day or date.max)
    outcome.trades_opened += plan.opened
    outcome.trades_closed += plan.closed
    outcome.opening_sales += sum(days[0] <= leg.fill.day <= days[1] for leg in plan.opening_sales)
    outcome.findings += [
        f"{symbol}: trade {trade.trade_id} of {trade.trading_day} stays as it is: fills contradict it, and "
        "somebody had a hand in it, or in a trade beside it."
        for trade in plan.blocked
    ]
    outcome.findings += [
        f"{symbol}: {from_units(leg.quantity):f} were settled on {leg.fill.day} and are in no position."
        for leg in plan.unmatched
    ]
    outcome.findings += [
        f"{symbol}: {_order(row.order)} is of {from_units(row.order.quantity):f}, its fills are of "
        f"{from_units(row.quantity):f}."
        for row in plan.orders
        if row.differs
    ]


def _order(order: ReportedFill) -> str:
    return f"a sum of {order.day}" if order.order_id is None else f"order {order.order_id}"


def _begun(check: SourceCheck, refused: Sequence[Remark]) -> ImportOutcome:
    return ImportOutcome(
        already_known=len(check.known_by_order), refused=[*refused, *check.refused], findings=list(check.findings)
    )


def _trial(run: FillsImport, incoming: Sequence[IncomingFill], refused: list[Remark]) -> ImportOutcome:
    """Return what an import would bring."""
    check = compare_sources(run.account, run.statement.sha256, incoming)
    outcome, fills = _begun(check, refused), incoming_fills.sort_out(run.account, check.free)
    outcome.fills, outcome.refused = len(fills.new), [*outcome.refused, *fills.refused]
    outcome.already_known += len(fills.known)
    by_group: defaultdict[tuple[str, str], list[ReportedFill]] = defaultdict(list)
    for each in fills.new:
        by_group[each.symbol, each.strategy].append(each.fill)
    for (symbol, strategy), arriving in by_group.items():
        instrument, row = find_instrument(symbol), Strategy.objects.filter(code=strategy).first()
        if instrument is not None and row is not None:
            group = FillGroup(run.account, instrument, row)
            _tell(settling.plan_of(group, min(fill.day for fill in arriving), arriving), outcome, run.statement)
            continue
        built = trade_building.build(trade_building.without_replaced_orders(arriving)[0])
        outcome.trades_opened += len(built.trades)
        outcome.trades_closed += sum(not trade.is_open for trade in built.trades)
        outcome.opening_sales += len(built.opening_sales)
    return outcome


@contextmanager
def _alone() -> Iterator[None]:
    """Let one import at a time work on a ledger. Raises: LedgerBusy where another does."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        with FileLock(Path(str(connection.settings_dict["NAME"])).with_suffix(".import")) as lock:
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
