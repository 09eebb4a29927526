"""The exits of an account and the conditions of their trades, as tables: as they stand in the ledger, and where much is
sought from what is kept of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from django.db.models import F, Q, QuerySet

from trading.domain.exit_columns import Groups
from trading.domain.exit_runs import Floats, Integers
from trading.models import Account, Realisation, Strategy
from trading.queries.as_known import untouched
from trading.queries.condition_columns import (
    OF_CONDITION,
    conditions_in,
    numbers_of,
    recorded_conditions,
    with_conditions,
)
from trading.queries.kept_tables import KeptTable, is_most, of_most
from trading.queries.lines import DAY, FLAG, INSTANT, WHOLE, WORDS, Repeats, numbers, table_by_key, table_of
from trading.queries.statistics import Cut
from trading.queries.tag_columns import TAG, recorded_tags, tag_groups, tags_in, with_tags

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
ABSENT = -1  # the key of no strategy


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
        is_kept = cut.known_at is None and EXITS.is_worth_it(cut.account, rows, is_parted=is_whole)
        return cls(cut, first, last, rows, is_whole, is_kept)

    def table(self) -> pa.Table:
        """Return their `COLUMNS`, in no order."""
        if self.is_kept:
            kept = EXITS.of(self.cut.account, **keys_of(self.cut))
            day = numbers(kept["day"])
            mask = (day >= self.first.toordinal()) & (day <= self.last.toordinal())
            return kept if mask.all() else kept.filter(pa.array(mask))
        known_at = self.cut.known_at
        rows = self.rows if known_at is None else self.rows.filter(untouched(known_at, of="trade__"))
        return _read(self.cut, rows, is_whole=self.is_whole)

    def conditions(self, table: pa.Table, trades: Integers, of_trade: Integers) -> dict[str, Floats]:
        """Return the conditions of their trades (ascending keys), NaN where a trade has none of a name; ``of_trade`` is
        the place among them of each row of their `table`."""
        if self.is_kept:
            return conditions_in(table, len(trades), of_trade)
        return numbers_of(trades, recorded_conditions(self.cut, None if self.is_whole else self.rows))

    def tags(self, table: pa.Table, trades: Integers, of_trade: Integers) -> Groups:
        """Return their cut by tags (`conditions`)."""
        return tags_in(table) if self.is_kept else tag_groups(recorded_tags(self.cut), trades, of_trade)


def keys_of(cut: Cut) -> dict[str, int]:
    """Return the strategy and instrument of a cut, as far as it has them, by the columns that hold their keys."""
    keys = {} if cut.instrument_id is None else {"instrument_id": cut.instrument_id}
    if cut.strategy_id is not None:
        keys["strategy_id"] = (
            Strategy.objects.filter(code=cut.strategy_id).values_list("pk", flat=True).first() or ABSENT
        )
    return keys


def read_exits(account: Account, trades: Collection[int] | None) -> pa.Table:
    """Return the exits of an account's trades, of some or (None) of all, as they stand in the ledger, each with the
    conditions and the tags of its trade."""
    cut = Cut(account)
    if trades is None:
        rows, table = None, _read(cut, Realisation.objects.filter(account=account).order_by(), is_whole=True)
    else:  # by their trades: of an account with a million an index of accounts takes a quarter of a second
        rows = of_most(Realisation.objects.filter(trade__in=trades), account)
        table = table_of(rows, COLUMNS, by=(), stage=STAGE, repeats=REPEATS)
    return with_tags(with_conditions(table, recorded_conditions(cut, rows)), recorded_tags(cut, rows))


PARTED = ("strategy_id", "instrument_id")  # by what pages of one strategy and of one symbol seek
LAYOUT = repr((list(COLUMNS), REPEATS, OF_CONDITION, TAG))
EXITS = KeptTable("exits", LAYOUT, read_exits, by=PARTED)


def _read(cut: Cut, rows: QuerySet[Realisation], *, is_whole: bool) -> pa.Table:
    """Return the exits as they stand in the ledger, in no order."""
    if is_whole and cut == Cut(cut.account) and is_most(Realisation, cut.account):
        return table_by_key(of_most(Realisation.objects.all(), cut.account), COLUMNS, stage=STAGE, repeats=REPEATS)
    return table_of(rows, COLUMNS, by=("day", "strategy_id"), stage=STAGE, repeats=REPEATS)
