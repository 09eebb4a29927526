"""Rows of screenshots, compared with what the journal tells of them, and their files with these rows."""

from __future__ import annotations

from pathlib import Path

from trading.domain.recount import Expected
from trading.picture_files import PictureFile, fault_of
from trading.proof.chain import JOURNAL, Index, loaded
from trading.proof.rows import KEYS, Tables

SCREENSHOT = "trading_screenshot"
FILE = "file"  # kind of a difference: the ledger is as it was recorded, a file beside it is not


def compare_screenshots(tables: Tables, index: Index, files: Path | None) -> dict[str, int]:
    """Find what differs in rows, and in the files of a folder where one is given; return how many rows."""
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    accounts, expected = dict(index.screenshots), []
    for row, text in tables.in_batches(sql, accounts, 200):
        body = loaded(text)
        cells = {
            **body["screenshot"],
            "id": body["screenshot_pk"],
            "account_id": accounts[row],
            "trade_id": body["trade"]["pk"],
            "author": body["by"],
            "recorded_at": body["recorded_at"],
        }
        expected.append(Expected(SCREENSHOT, tuple(cells[name] for name in KEYS[SCREENSHOT]), cells))
        if files is None:
            continue
        # By the journal: a row that was changed with its file proves nothing.
        fault = fault_of(PictureFile(str(cells["name"]), str(cells["sha256"])), files)
        if fault:
            tables.findings.add(FILE, SCREENSHOT, body["screenshot_pk"], "name", fault, str(cells["name"]))
    return {SCREENSHOT: tables.compare(SCREENSHOT, expected, tables.between(SCREENSHOT, "id", None, None))}
