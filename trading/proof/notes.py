"""Notes of days, compared with what the journal tells of them."""

from __future__ import annotations

from trading.proof.chain import JOURNAL, Index, loaded
from trading.proof.rows import Tables

NOTE = "trading_daynote"


def compare_notes(tables: Tables, index: Index) -> dict[str, int]:
    """Find what differs in the rows of notes; return how many rows."""
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    accounts, expected = dict(index.notes), []
    for row, text in tables.in_batches(sql, accounts, 200):
        body = loaded(text)
        cells = {
            **body["note"],
            "id": body["note_pk"],
            "account_id": accounts[row],
            "author": body["by"],
            "written_at": body["recorded_at"],
        }
        expected.append(cells)
    return {NOTE: tables.compare(NOTE, expected, tables.between(NOTE, "id", None, None))}
