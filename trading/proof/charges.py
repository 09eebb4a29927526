"""Stated charges, compared with what the journal tells of them."""

from __future__ import annotations

from trading.domain.recount import units
from trading.domain.stated_charges import broker_told
from trading.proof.chain import JOURNAL, Index, loaded
from trading.proof.rows import Tables

STATED = "trading_statedcharge"


def compare_charges(tables: Tables, index: Index) -> dict[str, int]:
    """Find what differs in the rows of stated charges; return how many rows."""
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    accounts, expected = dict(index.charges), []
    for row, text in tables.in_batches(sql, accounts, 200):
        body = loaded(text)
        common = {name: body[name] for name in ("source", "document", "text", "author", "recorded_at")}
        common["broker"] = body["broker"] if "broker" in body else broker_told(body["document"], body["text"])
        for charge, pk in zip(body["charges"], body["charge_pks"], strict=True):
            cells = {"amount": units(charge["amount"]), "account_id": accounts[row], "id": pk}
            expected.append({**common, **charge, **cells})
    return {STATED: tables.compare(STATED, expected, tables.between(STATED, "id", None, None))}
