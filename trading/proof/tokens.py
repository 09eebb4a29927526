"""Tokens of the HTTP interface and their ends, compared with what the journal tells of them."""

from __future__ import annotations

from trading.domain.chain import Body
from trading.proof.chain import JOURNAL, Index, loaded
from trading.proof.rows import Tables

TOKEN, REVOCATION = "trading_apitoken", "trading_tokenrevocation"


def compare_tokens(tables: Tables, index: Index) -> dict[str, int]:
    """Find what differs in the rows of tokens and of their ends; return how many rows of each."""
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    accounts = dict(index.tokens)
    expected: dict[str, list[Body]] = {TOKEN: [], REVOCATION: []}
    for row, text in tables.in_batches(sql, accounts, 200):
        body = loaded(text)
        cells = {"account_id": accounts[row], "author": body["by"]}
        if body["op"] == "make_token":
            table = TOKEN
            cells |= {**body["token"], "id": body["token_pk"], "made_at": body["recorded_at"]}
        else:
            table = REVOCATION
            cells |= {"id": body["revocation_pk"], "token_id": body["token_pk"], "revoked_at": body["recorded_at"]}
        expected[table].append(cells)
    return {
        table: tables.compare(table, rows, tables.between(table, "id", None, None)) for table, rows in expected.items()
    }
