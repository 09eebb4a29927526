"""Files that are tried one after another: what each would bring once those before it were imported.

Nothing is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from trading.bookkeeping import incoming_fills, references, settling, stating
from trading.bookkeeping.import_outcome import ImportOutcome
from trading.bookkeeping.imported_files import must_fit
from trading.bookkeeping.incoming_fills import IncomingFill, TriedFiles, house_of
from trading.bookkeeping.kept_fills import OrderName, checked_fills, strategies_of_orders
from trading.bookkeeping.listings import GroupName, Shares, bought_elsewhere, shares_of
from trading.bookkeeping.other_sources import compare_sources
from trading.bookkeeping.settling import SettlingPlan
from trading.brokers.stated import charge_statements
from trading.brokers.values import Statement
from trading.domain.stated_charges import ChargeSource
from trading.domain.strategy_rules import StrategyRule
from trading.domain.trade_building import ReportedFill
from trading.models import Account, BrokerFill, Instrument, Strategy
from trading.queries.accounts import get_account
from trading.queries.imported_trades import Ahead, FillGroup
from trading.queries.instrument_names import NameMap, names_of
from trading.queries.instruments import shown_symbol
from trading.transactions import reading


@dataclass(slots=True)
class Arriving:
    """What a file has of one instrument and strategy: its new fills, and the days of all."""

    days: set[date] = field(default_factory=set)
    fills: list[ReportedFill] = field(default_factory=list)

    def take(self, day: date, *new: ReportedFill) -> None:
        """Add a fill that is known already, or one that is new."""
        self.days.add(day)
        self.fills += new


@dataclass(slots=True)
class ImportTrial:
    """What the files of an account that were tried so far would leave."""

    account_code: str
    statements: list[Statement] = field(default_factory=list)
    charged: list[Statement] = field(default_factory=list)  # those whose charges would be kept
    tried: TriedFiles = field(default_factory=TriedFiles)
    names: NameMap = field(default_factory=dict)
    isins: dict[str, str] = field(default_factory=dict)  # by symbol
    strategies: dict[OrderName, str] = field(default_factory=dict)
    ahead: dict[GroupName, Ahead] = field(default_factory=dict)
    shares: dict[GroupName, Shares] = field(default_factory=dict)

    def add(
        self, statement: Statement, *, symbols: NameMap | None = None, rules: Sequence[StrategyRule] = ()
    ) -> ImportOutcome:
        """Return what `import_fills` would return of a statement, after the files before.

        Raises: InvalidValue, WrongClient, CurrencyMismatch, UnknownAccount, LedgerNotReady, as it would.
        """
        with reading():
            account = get_account(self.account_code)
            must_fit(account, statement, self.statements)
            instruments = {line.instrument for line in statement.fills}
            names = names_of(instruments, symbols or {}, tried=self.names)
            ((incoming, refused),) = incoming_fills.named(statement, names, rules)
            check = compare_sources(account, statement.sha256, incoming, self.tried)
            outcome = ImportOutcome(
                already_known=len(check.known_by_order),
                refused=[*refused, *check.refused],
                findings=list(check.findings),
            )
            touched = []
            for name, arriving in self._take(account, statement, check.free, outcome).items():
                plan = self._plan(account, name, arriving)
                outcome.add(plan, statement)
                touched.append(shares_of(plan))
            before = list(self.shares.values())
            outcome.findings += bought_elsewhere(account, touched, before=before, isins=self.isins)
            self.shares |= {each.name: each for each in touched}
        self.statements.append(replace(statement, fills=(), notes=(), positions=(), charges=()))
        return outcome

    def charges(self, statement: Statement) -> int:
        """Return how many lines of stated charges of a statement, which was added, `import_charges` would keep.

        Raises: InvalidValue, as it would.
        """
        with reading():
            account = get_account(self.account_code)
            stating.must_be_of_one_broker(account, statement, self.charged)
            house, count = house_of(statement.broker), 0
            for source in (ChargeSource.NOTE, ChargeSource.FILE):
                lines = stating.checked(charge_statements(statement, source), statement.sha256)
                count += len(stating.new_rows(account, lines, statement.sha256, house))
        is_again = any((file.sha256, file.kind) == (statement.sha256, statement.kind) for file in self.charged)
        self.charged.append(replace(statement, fills=(), notes=(), positions=()))
        return 0 if is_again else count

    def _take(
        self, account: Account, statement: Statement, incoming: Sequence[IncomingFill], outcome: ImportOutcome
    ) -> dict[GroupName, Arriving]:
        """Keep new fills for the files that follow, as many at once as an import does; return what arrives by group."""
        groups: defaultdict[GroupName, Arriving] = defaultdict(Arriving)
        for start in range(0, len(incoming), settling.FILLS_AT_ONCE):
            some = incoming[start : start + settling.FILLS_AT_ONCE]
            fills = incoming_fills.sort_out(account, some, self.tried)
            strategies = self.strategies | strategies_of_orders(account, fills.new)
            new = checked_fills(account, fills, self._instrument, strategies)
            for each, instrument in new:
                fill, symbol = each.fill, shown_symbol(instrument.exchange.code, instrument.symbol)
                self.tried.fills[fill.exchange, fill.day, fill.key] = (statement.sha256, each)
                if fill.order_id is not None:
                    name = (instrument.exchange.code, instrument.symbol, fill.order_id)
                    self.strategies.setdefault(name, strategies.get(name, each.strategy))
                self.names.setdefault(("symbol", instrument.symbol), set()).add(symbol)
                if isin := each.line.instrument.isin:
                    self.isins[symbol] = isin
                    self.names.setdefault(("isin", isin), set()).add(symbol)
                groups[symbol, each.strategy].take(fill.day, fill)
            for _, row in fills.known:
                if isinstance(row, BrokerFill):
                    symbol = shown_symbol(row.instrument.exchange.code, row.instrument.symbol)
                    groups[symbol, row.strategy.code].take(row.day)
                elif row is not None:
                    groups[row.symbol, row.strategy].take(row.fill.day)
            outcome.fills += len(new)
            outcome.already_known += len(fills.known)
            outcome.refused += fills.refused
        return dict(groups)

    def _instrument(self, incoming: IncomingFill, account: Account) -> Instrument:
        """Return the ledger's instrument of a fill, or the one that its first fill would make."""
        instrument = self.tried.instrument(incoming.symbol)
        if instrument is None:
            instrument = references.instrument_to_be(incoming.symbol, account)
            instrument.multiplier = incoming.line.instrument.multiplier or instrument.multiplier
            self.tried.instruments[incoming.symbol] = instrument
        return instrument

    def _plan(self, account: Account, name: GroupName, arriving: Arriving) -> SettlingPlan:
        """Return what is to be done in one group, and keep what it would leave."""
        symbol, code = name
        instrument = self.tried.instrument(symbol) or references.instrument_to_be(symbol, account)
        strategy = Strategy.objects.filter(code=code).first() or Strategy(code=code)
        ahead = self.ahead.setdefault(name, Ahead())
        group = FillGroup(account, instrument, strategy)
        plan = settling.plan_of(group, min(arriving.days), arriving.fills, ahead)
        ahead.fills += arriving.fills
        others = [each for each in ahead.standing if each.name not in plan.compared]
        ahead.standing, ahead.names = [*others, *plan.standing], ahead.names | plan.compared
        return plan
