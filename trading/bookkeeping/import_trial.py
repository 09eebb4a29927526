"""Files that are tried one after another: what each would bring once those before it were imported.

Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from trading.bookkeeping import incoming_fills, references, settling, stating
from trading.bookkeeping.import_outcome import ImportOutcome
from trading.bookkeeping.imported_files import must_fit
from trading.bookkeeping.incoming_fills import IncomingFill, TriedFiles, exchange_and_name, house_of
from trading.bookkeeping.kept_fills import checked_fills, strategies_of_orders
from trading.bookkeeping.listings import Shares, bought_elsewhere, shares_of
from trading.bookkeeping.other_sources import compare_sources
from trading.bookkeeping.settling import SettlingPlan
from trading.bookkeeping.tried_fills import GroupName, TriedFill
from trading.brokers.stated import StatedFile, charge_statements
from trading.brokers.values import Statement
from trading.domain.stated_charges import ChargeSource
from trading.domain.strategy_rules import StrategyRule
from trading.models import Account, BrokerFill, Instrument, Strategy
from trading.queries.accounts import get_account
from trading.queries.imported_trades import Ahead, FillGroup, TradeName
from trading.queries.instrument_names import NameMap, names_of
from trading.queries.instruments import shown_symbol
from trading.queries.stated_charges import charges_replaced
from trading.transactions import reading


@dataclass(slots=True)
class ImportTrial:
    """What the files of an account that were tried so far would leave."""

    account_code: str
    statements: list[Statement] = field(default_factory=list)
    charged: list[StatedFile] = field(default_factory=list)  # those whose charges would be kept
    tried: TriedFiles = field(default_factory=TriedFiles)
    names: NameMap = field(default_factory=dict)
    isins: dict[str, str] = field(default_factory=dict)  # by symbol
    compared: dict[GroupName, set[TradeName]] = field(default_factory=dict)  # trades in whose place tried ones stand
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
            outcome, first_days = ImportOutcome(), dict[GroupName, date]()
            for incoming, refused in incoming_fills.named(
                statement, names, rules, at_once=incoming_fills.COMPARED_AT_ONCE
            ):
                check = compare_sources(account, statement.sha256, incoming, self.tried)
                outcome.already_known += len(check.known_by_order)
                outcome.refused += [*refused, *check.refused]
                outcome.findings += check.findings
                self._take(account, statement, check.free, first_days, outcome)
                del incoming, check  # before the next ones are made
            touched = []
            for name, first_day in first_days.items():
                plan = self._plan(account, name, first_day)
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
                count += len(stating.new_rows(account, lines, statement.sha256, house, tried=self.charged))
        is_again = any((file.sha256, file.kind) == (statement.sha256, statement.kind) for file in self.charged)
        self.charged.append(StatedFile.of(statement))
        return 0 if is_again else count

    def charges_replaced(self, statement: Statement) -> list[str]:
        """Return a finding for each amount that would stand in the place of another file's; ask before `charges`."""
        with reading():
            return charges_replaced(get_account(self.account_code), statement, self.charged)

    def _take(
        self,
        account: Account,
        statement: Statement,
        incoming: Sequence[IncomingFill],
        first_days: dict[GroupName, date],
        outcome: ImportOutcome,
    ) -> None:
        """Keep new fills, as many at once as an import does; note the first day of each group that they are of."""
        for start in range(0, len(incoming), settling.FILLS_AT_ONCE):
            some = incoming[start : start + settling.FILLS_AT_ONCE]
            fills = incoming_fills.sort_out(account, some, self.tried)
            orders = {(*exchange_and_name(each.symbol), each.fill.order_id or "") for each in fills.new}
            strategies = self.tried.fills.strategies_of(orders) | strategies_of_orders(account, fills.new)
            new = checked_fills(account, fills, self._instrument, strategies)
            taken: list[TriedFill] = []
            days: list[tuple[GroupName, date]] = []
            for each, instrument in new:
                fill, symbol = each.fill, shown_symbol(instrument.exchange.code, instrument.symbol)
                taken.append(TriedFill(statement.sha256, symbol, each.strategy, fill))
                if fill.order_id is not None:
                    name = (instrument.exchange.code, instrument.symbol, fill.order_id)
                    self.tried.fills.keep_order(name, strategies.get(name, each.strategy))
                self.names.setdefault(("symbol", instrument.symbol), set()).add(symbol)
                if isin := each.line.instrument.isin:
                    self.isins[symbol] = isin
                    self.names.setdefault(("isin", isin), set()).add(symbol)
                days.append(((symbol, each.strategy), fill.day))
            self.tried.fills.keep(taken)
            for _, row in fills.known:
                if isinstance(row, BrokerFill):
                    symbol = shown_symbol(row.instrument.exchange.code, row.instrument.symbol)
                    days.append(((symbol, row.strategy.code), row.day))
                elif row is not None:
                    days.append(((row.symbol, row.strategy), row.fill.day))
            for group, day in days:
                first_days[group] = min(day, first_days.get(group, day))
            outcome.fills += len(new)
            outcome.already_known += len(fills.known)
            outcome.refused += fills.refused
            outcome.findings += fills.charged_otherwise()

    def _instrument(self, incoming: IncomingFill, account: Account) -> Instrument:
        """Return the ledger's instrument of a fill, or the one that its first fill would make."""
        instrument = self.tried.instrument(incoming.symbol)
        if instrument is None:
            instrument = references.instrument_to_be(incoming.symbol, account)
            instrument.multiplier = incoming.line.instrument.multiplier or instrument.multiplier
            self.tried.instruments[incoming.symbol] = instrument
        return instrument

    def _plan(self, account: Account, name: GroupName, first_day: date) -> SettlingPlan:
        """Return what is to be done in one group, and keep what it would leave."""
        symbol, code = name
        instrument = self.tried.instrument(symbol) or references.instrument_to_be(symbol, account)
        strategy = Strategy.objects.filter(code=code).first() or Strategy(code=code)
        group, compared = FillGroup(account, instrument, strategy), self.compared.setdefault(name, set())
        ahead = Ahead(self.tried.fills.of_group(name), self.tried.fills.standing(name, group), compared)
        plan = settling.plan_of(group, first_day, ahead)
        others = [each for each in ahead.standing if each.name not in plan.compared]
        self.tried.fills.let_stand(name, [*others, *plan.standing])
        compared |= plan.compared
        return plan
