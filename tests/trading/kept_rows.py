"""What is kept of an account's trades, exits and signals beside what is read of them anew."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from trading.queries.accounts import get_account
from trading.queries.exit_tables import EXITS, read_exits
from trading.queries.signal_report import SIGNALS, read_signals
from trading.queries.trade_columns import TRADES, read_trades


def assert_kept_tables_stand(account: str = "main") -> None:
    """Hold the rows of the kept tables to those that the ledger has now."""
    of = get_account(account)
    tables = ((EXITS, read_exits), (SIGNALS, read_signals), (TRADES, read_trades))
    for kept, read in tables:
        assert rows_of(kept.of(of)) == rows_of(read(of, None))


def rows_of(table: pa.Table) -> list[list[tuple[str, Any]]]:
    """Return each row by its columns, in one order; what is there of no row is left out."""
    rows = ([(name, row[name]) for name in sorted(row) if row[name] == row[name]] for row in table.to_pylist())
    return sorted(([pair for pair in row if pair[1] is not None] for row in rows), key=repr)
