"""The exits of an account and the conditions of their trades, as tables: as they stand in the ledger, and where much is
sought from what is kept of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from django.db.models import F, Q, QuerySet

from trading.domain.exit_runs import Flags, Floats, Integers
from trading.models import Account, Realisation, Strategy
from trading.queries.as_known import untouched
from trading.queries.condition_columns import conditions_in, conditions_table, numbers_of, recorded_conditions
from trading.queries.kept_tables import KeptTable, is_most, is_worth_it, of_most
from trading.queries.lines import DAY, FLAG, INSTANT, WHOLE, WORDS, Repeats, numbers, table_by_key, table_of
from trading.queries.statistics import Cut

COLUMNS = {
    **dict.fromkeys(("trade_id", "strategy_id", "instrument_id", "pnl", "charges"), WHOLE),
    **dict.fromkeys(("trade__realised_pnl", "trade__charges", "trade__initial_risk"), WHOLE),
    **dict.fromkeys(("at", "trade__opened_at", "trade__closed_at"), INSTANT),
    **dict.fromkeys(("trade__side", "trade__exit_reason", "trade__flags"), WORDS),
    "day": DAY,
    "closes": FLAG,
}
WHOLE_OF_TRADE = ("trade__realised_pnl", "trade__charges", "trade__closed_at")
# Most trades have one exit, which tells all that is known of the whole trade.
REPEATS = Repeats(
    few=("strategy_id", "instrument_id", "closes", "trade__side", "trade__flags", "trade__exit_reason"),
    paths=WHOLE_OF_TRADE,
    holds=Q(trade__realised_pnl=F("pnl"), trade__closed_at=F("at"))
    & (Q(trade__charges=F("charges")) | Q(trade__charges__isnull=True, charges__isnull=True)),
)
STAGE = "reading exits"


@dataclass(frozen=True, slots=True)
class Sought:
    """The exits of a cut on some days. ``is_whole``: no exit of the cut is of another day."""

    cut: Cut
    first: date
    last: date
    rows: QuerySet[Realisation]
    is_whole: bool
    is_kept: bool

    @classmethod
    def of(cls, cut: Cut, first: date, last: date) -> Sought:
        """Return what is sought, and whether so much is that what is kept of the account is read in less time."""
        rows = Realisation.objects.filter(**cut.lookups()).order_by()
        # Where all exits are of these days, asking for them would read a symbol's by an index of days: every symbol's.
        is_whole = not rows.filter(day__lt=first).exists() and not rows.filter(day__gt=last).exists()
        rows = rows if is_whole else rows.filter(day__gte=first, day__lte=last)
        return cls(cut, first, last, rows, is_whole, cut.known_at is None and is_worth_it(cut.account, rows))

    def table(self) -> pa.Table:
        """Return their `COLUMNS`, in no order."""
        if self.is_kept:
            every = EXITS.of(self.cut.account)
            day = numbers(every["day"])
            return rows_of_cut(every, self.cut, (day >= self.first.toordinal()) & (day <= self.last.toordinal()))
        known_at = self.cut.known_at
        rows = self.rows if known_at is None else self.rows.filter(untouched(known_at, of="trade__"))
        return _read(self.cut, rows, is_whole=self.is_whole)

    def conditions(self, trades: Integers) -> dict[str, Floats]:
        """Return the conditions of their trades (ascending keys), NaN where a trade has none of a name."""
        if self.is_kept:
            return conditions_in(trades, CONDITIONS.of(self.cut.account))
        return numbers_of(trades, recorded_conditions(self.cut, None if self.is_whole else self.rows))


def rows_of_cut(table: pa.Table, cut: Cut, mask: Flags) -> pa.Table:
    """Return those rows of an account that a mask leaves and that are of the cut, by their strategy and instrument."""
    if cut.strategy_id is not None:
        keys = Strategy.objects.filter(code=cut.strategy_id).values_list("pk", flat=True)
        mask &= np.isin(numbers(table["strategy_id"]), list(keys))
    if cut.instrument_id is not None:
        mask &= numbers(table["instrument_id"]) == cut.instrument_id
    return table if mask.all() else table.filter(pa.array(mask))


def read_exits(account: Account, trades: Collection[int] | None) -> pa.Table:
    """Return the exits of an account's trades, of some or (None) of all, as they stand in the ledger."""
    rows = Realisation.objects.filter(account=account).order_by()
    if trades is None:
        return _read(Cut(account), rows, is_whole=True)
    return table_of(rows.filter(trade__in=trades), COLUMNS, by=(), stage=STAGE, repeats=REPEATS)


def read_conditions(account: Account, trades: Collection[int] | None) -> pa.Table:
    """Return the conditions of an account's trades, of some or (None) of all, as they stand in the ledger."""
    exits = None if trades is None else Realisation.objects.filter(account=account, trade__in=trades)
    return conditions_table(recorded_conditions(Cut(account), exits))


EXITS = KeptTable("exits", repr((list(COLUMNS), REPEATS)), read_exits)
CONDITIONS = KeptTable("conditions", "1", read_conditions)


def _read(cut: Cut, rows: QuerySet[Realisation], *, is_whole: bool) -> pa.Table:
    """Return the exits as they stand in the ledger, in no order."""
    if is_whole and cut == Cut(cut.account) and is_most(Realisation, cut.account):
        return table_by_key(of_most(Realisation.objects.all(), cut.account), COLUMNS, stage=STAGE, repeats=REPEATS)
    return table_of(rows, COLUMNS, by=("day", "strategy_id"), stage=STAGE, repeats=REPEATS)
