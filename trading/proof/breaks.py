"""What became of breaks, compared with what the journal tells of them."""

from __future__ import annotations

from trading.proof.chain import CHAIN, JOURNAL, Index, loaded
from trading.proof.rows import Tables

EVENT = "trading_breakevent"


def compare_breaks(tables: Tables, index: Index) -> dict[str, int]:
    """Find what differs in the rows of breaks; return how many rows."""
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    accounts, expected = dict(index.breaks), []
    for row, text in tables.in_batches(sql, accounts, 200):
        try:
            body = loaded(text)
            common = {"account_id": accounts[row], "recorded_at": body["recorded_at"]}
            expected += [{**event, **common} for event in body["breaks"]]
        except (KeyError, TypeError, AttributeError) as error:
            reason = f"a break cannot be read from it: {type(error).__name__} {error}"
            tables.findings.add(CHAIN, JOURNAL, row, "body", reason, "what the operation wrote")
    return {EVENT: tables.compare(EVENT, expected, tables.between(EVENT, "id", None, None))}
