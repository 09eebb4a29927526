"""Trades of an account as columns: as they stand in the ledger, and where most of them are sought from what is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial

import pyarrow as pa
from django.db.models import QuerySet

from trading.models import Account, Trade
from trading.queries.kept_tables import KeptTable, is_most, of_most
from trading.queries.lines import DAY, INSTANT, TEXT, WHOLE, WORDS, Repeats, table_by_key, table_of
from trading.queries.tables_in_order import places_by, tables_in_order

CODES = ("pk", "account_id", "strategy_id", "instrument_id")
UNITS = (
    *("entry_quantity", "open_quantity", "entry_value", "open_cost", "realised_pnl"),
    *("stop_price", "target_price", "initial_risk", "charges", "reported_pnl"),
)
COLUMNS = {
    **dict.fromkeys((*CODES, *UNITS), WHOLE),
    **dict.fromkeys(("side", "state", "exit_reason", "flags"), WORDS),
    **dict.fromkeys(("opened_at", "closed_at"), INSTANT),
    "trade_id": TEXT,
    "trading_day": DAY,
}
REPEATS = Repeats(few=("account_id", "strategy_id", "instrument_id", "side", "state", "flags", "exit_reason"))
OLDEST_FIRST = ("opened_at", "pk")
STAGE = "reading trades"
ROWS_AT_A_TIME = 20_000
KEPT_MAX = 300_000  # of more trades all columns at once would take more memory than a file of any size needs


def trades_in_order(trades: QuerySet[Trade], account: Account | None) -> Iterator[pa.Table]:
    """Yield the `COLUMNS` of some trades in their order, some thousands at a time. ``account``: all are of that one."""
    plain = trades.select_related(None).prefetch_related(None)
    is_kept = account is not None and TRADES.is_worth_it(account, plain, at_most=KEPT_MAX)
    whole = partial(TRADES.of, account) if account is not None and is_kept else None
    is_by_time = plain.query.order_by == OLDEST_FIRST and plain.query.standard_ordering
    by = OLDEST_FIRST if is_by_time else ()
    return tables_in_order(plain, COLUMNS, ROWS_AT_A_TIME, repeats=REPEATS, whole=whole, by=by)


def read_trades(account: Account, keys: Collection[int] | None) -> pa.Table:
    """Return an account's trades as they stand in the ledger: those with some keys, or (None) all, the oldest first, so
    that most of a file's blocks are stretches of what is kept."""
    rows = Trade.objects.filter(account=account)
    if keys is not None:
        return table_of(rows.filter(pk__in=keys), COLUMNS, by=(), stage=STAGE, repeats=REPEATS)
    if is_most(Trade, account):
        table = table_by_key(of_most(Trade.objects.all(), account), COLUMNS, stage=STAGE, repeats=REPEATS)
    else:
        table = table_of(rows, COLUMNS, by=("trading_day",), stage=STAGE, repeats=REPEATS)
    return table.take(pa.array(places_by(table, OLDEST_FIRST)))


TRADES = KeptTable("trades", repr((list(COLUMNS), REPEATS, OLDEST_FIRST)), read_trades, "pk")
