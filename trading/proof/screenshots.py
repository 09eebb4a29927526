"""Rows of screenshots and of their ends, compared with what the journal tells of them, and their files with these."""

from __future__ import annotations

from pathlib import Path

from trading.domain.chain import Body
from trading.picture_files import PictureFile, fault_of
from trading.proof.chain import JOURNAL, Index, loaded
from trading.proof.rows import Tables

SCREENSHOT, WITHDRAWAL = "trading_screenshot", "trading_screenshotwithdrawal"
FILE = "file"  # kind of a difference: the ledger is as it was recorded, a file beside it is not


def compare_screenshots(tables: Tables, index: Index, files: Path | None) -> dict[str, int]:
    """Find what differs in rows, and in the files of a folder where one is given; return how many rows of each table.

    Nobody looks for the file of a screenshot that was taken back.
    """
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    accounts = dict(index.screenshots)
    expected: dict[str, list[Body]] = {SCREENSHOT: [], WITHDRAWAL: []}
    kept: dict[int, PictureFile] = {}  # by the journal: a row that was changed with its file proves nothing
    for row, text in tables.in_batches(sql, accounts, 200):
        body = loaded(text)
        table, pk = SCREENSHOT if body["op"] == "add_screenshot" else WITHDRAWAL, body["screenshot_pk"]
        cells = {"account_id": accounts[row], "author": body["by"]}
        if table == SCREENSHOT:
            cells |= {**body["screenshot"], "id": pk, "trade_id": body["trade"]["pk"]}
            cells |= {"recorded_at": body["recorded_at"]}
            kept[pk] = PictureFile(str(body["screenshot"]["name"]), str(body["screenshot"]["sha256"]))
        else:
            cells |= {"id": body["withdrawal_pk"], "screenshot_id": pk, "reason": body["reason"]}
            cells |= {"withdrawn_at": body["recorded_at"]}
            kept.pop(pk, None)
        expected[table].append(cells)
    if files is not None:
        for pk, file in kept.items():
            if fault := fault_of(file, files):
                tables.findings.add(FILE, SCREENSHOT, pk, "name", fault, file.name)
    return {
        table: tables.compare(table, rows, tables.between(table, "id", None, None)) for table, rows in expected.items()
    }
