"""Rows of limits, compared with what the journal tells of them."""

from __future__ import annotations

from decimal import Decimal

from trading.domain.money import to_units
from trading.proof.chain import JOURNAL, Index, loaded
from trading.proof.rows import Tables

LIMIT = "trading_limit"


def compare_limits(tables: Tables, index: Index) -> dict[str, int]:
    """Find what differs in the rows of limits; return how many rows."""
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    accounts, expected = dict(index.limits), []
    for row, text in tables.in_batches(sql, accounts, 200):
        body = loaded(text)
        limit = body["limit"]
        cells = {
            **{name: limit[name] for name in ("number", "kind", "first_day", "reason")},
            "strategy_id": limit["strategy_pk"],
            "amount": None if limit["amount"] is None else to_units(Decimal(limit["amount"])),
            "id": body["limit_pk"],
            "account_id": accounts[row],
            "author": body["by"],
            "recorded_at": body["recorded_at"],
        }
        expected.append(cells)
    return {LIMIT: tables.compare(LIMIT, expected, tables.between(LIMIT, "id", None, None))}
